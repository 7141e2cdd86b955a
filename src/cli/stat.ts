import { InputError } from '../base/errors.ts';
import { nearestName } from '../base/nearest-name.ts';
import type { StatReport } from '../flows/network-snapshot.ts';
import type { StatQuery } from '../flows/stat-report.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { longestWindowMs, openFlowSession, type FlowSession } from './flow-session.ts';
import { goldenColumns, wideColumns } from './golden-cells.ts';
import { parseChoice, parseDurationMs } from './option-values.ts';
import { formatTable } from './table.ts';

const formats = ['table', 'wide', 'json'] as const;
const kinds: Readonly<Record<string, StatReport['kind']>> = {
  services: 'service',
  service: 'service',
  sites: 'site',
  site: 'site',
  servers: 'server',
  server: 'server',
};
const defaultWindowMs = 60_000;
/** Without an observer somebody waits for the whole window. */
const ownWindowMs = 10_000;

export const command: Command = {
  parameters: [
    { name: 'WHAT', meaning: 'services (default), sites or servers; or the name of a service', optional: true },
    { name: 'NAME', meaning: 'only this one; of servers: SITE/CONNECTOR, the connector, or the service', optional: true },
  ],
  options: {
    'time-window': {
      short: 't',
      value: 'DURATION',
      meaning: 'over what time (default: 60s; 10s where no observer runs, and you wait for it)',
    },
    from: { value: 'SITE', meaning: 'only what clients at this site asked for' },
    to: { value: 'SITE', meaning: 'only what servers at this site answered; of sites: rows are those of the clients' },
    output: { short: 'o', value: 'FORMAT', meaning: 'table, wide or json', default: 'table' },
  },
  description:
    'SUCCESS is the part of requests that ended well (of HTTP: with a status below 500), or of connections that were not cut off. RPS counts requests,\n' +
    'or connections opened. P50, P95 and P99 are times to the first byte of the answer; of TCP, until the server was connected. All requests\n' +
    'count: routers add them up. Rows of sites are those of the servers at each. With -o wide: what is open now, bytes a second from and\n' +
    'to clients, and tries beyond the first.',
  examples: [
    { line: 'van stat', meaning: 'All services, in the last minute' },
    { line: 'van stat backend -t 5m', meaning: 'One service over five minutes' },
    { line: 'van stat servers backend -o wide', meaning: 'How the servers of a service share its requests' },
    { line: 'van stat services --from west --to east', meaning: 'What clients in west had from servers in east' },
  ],
  async run(call) {
    const format = parseChoice(call.text('output') ?? 'table', '--output', formats);
    const asked = queryOf(call);
    await using session = await openFlowSession(call, { detail: false });
    const windowMs = windowOf(call, session);
    await session.listen(windowMs);
    const query = { ...asked, windowMs };
    const report = await session.stat(query);
    if (report.rows.length === 0 && query.name !== undefined) throw await unknownName(session, query);
    if (format === 'json') call.shell.writeOut(`${JSON.stringify(report, undefined, 2)}\n`);
    else call.shell.writeOut(formatStat(report, format === 'wide'));
    if (session.isObserver && report.coveredMs < windowMs * 0.9) {
      call.shell.writeError(`Only ${Math.round(report.coveredMs / 1000)} s of the window have been seen.\n`);
    }
    return 0;
  },
};

function queryOf(call: Call): Omit<StatQuery, 'windowMs'> {
  const what = call.optionalParameter('WHAT');
  const name = call.optionalParameter('NAME');
  const ends = { from: call.text('from'), to: call.text('to') };
  const kind = what === undefined ? 'service' : Object.hasOwn(kinds, what) ? kinds[what] : undefined;
  if (kind !== undefined) return { kind, name, ...ends };
  if (name === undefined) return { kind: 'service', name: what, ...ends };
  throw new InputError('bad-parameter', 'WHAT', `must be services, sites or servers, not '${what ?? ''}'`);
}

function windowOf(call: Call, session: FlowSession): number {
  const text = call.text('time-window');
  if (text === undefined) return session.isObserver ? defaultWindowMs : ownWindowMs;
  const windowMs = parseDurationMs(text, '--time-window');
  if (windowMs < 1000) throw new InputError('bad-option', '--time-window', 'must be at least 1s');
  if (session.isObserver || windowMs <= longestWindowMs) return windowMs;
  throw new InputError('bad-option', '--time-window', `is longer than ${longestWindowMs / 60_000}m, and no observer runs here`, {
    remedy: 'start one, and it keeps a history: van observe',
  });
}

async function unknownName(session: FlowSession, { kind, name = '', windowMs }: StatQuery): Promise<InputError> {
  const { rows } = await session.stat({ kind, windowMs });
  const names = [...new Set(rows.map((row) => row.name))];
  const near = nearestName(name, names);
  const known = names.length === 0 ? `there is no ${kind}` : `there ${names.length === 1 ? 'is' : 'are'} ${names.slice(0, 10).join(', ')}`;
  return new InputError('unknown-name', `${kind} '${name}'`, 'is not in the network', {
    remedy: near === undefined ? known : `did you mean ${near}?`,
  });
}

export function formatStat({ kind, rows }: StatReport, wide: boolean): string {
  if (rows.length === 0) return `There are no ${kind}s in the network.\n`;
  const columns = wide ? [...goldenColumns, ...wideColumns] : goldenColumns;
  const titles = kind === 'server' ? ['NAME', 'SERVICE'] : ['NAME'];
  return formatTable(
    [...titles, ...columns.map(([title]) => title)],
    rows.map(({ name, of, golden }) => [...(kind === 'server' ? [name, of] : [name]), ...columns.map(([, cell]) => cell(golden))]),
  );
}
