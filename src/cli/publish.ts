import { readFile, stat } from 'node:fs/promises';
import { InputError } from '../base/errors.ts';
import { maxEventBodyBytes } from '../services/events/event-message.ts';
import type { PublishedEvent } from '../supervisor/site-events.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { parseInteger, parseSettings } from './option-values.ts';
import { printResult } from './output.ts';
import { printableLine } from './printable.ts';
import { SiteSession } from './site-session.ts';

/** For the answer on top of the time that the site itself may take. */
const answerMs = 5_000;
const mostSites = 16_384;

export const command: Command = {
  parameters: [
    { name: 'ADDRESS', meaning: 'where the message goes, such as mc/news' },
    { name: 'BODY', meaning: 'text of the message, or - for what is on standard input', optional: true },
  ],
  options: {
    file: { value: 'FILE', meaning: 'file whose content is the message' },
    type: { value: 'TYPE', meaning: 'media type of the message, such as application/json' },
    subject: { value: 'TEXT', meaning: 'subject of the message' },
    header: { value: 'KEY=VALUE', meaning: 'application property; may be given several times', repeatable: true },
    'wait-for': { value: 'N', meaning: 'waits until N sites have consumers of the address before it sends' },
  },
  description: `Messages to an address of distribution multicast reach every consumer in the network once: to mc and what begins with mc/ or mc.,
and to the addresses in the setting multicast of a Site. Messages to other addresses reach one consumer.
The exit code is 0 when a consumer has accepted the message, and 1 otherwise. A message has up to ${maxEventBodyBytes} bytes.`,
  examples: [
    { line: 'van publish mc/news "doors open"', meaning: 'A text to everybody who listens' },
    { line: 'van publish mc/news --file report.json --type application/json --wait-for 2', meaning: 'A file, when two sites listen' },
  ],
  async run(call) {
    const address = call.parameter('ADDRESS');
    const body = await bodyOf(call);
    const sites = call.text('wait-for');
    const contentType = call.text('type');
    const subject = call.text('subject');
    const published = await new SiteSession(call).ask<PublishedEvent>(
      'PUBLISH',
      {
        address,
        body: body.toString('base64'),
        ...(contentType === undefined ? {} : { contentType }),
        ...(subject === undefined ? {} : { subject }),
        headers: parseSettings(call.texts('header'), '--header'),
        ...(sites === undefined ? {} : { waitFor: parseInteger(sites, '--wait-for', 1, mostSites) }),
        timeoutMs: call.timeoutMs,
      },
      call.timeoutMs + answerMs,
    );
    await printResult(call, published, () => `${sentence(address, published)}\n`);
    return published.outcome === 'accepted' ? 0 : 1;
  },
};

async function bodyOf(call: Call): Promise<Buffer> {
  const text = call.optionalParameter('BODY');
  const file = call.text('file');
  if (text !== undefined && file !== undefined) throw new InputError('bad-option', '--file', 'cannot be combined with BODY');
  const body =
    file !== undefined ? await contentOf(file) : Buffer.from(text === '-' ? await call.shell.readInput(maxEventBodyBytes) : (text ?? ''));
  if (body.length <= maxEventBodyBytes) return body;
  throw new InputError('input-too-long', file ?? 'BODY', `is longer than ${maxEventBodyBytes} bytes`);
}

async function contentOf(file: string): Promise<Buffer> {
  try {
    if ((await stat(file)).size <= maxEventBodyBytes) return await readFile(file);
  } catch (cause) {
    throw new InputError('unreadable-file', file, `cannot be read: ${(cause as Error).message}`, { cause });
  }
  throw new InputError('input-too-long', file, `is longer than ${maxEventBodyBytes} bytes`);
}

function sentence(address: string, { outcome, subscribers, sites, reason }: PublishedEvent): string {
  const name = printableLine(address);
  const why = reason === null ? '' : `: ${printableLine(reason)}`;
  switch (outcome) {
    case 'accepted':
      return subscribers === 0
        ? `Accepted by consumers of "${name}" at ${counted(sites, 'site')}.`
        : `Accepted by ${counted(subscribers, 'subscriber')} of "${name}" at ${counted(sites, 'site')}.`;
    case 'rejected':
      return `Rejected${why}.`;
    case 'modified':
      return `The way to consumers of "${name}" broke: they may have the message or not${why}.`;
    default:
      return `Released: nobody takes messages of "${name}" now.`;
  }
}

function counted(count: number, name: string): string {
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
