import { setTimeout as sleep } from 'node:timers/promises';
import { labMissing } from '../rig/lab.ts';
import type { Lab } from '../rig/lab.ts';
import { closed } from '../rig/link-fault.ts';
import { Load } from '../rig/load.ts';
import type { Gap, LoadRecords, Summary } from '../rig/load-records.ts';
import { monotonicMs } from '../rig/clock.ts';
import { NatsCluster, natsMissing } from '../rig/nats.ts';
import { percentile } from '../rig/percentile.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import { startTriangle, triangleWires } from '../rig/triangle.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const ratePerSecond = 200;
/** The link stays closed for this long, which is where the effect of a cut is looked for: long enough for the slowest to go round it. */
const closedForMs = { full: 8000, fast: 1500 };
/** A nats-server tries a lost route again each second. */
const natsReconnectMs = 3000;
/** Between cuts, after the link is used again. */
const restMs = 500;

interface Cuts {
  readonly gaps: readonly Gap[];
  readonly summary: Summary;
  /** Requests begun more than a second after a cut that failed. */
  readonly lateFailures: number;
}

/** A triangle: a reaches the server at b by the link a-b (cost 1) or by c (cost 2). */
async function cutLinks(context: RowContext, kind: RouterKind, cuts: number): Promise<Cuts> {
  const closedMs = context.fast ? closedForMs.fast : closedForMs.full;
  await using lab: Lab = await context.lab(triangleWires);
  const { a, b, backend, port } = await startTriangle(lab, kind);
  const load = await Load.start(lab, 'a', { ports: [port], ratePerSecond });
  await sleep(1000);
  const cutsAtMs: number[] = [];
  for (let cut = 0; cut < cuts; cut++) {
    context.signal.throwIfAborted();
    const atMs = monotonicMs();
    cutsAtMs.push(atMs);
    await lab.fault('a', 'b', closed);
    await sleep(atMs + closedMs - monotonicMs());
    const healedMs = monotonicMs();
    await lab.heal('a', 'b');
    await Promise.all([a.uses([b], healedMs), b.uses([a], healedMs)]);
    await sleep(restMs);
  }
  return effects(await load.stop([backend]), cutsAtMs, closedMs);
}

/** NATS has no ways over a third server: requests wait for the route itself. */
async function cutNatsRoutes(context: RowContext, cuts: number): Promise<Cuts> {
  const closedMs = context.fast ? closedForMs.fast : closedForMs.full;
  await using lab: Lab = await context.lab(triangleWires);
  const cluster = await NatsCluster.start(
    lab,
    ['a', 'b', 'c'].map((host) => ({ host, index: 0 })),
  );
  const responder = await cluster.respond('b', [1]);
  await sleep(natsReconnectMs);
  const load = await cluster.load('a', [0], ratePerSecond);
  await sleep(1000);
  const cutsAtMs: number[] = [];
  for (let cut = 0; cut < cuts; cut++) {
    context.signal.throwIfAborted();
    const atMs = monotonicMs();
    cutsAtMs.push(atMs);
    await lab.fault('a', 'b', closed);
    await sleep(atMs + closedMs - monotonicMs());
    await lab.heal('a', 'b');
    await sleep(natsReconnectMs);
  }
  return effects(await load.stop([responder]), cutsAtMs, closedMs);
}

function effects(records: LoadRecords, cutsAtMs: readonly number[], closedMs: number): Cuts {
  const gaps = cutsAtMs.map((atMs) => records.gap(atMs, atMs + closedMs));
  const lateFailures = records.failures.filter(
    ([, startMs]) => !cutsAtMs.some((atMs) => startMs >= atMs - 1000 && startMs < atMs + 1000),
  ).length;
  return { gaps, summary: records.summary(), lateFailures };
}

function gapsMs({ gaps }: Cuts): { p50Ms: number; p99Ms: number } {
  const values = gaps.map(({ ms }) => ms);
  return { p50Ms: Math.round(percentile(values, 50)), p99Ms: Math.round(percentile(values, 99)) };
}

function asPeer(cuts: Cuts): PeerFigures {
  const { p50Ms, p99Ms } = gapsMs(cuts);
  return {
    'gap p50 ms': p50Ms,
    'gap p99 ms': p99Ms,
    failed: cuts.summary.failed,
    'failed before a server': cuts.summary.failedBeforeServer,
  };
}

async function run(context: RowContext): Promise<Measured> {
  const cuts = context.fast ? 5 : 20;
  const peers: Record<string, PeerFigures> = {};
  let own: Cuts | undefined;
  for (const kind of routerKinds(context.peers)) {
    context.note(`${cuts} cuts with ${kind.name}`);
    const result = await cutLinks(context, kind, cuts);
    if (kind.name === 'caravan') own = result;
    else peers[kind.name] = asPeer(result);
  }
  if (context.peers && natsMissing() === undefined) {
    context.note(`${cuts} cuts with nats-server`);
    peers['nats-server'] = asPeer(await cutNatsRoutes(context, cuts));
  }
  if (own === undefined) throw new Error('Caravan was not measured');
  const { p50Ms, p99Ms } = gapsMs(own);
  return {
    figures: [
      { name: 'gap p99', value: p99Ms, unit: 'ms', floor: 1000, goal: 100 },
      { name: 'failed later than 1 s after a cut', value: own.lateFailures, unit: '', floor: 0 },
      { name: 'failed before a server', value: own.summary.failedBeforeServer, unit: '', goal: 0 },
    ],
    peers,
    detail: { cuts, gapP50Ms: p50Ms, ...own.summary, gaps: own.gaps.map(({ ms }) => Math.round(ms)) },
  };
}

export const closedLink: Row = {
  id: 'R1',
  title: 'a link is closed under 200 requests/s; another way exists',
  floor: 'gap ≤ 1 s, none fails after it',
  goal: 'gap p99 ≤ 100 ms, none fails that had not reached a server',
  fast: true,
  shortened: '5 cuts',
  limitSeconds: { full: 800, fast: 70 },
  missing: labMissing,
  run,
};
