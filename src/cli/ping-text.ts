import type { PingReported, PingServers, PingStarted } from '../supervisor/site-pings.ts';
import { printableLine } from './printable.ts';
import { formatTable } from './table.ts';

/** Milliseconds as a person compares them. */
export function millisecondsText(ms: number): string {
  return `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : String(Math.round(ms))} ms`;
}

export function startedText({ kind, name, sites, left }: PingStarted): string {
  const places = sites.map((site) => {
    if (site.relation === 'self') return `${site.name} (this site)`;
    return `${site.name} (${site.nextHop === null ? 'direct' : `by ${site.nextHop.name}`}, cost ${site.cost})`;
  });
  const more = left === 0 ? '' : ` and ${left} more that are not pinged`;
  if (kind === 'service') return `Service ${printableLine(name)} is offered by ${printableLine(places.join(', '))}${more}.\n`;
  return `Pinging ${printableLine(places.join(', '))}${more}.\n`;
}

/** One answer, or what kept it from coming. */
export function answerText(answer: PingReported): string {
  const { sequence, name, outcome, roundTripMs, relation, hops, wayBack } = answer;
  const start = `#${sequence}  ${printableLine(name)}`;
  if (outcome !== 'answered' || roundTripMs === null) return `${start}  ${lossText(answer)}\n`;
  const way = hops
    .slice(0, -1)
    .map((hop) => `${printableLine(hop.name)} ${hop.roundTripMs === null ? 'silent' : millisecondsText(hop.roundTripMs)}`)
    .join(' → ');
  const by = relation === 'self' ? 'this site' : relation === 'direct' ? 'direct' : `relayed: ${way}`;
  const back = wayBack === null ? '' : `  (back by ${printableLine(wayBack.slice(1).join(' → ')) || 'another link'})`;
  return `${start}  ${millisecondsText(roundTripMs)}  ${by}${back}\n`;
}

function lossText({ outcome, reason, hops }: PingReported): string {
  switch (outcome) {
    case 'no-way':
      return `no way leads there now${reachText(hops)}`;
    case 'unable':
      if (reason !== '') return `its router does not answer: ${printableLine(reason)}`;
      return 'nobody took the ping: its router does not answer pings, or ways are changing';
    case 'limited':
      return 'not answered: this site pings too often';
    default:
      return `no answer${reachText(hops)}`;
  }
}

/** How far questions get. */
function reachText(hops: PingReported['hops']): string {
  const silent = hops.findIndex(({ outcome }) => outcome !== 'answered');
  if (silent <= 0) return '';
  return `; ${printableLine(hops[silent - 1]?.name ?? '')} answers, ${printableLine(hops[silent]?.name ?? '')} does not`;
}

export function serversText({ name, servers, reason }: PingServers): string {
  const who = printableLine(name);
  if (reason !== '') return `${who}: whether its servers accept connections is not known: ${printableLine(reason)}\n`;
  if (servers.length === 0) return `${who}: consumers of messages, no servers to connect to\n`;
  return servers
    .map(({ type, connectMs, failure }) => {
      if (connectMs !== undefined) return `${who}: its server accepted a connection in ${millisecondsText(connectMs)}\n`;
      if (failure !== undefined) return `${who}: its server does not accept connections: ${printableLine(failure)}\n`;
      return `${who}: its server was not tried (${type === 'udpConnector' ? 'UDP' : 'it is started when it is needed'})\n`;
    })
    .join('');
}

/** What all pings to one site came to. */
export interface PingSummary {
  readonly type: 'summary';
  readonly routerId: string;
  readonly name: string;
  readonly sent: number;
  readonly answered: number;
  /** 0 to 1. */
  readonly loss: number;
  readonly minMs: number | null;
  readonly avgMs: number | null;
  readonly maxMs: number | null;
  /** The way of the last answer, nearest first, the site last. */
  readonly hops: readonly HopSummary[];
}

export interface HopSummary {
  readonly routerId: string;
  readonly name: string;
  readonly asked: number;
  readonly answered: number;
  readonly minMs: number | null;
  readonly avgMs: number | null;
  readonly maxMs: number | null;
  /** What this hop adds to the least time of the one before. */
  readonly addsMs: number | null;
}

/** The answers of one site. */
export function summarize(answers: readonly PingReported[]): PingSummary | undefined {
  const [first] = answers;
  if (first === undefined) return undefined;
  const times = answers.flatMap(({ roundTripMs }) => roundTripMs ?? []);
  const last = answers.findLast(({ outcome }) => outcome === 'answered') ?? first;
  const tries = new Map<string, PingReported['hops'][number][]>();
  for (const { hops } of answers) {
    for (const hop of hops) if (hop.outcome !== 'not-asked') tries.set(hop.routerId, [...(tries.get(hop.routerId) ?? []), hop]);
  }
  let before: number | null = 0;
  const hops = last.hops.map(({ routerId, name }): HopSummary => {
    const own = tries.get(routerId) ?? [];
    const hopTimes = own.flatMap(({ roundTripMs }) => roundTripMs ?? []);
    const range = rangeOf(hopTimes);
    const addsMs = range.minMs === null || before === null ? null : Math.max(0, range.minMs - before);
    before = range.minMs;
    return { routerId, name, asked: own.length, answered: hopTimes.length, ...range, addsMs };
  });
  return {
    type: 'summary',
    routerId: first.routerId,
    name: first.name,
    sent: answers.length,
    answered: times.length,
    loss: 1 - times.length / answers.length,
    ...rangeOf(times),
    hops,
  };
}

function rangeOf(times: readonly number[]): {
  readonly minMs: number | null;
  readonly avgMs: number | null;
  readonly maxMs: number | null;
} {
  if (times.length === 0) return { minMs: null, avgMs: null, maxMs: null };
  let [minMs, maxMs, sum] = [Infinity, -Infinity, 0];
  for (const time of times) {
    minMs = Math.min(minMs, time);
    maxMs = Math.max(maxMs, time);
    sum += time;
  }
  return { minMs, avgMs: sum / times.length, maxMs };
}

export function summaryText({ name, sent, answered, loss, minMs, avgMs, maxMs, hops }: PingSummary): string {
  const times = [minMs, avgMs, maxMs].map(cell).join(' / ');
  const line = `\n${printableLine(name)}: ${sent} sent, ${answered} answered, ${Math.round(loss * 100)} % lost, min/avg/max ${times}\n`;
  if (hops.length < 2) return line;
  const rows = hops.map((hop, index) => [
    String(index + 1),
    hop.name,
    hop.asked === 0 ? '-' : `${Math.round((1 - hop.answered / hop.asked) * 100)} %`,
    cell(hop.minMs),
    cell(hop.avgMs),
    cell(hop.maxMs),
    cell(hop.addsMs),
  ]);
  return `${line}${formatTable(['HOP', 'SITE', 'LOST', 'MIN', 'AVG', 'MAX', 'ADDS'], rows)}`;
}

function cell(ms: number | null): string {
  return ms === null ? '-' : millisecondsText(ms);
}
