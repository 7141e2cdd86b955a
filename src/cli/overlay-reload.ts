import type { Command } from './command.ts';
import { printDone } from './output.ts';
import { askOverlay, overlaySocketOption } from './overlay-session.ts';

export const command: Command = {
  parameters: [],
  options: overlaySocketOption,
  description:
    'Hosts, epoch, vpcs and resources may be others; whoever changes the list of hosts raises the epoch, and lets all hosts read it. Everything\n' +
    'else in the configuration takes a new start of the daemon.',
  examples: [{ line: 'van overlay reload --config overlay.yaml', meaning: 'Take in a host that has come' }],
  async run(call) {
    const answer = (await askOverlay(call, { ask: 'reload' })) as { readonly epoch: number; readonly hosts: number };
    await printDone(call, `The daemon has read its configuration: epoch ${answer.epoch}, ${answer.hosts} hosts.`, answer);
    return 0;
  },
};
