import type { ReceivedEvent, SubscribedBody } from '../supervisor/site-events.ts';
import { WeatherError } from '../base/errors.ts';
import type { Command, Shell } from './command.ts';
import { parseChoice, parseInteger } from './option-values.ts';
import { printableLine } from './printable.ts';
import { SiteSession } from './site-session.ts';

const formats = ['text', 'json', 'raw'] as const;
type Format = (typeof formats)[number];

export const command: Command = {
  parameters: [{ name: 'ADDRESS', meaning: 'whose messages are wanted, such as mc/news' }],
  options: {
    count: { value: 'N', meaning: 'ends after N messages' },
    output: { short: 'o', value: 'FORMAT', meaning: 'text, json, or raw for the bodies alone, as they are', default: 'text' },
  },
  description: `Prints each message on one line until it is interrupted, until whoever reads the output has gone, or until N have come. Of an address of
distribution multicast every subscriber in the network gets each message; of others one consumer gets it.
A message counts as accepted when it has been given to this command. Messages from before are not kept for it.`,
  examples: [
    { line: 'van subscribe mc/news', meaning: 'What is published at any site from now on' },
    { line: 'van subscribe mc/news --count 1 -o json', meaning: 'The next message with its properties' },
  ],
  async run(call) {
    const address = call.parameter('ADDRESS');
    const format = parseChoice(call.text('output') ?? 'text', '--output', formats);
    const limit = call.text('count');
    let left = limit === undefined ? Infinity : parseInteger(limit, '--count', 1, 1_000_000_000);
    let isSubscribed = false;
    await new SiteSession(call).stream('SUBSCRIBE', { address }, (body) => {
      if (!isSubscribed) {
        isSubscribed = true;
        const { distribution } = body as SubscribedBody;
        call.shell.writeError(`Subscribed to "${printableLine(address)}" (${distribution}).\n`);
        return true;
      }
      print(call.shell, body as ReceivedEvent, format);
      left--;
      return left > 0 && !call.shell.isReaderGone;
    });
    if (left > 0 && !call.shell.isReaderGone) {
      throw new WeatherError('subscription-ended', 'the site ended the subscription', { remedy: 'see van site status' });
    }
    return 0;
  },
};

function print(shell: Shell, event: ReceivedEvent, format: Format): void {
  const body = Buffer.from(event.body, 'base64');
  if (format === 'raw') {
    shell.writeOut(body);
    return;
  }
  const text = textOf(body);
  if (format === 'text') {
    shell.writeOut(`${text === undefined ? `base64:${event.body}` : printableLine(text)}\n`);
    return;
  }
  const { body: base64, ...properties } = event;
  const shown = Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== null));
  shell.writeOut(`${printableLine(JSON.stringify({ ...shown, ...(text === undefined ? { bodyBase64: base64 } : { body: text }) }))}\n`);
}

/** The body as text; undefined when it is none in UTF-8. */
function textOf(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return undefined;
  }
}
