import type { LinkRow } from '../flows/network-snapshot.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { openFlowSession } from './flow-session.ts';
import { ageText, bytesText, latencyText, ratioText } from './golden-cells.ts';
import { parseChoice } from './option-values.ts';
import { messageCell, nameCell, showStatus, statusCell, type StatusTable } from './service-resources.ts';
import type { ShownResource } from './site-session.ts';

const formats = ['table', 'wide', 'json', 'yaml'] as const;
/** Counters of links are told once a second: a rate needs two of them. */
const listenMs = 2000;
const windowMs = 60_000;

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'only this one, in detail', optional: true }],
  options: { output: { short: 'o', value: 'FORMAT', meaning: 'table, wide, json or yaml', default: 'table' } },
  description:
    'These are the links that this site makes to others. Links that others made to it are in "van network status". TRUST: what\n' +
    'a "signed" neighbour says is verified by its signature; a "certified" one proves only who it is; an "unsigned" one neither.\n' +
    'With -o wide: the round trip to the neighbour and the part of probes that got lost, how long the link has been up and how often it was\n' +
    'down, and bytes a second to the neighbour and from it.',
  examples: [
    { line: 'van link status', meaning: 'All links that this site makes' },
    { line: 'van link status -o wide', meaning: 'With latency, loss and uptime' },
    { line: 'van link status --wait ready', meaning: 'Wait until all of them are up' },
  ],
  async run(call) {
    const wide = parseChoice(call.text('output') ?? 'table', '--output', formats) === 'wide';
    return showStatus(call, {
      kind: 'Link',
      plural: 'links',
      columns: [...columns, ...(wide ? await measuredColumns(call) : [age]), message],
    });
  },
};

type Columns = StatusTable['columns'];

/** How long it has been up. */
const age: Columns[number] = [
  'AGE',
  ({ status }) => {
    const sinceMs = typeof status?.['upSince'] === 'string' ? Date.parse(status['upSince']) : Number.NaN;
    return Number.isNaN(sinceMs) ? '-' : ageText(Date.now() - sinceMs);
  },
];
const message: Columns[number] = ['MESSAGE', messageCell];
const columns: Columns = [
  ['NAME', nameCell],
  ['STATUS', statusCell],
  ['COST', ({ spec }) => String(typeof spec['cost'] === 'number' ? spec['cost'] : 1)],
  ['TO', endpointCell],
  ['SITE', ({ status }) => (typeof status?.['remoteSiteName'] === 'string' ? status['remoteSiteName'] : '')],
  ['TRUST', ({ status }) => (typeof status?.['remoteTrust'] === 'string' ? status['remoteTrust'] : '')],
];

/** What this site's router tells of its links. */
async function measuredColumns(call: Call): Promise<Columns> {
  await using session = await openFlowSession(call, { detail: false });
  await session.listen(listenMs);
  const { links, sites, atMs } = await session.snapshot(windowMs);
  const own = sites.find(({ relation }) => relation === 'self')?.id;
  const rows = new Map(links.filter(({ from }) => from === own).map((row) => [row.name, row]));
  const cell =
    (text: (row: LinkRow) => string) =>
    ({ metadata }: ShownResource): string => {
      const row = rows.get(metadata.name);
      return row === undefined ? '-' : text(row);
    };
  return [
    ['RTT', cell(({ roundTripMs }) => latencyText(roundTripMs))],
    ['LOSS', cell(({ lossRatio }) => ratioText(lossRatio))],
    ['UPTIME', cell(({ upSinceMs, state }) => (upSinceMs === null || state === 'down' ? '-' : ageText(atMs - upSinceMs)))],
    ['DOWNS', cell(({ downCount }) => String(downCount))],
    ['OUT/SEC', cell(({ bytesPerSecond }) => bytesText(bytesPerSecond))],
    ['IN/SEC', cell(({ bytesReversePerSecond }) => bytesText(bytesReversePerSecond))],
  ];
}

function endpointCell({ spec }: ShownResource): string {
  const endpoints = Array.isArray(spec['endpoints'])
    ? (spec['endpoints'] as readonly { host?: unknown; port?: unknown; name?: unknown }[])
    : [];
  return endpoints
    .filter(({ name }) => name === 'inter-router')
    .map(({ host, port }) => `${String(host)}:${String(port)}`)
    .join(', ');
}
