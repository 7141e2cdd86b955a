import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../rig/clock.ts';
import { HaproxyPair, haproxyMissing } from '../rig/haproxy-pair.ts';
import { labMissing } from '../rig/lab.ts';
import type { Lab } from '../rig/lab.ts';
import { Backend, Load } from '../rig/load.ts';
import type { Summary } from '../rig/load-records.ts';
import { waitUntilServed } from '../rig/served.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import { serviceConnector, serviceListener } from '../rig/routers.ts';
import { Streams, echoPort, startEcho } from '../rig/streams.ts';
import { startTwoSites, twoSitesWires } from '../rig/two-sites.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const ratePerSecond = 500;
/** Between the restart of one router and the next, once its links stand. */
const restMs = 1000;
const drainGraceMs = 60_000;

const drainSeconds = 5;
const streamCount = 8;
const streamBytesPerSecond = 5000;
const echoServicePort = 8010;
/** Deadlines of the router are kept to within this time. */
const deadlineToleranceMs = 300;

interface Restarts {
  readonly restarts: number;
  readonly summary: Summary;
  /** Long connections through a router that was told to stop which were cut before the end of its drain time. */
  readonly cutEarly: number;
  readonly othersCut: number;
}

async function restartRouters(context: RowContext, kind: RouterKind, requests: number): Promise<Restarts> {
  await using lab: Lab = await context.lab(twoSitesWires);
  await startEcho(lab, 'b');
  const { routers, backend, ports, peersOf } = await startTwoSites(lab, kind, {
    parameters: ['--drain-timeout', `${drainSeconds}s`],
    entities: ({ name, host }) =>
      Promise.resolve(
        host === 'b' ? [serviceConnector('echo', echoPort)] : name === 'a1' ? [serviceListener('echo', echoServicePort)] : [],
      ),
  });
  const load = await Load.start(lab, 'a', { ports, ratePerSecond });
  await sleep(1000);
  const endMs = monotonicMs() + (requests / ratePerSecond) * 1000;
  let restarts = 0;
  while (monotonicMs() < endMs) {
    context.signal.throwIfAborted();
    const router = routers[[0, 2, 1, 3][restarts % 4]];
    await router.stop(drainGraceMs);
    const restartedMs = monotonicMs();
    await router.start();
    await router.uses(peersOf(router), restartedMs);
    restarts++;
    await sleep(restMs);
  }
  const summary = (await load.stop([backend])).summary();
  if (kind.name !== 'caravan') return { restarts, summary, cutEarly: 0, othersCut: 0 };
  // Half of the streams end at b1: they live for as long as it may drain, the others for ever.
  await waitUntilServed(lab, 'a', echoServicePort);
  const streams = await Streams.start(lab, 'a', [echoServicePort], streamCount, streamBytesPerSecond);
  await sleep(1000);
  const stoppedMs = monotonicMs();
  await routers[2].stop(drainGraceMs);
  const deadlineMs = stoppedMs + drainSeconds * 1000 - deadlineToleranceMs;
  const cuts = (await streams.stop()).flatMap(({ cut }) => (cut === undefined ? [] : [cut]));
  return {
    restarts,
    summary,
    cutEarly: cuts.filter(({ atMs }) => atMs < deadlineMs).length,
    othersCut: Math.max(0, cuts.length - streamCount / 2),
  };
}

/** HAProxy in place of the routers, one process at each site, reloaded in turn. */
async function reloadHaproxy(context: RowContext, requests: number): Promise<Restarts> {
  await using lab: Lab = await context.lab(twoSitesWires);
  const backend = await Backend.start(lab, 'b');
  const pair = await HaproxyPair.start(lab);
  await waitUntilServed(lab, 'a', pair.port);
  const load = await Load.start(lab, 'a', { ports: [pair.port], ratePerSecond });
  await sleep(1000);
  const endMs = monotonicMs() + (requests / ratePerSecond) * 1000;
  let restarts = 0;
  while (monotonicMs() < endMs) {
    context.signal.throwIfAborted();
    pair.reload(restarts % 2);
    restarts++;
    await sleep(restMs + 1000);
  }
  return { restarts, summary: (await load.stop([backend])).summary(), cutEarly: 0, othersCut: 0 };
}

function asPeer({ restarts, summary }: Restarts): PeerFigures {
  return { failed: summary.failed, sent: summary.sent, restarts, 'p99 ms': summary.p99Ms };
}

async function run(context: RowContext): Promise<Measured> {
  const requests = context.fast ? 10_000 : 100_000;
  const peers: Record<string, PeerFigures> = {};
  let own: Restarts | undefined;
  for (const kind of routerKinds(context.peers)) {
    context.note(`${requests} requests with ${kind.name}`);
    const result = await restartRouters(context, kind, requests);
    if (kind.name === 'caravan') own = result;
    else peers[kind.name] = asPeer(result);
  }
  if (context.peers && haproxyMissing() === undefined) {
    context.note(`${requests} requests with haproxy`);
    peers['haproxy (reload)'] = asPeer(await reloadHaproxy(context, requests));
  }
  if (own === undefined) throw new Error('Caravan was not measured');
  const { summary, restarts, cutEarly, othersCut } = own;
  return {
    figures: [
      { name: `failed of ${summary.sent}`, value: summary.failed, unit: '', floor: Math.floor(summary.sent / 100_000), goal: 0 },
      { name: `streams cut before the drain time of ${drainSeconds} s`, value: cutEarly, unit: '', goal: 0 },
      { name: 'streams cut that did not go through it', value: othersCut, unit: '', goal: 0 },
    ],
    peers,
    detail: { restarts, ...summary },
  };
}

export const rollingRestart: Row = {
  id: 'D1',
  title: 'every router is restarted in turn, with drain, under 500 requests/s',
  floor: 'at most 1 of 100,000 requests fails',
  goal: 'none fails; long connections live to the end of the drain time',
  fast: true,
  shortened: '10,000 requests',
  limitSeconds: { full: 1200, fast: 80 },
  missing: labMissing,
  run,
};
