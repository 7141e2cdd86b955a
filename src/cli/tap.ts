import type { RequestRow } from '../flows/network-snapshot.ts';
import type { RequestFilter } from '../flows/tap-filter.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { openFlowSession } from './flow-session.ts';
import { untilInterrupted } from './interrupted.ts';
import { parseChoice, parseInteger } from './option-values.ts';
import { printableLine } from './printable.ts';
import { requestFilter, requestOptions } from './request-options.ts';
import { answerText, beginText, endText } from './tap-text.ts';

const formats = ['text', 'wide', 'json'] as const;
type Format = (typeof formats)[number];
/** Connections whose beginning was printed and whose end was not yet. */
const maxBegun = 10_000;
const tellLeftMs = 5000;

export const command: Command = {
  parameters: [{ name: 'SERVICE', meaning: 'routing key of the service; all services without it', optional: true }],
  options: {
    ...requestOptions,
    'max-rps': { value: 'N', meaning: 'print at most so many requests a second', default: '100' },
    count: { value: 'N', meaning: 'end after N requests or connections' },
    output: { short: 'o', value: 'FORMAT', meaning: 'text, wide, or json with one object in each line', default: 'text' },
  },
  description:
    'Shows single requests and connections of the whole network as they end, until it is interrupted. Both ends of each are merged: the client\n' +
    'and how long a server was chosen come from its site, the wait for a connection and the server from the other; what is left is the network,\n' +
    'there and back. No clocks are compared. Connections are shown when they begin, too. Routers record at most 250 a second each\n' +
    '(setting flow-detail-rate of the site); what was not recorded or not shown is said at the end. Sums such as those of van stat have all.',
  examples: [
    { line: 'van tap backend', meaning: 'Requests to one service' },
    { line: 'van tap backend --status 5xx --to east', meaning: 'What fails at site east' },
    { line: 'van tap backend --path /cart -o json | jq .networkMs', meaning: 'For programs' },
  ],
  async run(call) {
    const format = parseChoice(call.text('output') ?? 'text', '--output', formats);
    const limits = {
      perSecond: parseInteger(call.text('max-rps') ?? '100', '--max-rps', 1, 100_000),
      count: call.text('count') === undefined ? Infinity : parseInteger(call.text('count') ?? '', '--count', 1, 1_000_000_000),
    };
    const filter = requestFilter(call, call.optionalParameter('SERVICE'));
    await untilInterrupted((signal) => tap(call, filter, format, limits, signal));
    return 0;
  },
};

interface TapLimits {
  readonly perSecond: number;
  readonly count: number;
}

async function tap(call: Call, filter: RequestFilter, format: Format, limits: TapLimits, signal: AbortSignal): Promise<void> {
  const { shell } = call;
  await using session = await openFlowSession(call, { detail: true });
  const printer = new TapPrinter(call, format, limits);
  let droppedBefore = await session.droppedSoFar();
  let missedBefore = 0;
  const tellLeft = async (): Promise<void> => {
    const dropped = await session.droppedSoFar();
    if (dropped > droppedBefore)
      shell.writeError(`${dropped - droppedBefore} requests or connections were not recorded: there were too many.\n`);
    droppedBefore = dropped;
    if (session.missed > missedBefore)
      shell.writeError(`${session.missed - missedBefore} more began or ended than could be followed: narrow it down, or use van stat.\n`);
    missedBefore = session.missed;
    const left = printer.takeLeft();
    if (left > 0) shell.writeError(`${left} more were left out (--max-rps ${limits.perSecond}).\n`);
  };
  const timer = setInterval(() => void tellLeft().catch(() => undefined), tellLeftMs);
  try {
    shell.writeError(`Waiting for requests${filter.service === undefined ? '' : ` to "${printableLine(filter.service)}"`}; Ctrl-C ends.\n`);
    await session.follow(filter, (row) => printer.take(row), signal);
  } finally {
    clearInterval(timer);
  }
  await tellLeft();
}

/** Prints rows as they come, and counts what it leaves out. */
class TapPrinter {
  readonly #call: Call;
  readonly #format: Format;
  readonly #limits: TapLimits;
  readonly #begun = new Set<string>();
  #second = 0;
  #inSecond = 0;
  #printed = 0;
  #left = 0;

  constructor(call: Call, format: Format, limits: TapLimits) {
    this.#call = call;
    this.#format = format;
    this.#limits = limits;
  }

  takeLeft(): number {
    const left = this.#left;
    this.#left = 0;
    return left;
  }

  /** False when nobody wants more. */
  take(row: RequestRow): boolean {
    const { shell } = this.#call;
    if (!this.#begun.has(row.id) && !this.#mayPrint()) {
      if (row.ended) this.#left++;
      return !shell.isReaderGone;
    }
    if (this.#format === 'json') {
      if (row.ended) shell.writeOut(`${printableLine(JSON.stringify(row))}\n`);
    } else {
      const wide = this.#format === 'wide';
      const begin = this.#begun.has(row.id) ? '' : beginText(row, wide);
      shell.writeOut(row.ended ? `${begin}${answerText(row, wide)}${endText(row, wide)}` : begin);
    }
    if (row.ended) {
      this.#begun.delete(row.id);
      this.#printed++;
    } else if (this.#begun.size < maxBegun) {
      this.#begun.add(row.id);
    }
    return this.#printed < this.#limits.count && !shell.isReaderGone;
  }

  #mayPrint(): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#inSecond = 0;
    }
    if (this.#inSecond >= this.#limits.perSecond) return false;
    this.#inSecond++;
    return true;
  }
}
