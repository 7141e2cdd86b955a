import type { LinkRow, NetworkSnapshot, SiteRow } from '../flows/network-snapshot.ts';
import { SitePaths, type PathLink } from '../flows/site-paths.ts';
import type { Command } from './command.ts';
import { openFlowSession } from './flow-session.ts';
import { ageText, latencyText, ratioText } from './golden-cells.ts';
import { parseChoice } from './option-values.ts';
import { formatTable } from './table.ts';

const formats = ['table', 'json'] as const;
const windowMs = 60_000;
/** One interval of the probes that links are measured by. */
const ownListenMs = 2000;

export const command: Command = {
  parameters: [],
  options: { output: { short: 'o', value: 'FORMAT', meaning: 'table or json', default: 'table' } },
  description:
    'One row for each other site. ALIVE: there is a way to it, and it tells records. NUM_SVC: services with servers there. LATENCY: half of the\n' +
    'requests to its servers had their first byte in this time; - without traffic. PATH: direct, or the site that it is reached by. RTT and\n' +
    'LOSS are of all links of the way together, as routers probe them; UPTIME is of the youngest of them.',
  examples: [{ line: 'van gateways', meaning: 'How well the other sites are reached' }],
  async run(call) {
    const format = parseChoice(call.text('output') ?? 'table', '--output', formats);
    await using session = await openFlowSession(call, { detail: false });
    await session.listen(ownListenMs);
    const rows = gatewayRows(await session.snapshot(windowMs));
    if (format === 'json') call.shell.writeOut(`${JSON.stringify(rows, undefined, 2)}\n`);
    else call.shell.writeOut(formatGateways(rows));
    return 0;
  },
};

/** How one other site is reached. */
export interface GatewayRow {
  readonly site: string;
  readonly alive: boolean;
  readonly numberOfServices: number;
  readonly latencyMs: number | null;
  readonly path: string;
  readonly roundTripMs: number | null;
  readonly lossRatio: number | null;
  readonly uptimeMs: number | null;
}

export function gatewayRows({ sites, links, services, atMs }: NetworkSnapshot): readonly GatewayRow[] {
  const up = links.filter(({ state }) => state === 'up');
  const paths = new SitePaths(up.map(pathLink));
  const own = sites.find(({ relation }) => relation === 'self')?.id ?? '';
  return sites
    .filter(({ relation }) => relation !== 'self')
    .map((site): GatewayRow => {
      const way = paths.path(own, site.id);
      const rows = (way ?? []).map(({ from, to }) => rowBetween(up, from, to));
      const ages = rows.map((row) => (row?.upSinceMs == null ? null : atMs - row.upSinceMs));
      return {
        site: site.name,
        alive: site.state === 'up' && way !== undefined,
        numberOfServices: services.filter(({ servers }) => servers.some(({ siteId }) => siteId === site.id)).length,
        latencyMs: site.inbound.p50Ms,
        path: way === undefined ? '-' : pathText(site),
        roundTripMs: sumOf(rows.map((row) => row?.roundTripMs ?? null)),
        lossRatio: lossOf(rows.map((row) => row?.lossRatio ?? null)),
        uptimeMs: ages.length === 0 || ages.includes(null) ? null : Math.min(...ages.map((age) => age ?? 0)),
      };
    });
}

function pathText({ relation, nextHop }: SiteRow): string {
  return relation === 'direct' ? 'direct' : `by ${nextHop ?? 'another site'}`;
}

function pathLink({ from, to, cost, roundTripMs }: LinkRow): PathLink {
  return { from, to, cost, roundTripMs, isMutual: false };
}

function rowBetween(links: readonly LinkRow[], a: string, b: string): LinkRow | undefined {
  return links.find(({ from, to }) => (from === a && to === b) || (from === b && to === a));
}

/** Of all links; null when one of them does not know. */
function sumOf(values: readonly (number | null)[]): number | null {
  return values.length === 0
    ? null
    : values.reduce((sum: number | null, value) => (sum === null || value === null ? null : sum + value), 0);
}

function lossOf(values: readonly (number | null)[]): number | null {
  if (values.length === 0) return null;
  return values.reduce((kept: number | null, value) => (kept === null || value === null ? null : 1 - (1 - kept) * (1 - value)), 0);
}

export function formatGateways(rows: readonly GatewayRow[]): string {
  if (rows.length === 0) return 'There are no other sites in the network.\n';
  return formatTable(
    ['SITE', 'ALIVE', 'NUM_SVC', 'LATENCY', 'PATH', 'RTT', 'LOSS', 'UPTIME'],
    rows.map((row) => [
      row.site,
      row.alive ? 'True' : 'False',
      String(row.numberOfServices),
      latencyText(row.latencyMs),
      row.path,
      latencyText(row.roundTripMs),
      ratioText(row.lossRatio),
      row.uptimeMs === null ? '-' : ageText(row.uptimeMs),
    ]),
  );
}
