import { InputError } from '../base/errors.ts';
import type { Command } from './command.ts';
import { askOverlay, overlaySocketOption } from './overlay-session.ts';
import { readTextFile } from './read-text-file.ts';

/** A ticket has some hundred octets. */
const ticketLimitBytes = 64 * 1024;

export const command: Command = {
  parameters: [{ name: 'FILE', meaning: 'ticket of "van overlay move-out"; - is standard input' }],
  options: overlaySocketOption,
  description:
    'The pod that the CNI plugin then adds here with the addresses of the ticket, within 45 seconds, is the one that was at the other host.',
  examples: [{ line: 'van overlay move-in ticket.json --config overlay.yaml', meaning: 'A pod is about to come' }],
  async run(call) {
    const file = call.parameter('FILE');
    let ticket: unknown;
    try {
      ticket = JSON.parse(await readTextFile(call, file, ticketLimitBytes));
    } catch (cause) {
      if (cause instanceof InputError) throw cause;
      throw new InputError('bad-ticket', file, 'is not JSON', { cause });
    }
    await askOverlay(call, { ask: 'moveIn', ticket });
    return 0;
  },
};
