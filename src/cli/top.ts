import type { RequestRow } from '../flows/network-snapshot.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { openFlowSession, type FlowSession } from './flow-session.ts';
import { latencyText, ratioText } from './golden-cells.ts';
import { untilInterrupted } from './interrupted.ts';
import { parseChoice, parseDurationMs, parseInteger } from './option-values.ts';
import { requestFilter, requestOptions } from './request-options.ts';
import { formatTable } from './table.ts';
import { setTimeout as sleep } from 'node:timers/promises';

const formats = ['table', 'json'] as const;
/** Rows that are counted. New ones beyond are counted as "others". */
const maxRows = 1000;
const refreshMs = 1000;
/** Without a terminal there is one table, of so much time. */
const onceMs = 10_000;
/** Cursor to the upper left corner, and everything below it cleared. */
const clearScreen = '\u001b[H\u001b[J';
const others = '(others)';

export const command: Command = {
  parameters: [{ name: 'SERVICE', meaning: 'routing key of the service; all services without it', optional: true }],
  options: {
    ...requestOptions,
    rows: { value: 'N', meaning: 'rows to show, the busiest first', default: '20' },
    once: { meaning: 'prints one table and ends' },
    'time-window': { short: 't', value: 'DURATION', meaning: 'how long to collect with --once', default: `${onceMs / 1000}s` },
    output: { short: 'o', value: 'FORMAT', meaning: 'table, or json (with --once)', default: 'table' },
  },
  description:
    'Counts requests by service, method, path and sites, with the best, the worst and the last time to the first byte, and shows the busiest\n' +
    'anew every second until it is interrupted. Routers record at most 250 requests a second each: beyond that the table is a sample, and says so.',
  examples: [
    { line: 'van top', meaning: 'What the whole network is busy with' },
    { line: 'van top backend --once -t 30s', meaning: 'One table of half a minute' },
  ],
  async run(call) {
    const format = parseChoice(call.text('output') ?? 'table', '--output', formats);
    const rows = parseInteger(call.text('rows') ?? '20', '--rows', 1, maxRows);
    const windowMs = parseDurationMs(call.text('time-window') ?? '10s', '--time-window');
    const once = call.flag('once') || format === 'json' || !process.stdout.isTTY;
    const filter = requestFilter(call, call.optionalParameter('SERVICE'));
    await untilInterrupted(async (signal) => {
      await using session = await openFlowSession(call, { detail: true });
      const counts = new PathCounts();
      const ending = new AbortController();
      const both = AbortSignal.any([signal, ending.signal]);
      const following = session.follow(
        filter,
        (row) => {
          if (row.ended) counts.add(row);
          return !call.shell.isReaderGone;
        },
        both,
      );
      try {
        await (once
          ? Promise.race([sleep(windowMs, undefined, { signal: both }).catch(() => undefined), following])
          : refresh(call, session, counts, rows, both, following));
      } finally {
        ending.abort();
        await following;
      }
      if (!once) return;
      if (format === 'json') call.shell.writeOut(`${JSON.stringify(counts.busiest(rows), undefined, 2)}\n`);
      else call.shell.writeOut(await tableText(session, counts, rows, windowMs));
    });
    return 0;
  },
};

async function refresh(
  call: Call,
  session: FlowSession,
  counts: PathCounts,
  rows: number,
  signal: AbortSignal,
  following: Promise<void>,
): Promise<void> {
  const startedMs = performance.now();
  while (!signal.aborted && !call.shell.isReaderGone) {
    const text = await tableText(session, counts, rows, performance.now() - startedMs);
    call.shell.writeOut(`${clearScreen}${text}\nCtrl-C ends.\n`);
    await Promise.race([sleep(refreshMs, undefined, { signal }).catch(() => undefined), following]);
  }
}

async function tableText(session: FlowSession, counts: PathCounts, rows: number, windowMs: number): Promise<string> {
  const dropped = await session.dropped(windowMs);
  const note = dropped === 0 ? '' : `${dropped} requests or connections are not among them: there were too many to record.\n`;
  return `${formatTop(counts.busiest(rows))}${note}`;
}

/** One row of the table. */
export interface PathRow {
  readonly service: string;
  readonly method: string;
  readonly path: string;
  readonly from: string;
  readonly to: string;
  count: number;
  failures: number;
  bestMs: number | null;
  worstMs: number | null;
  lastMs: number | null;
}

/** Counts requests by what and where they are. */
export class PathCounts {
  readonly #rows = new Map<string, PathRow>();

  add(request: RequestRow): void {
    const what = this.#whatOf(request);
    const key = what.join('\n');
    const [service, method, path, from, to] = what;
    const row = this.#rows.get(key) ?? {
      service,
      method,
      path,
      from,
      to,
      count: 0,
      failures: 0,
      bestMs: null,
      worstMs: null,
      lastMs: null,
    };
    this.#rows.set(key, row);
    row.count++;
    if (request.error !== null || (request.status ?? 0) >= 500) row.failures++;
    const { firstByteMs } = request;
    if (firstByteMs === null) return;
    row.bestMs = Math.min(row.bestMs ?? firstByteMs, firstByteMs);
    row.worstMs = Math.max(row.worstMs ?? firstByteMs, firstByteMs);
    row.lastMs = firstByteMs;
  }

  busiest(limit: number): readonly PathRow[] {
    return [...this.#rows.values()].sort((a, b) => b.count - a.count || (a.path < b.path ? -1 : 1)).slice(0, limit);
  }

  #whatOf({ address, kind, method, path, protocol, sourceSite, destSite }: RequestRow): readonly [string, string, string, string, string] {
    const plain = path === null ? '-' : (path.split('?')[0] ?? '');
    const what = [address, kind === 'request' ? (method ?? '-') : protocol.toUpperCase(), plain, sourceSite, destSite ?? '-'] as const;
    return this.#rows.size < maxRows || this.#rows.has(what.join('\n')) ? what : [address, others, '-', '-', '-'];
  }
}

export function formatTop(rows: readonly PathRow[]): string {
  if (rows.length === 0) return 'There were no requests.\n';
  const header = ['SERVICE', 'METHOD', 'PATH', 'FROM', 'TO', 'COUNT', 'BEST', 'WORST', 'LAST', 'SUCCESS'];
  return formatTable(
    header,
    rows.map(({ service, method, path, from, to, count, failures, bestMs, worstMs, lastMs }) => [
      service,
      method,
      path.length > maxPathLength ? `${path.slice(0, maxPathLength - 1)}…` : path,
      from,
      to,
      String(count),
      latencyText(bestMs),
      latencyText(worstMs),
      latencyText(lastMs),
      ratioText((count - failures) / count),
    ]),
  );
}

/** Longer paths would leave no room for the numbers. */
const maxPathLength = 60;
