import type { EdgeRow } from '../flows/network-snapshot.ts';
import type { Command } from './command.ts';
import { longestWindowMs, openFlowSession } from './flow-session.ts';
import { goldenColumns, wideColumns } from './golden-cells.ts';
import { parseChoice, parseDurationMs } from './option-values.ts';
import { formatTable } from './table.ts';

const formats = ['table', 'wide', 'json'] as const;
const defaultWindowMs = 60_000;
const ownWindowMs = 10_000;

export const command: Command = {
  parameters: [{ name: 'SERVICE', meaning: 'only this service', optional: true }],
  options: {
    'time-window': { short: 't', value: 'DURATION', meaning: 'over what time (default: 60s; 10s where no observer runs), at most 15m' },
    output: { short: 'o', value: 'FORMAT', meaning: 'table, wide or json', default: 'table' },
  },
  description:
    'Who talked to whom: the sites of clients and servers, by service. SECURED: mutual-tls when all links between the two are encrypted and both ends\n' +
    'of each show certificates; partly when one of them is not; local within one site.',
  examples: [{ line: 'van edges', meaning: 'All pairs of sites that talk' }],
  async run(call) {
    const format = parseChoice(call.text('output') ?? 'table', '--output', formats);
    const service = call.optionalParameter('SERVICE');
    const text = call.text('time-window');
    await using session = await openFlowSession(call, { detail: false });
    const windowMs = Math.min(
      longestWindowMs,
      text === undefined ? (session.isObserver ? defaultWindowMs : ownWindowMs) : parseDurationMs(text, '--time-window'),
    );
    await session.listen(windowMs);
    const { edges } = await session.snapshot(windowMs);
    const shown = edges.filter(({ address }) => service === undefined || address === service);
    if (format === 'json') call.shell.writeOut(`${JSON.stringify(shown, undefined, 2)}\n`);
    else call.shell.writeOut(formatEdges(shown, format === 'wide'));
    return 0;
  },
};

export function formatEdges(edges: readonly EdgeRow[], wide: boolean): string {
  if (edges.length === 0) return 'Nobody talked to anybody.\n';
  const columns = wide ? [...goldenColumns, ...wideColumns] : goldenColumns;
  return formatTable(
    ['SRC', 'DST', 'SERVICE', 'PROTOCOL', 'SECURED', ...columns.map(([title]) => title)],
    edges.map((edge) => [
      edge.sourceName,
      edge.destName,
      edge.address,
      edge.protocol,
      edge.secured,
      ...columns.map(([, cell]) => cell(edge.golden)),
    ]),
  );
}
