import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../rig/clock.ts';
import { labMissing } from '../rig/lab.ts';
import { bothWays, silent } from '../rig/link-fault.ts';
import { Backend, Load, backendPort } from '../rig/load.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import { RouterNetwork, serviceConnector, serviceListener } from '../rig/routers.ts';
import { waitUntilServed } from '../rig/served.ts';
import { Shaper } from '../rig/shaper.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const lossPercent = 7;
const delayMs = 250;
const jitterMs = 750;
/** 1 Mbit/s. */
const bytesPerSecond = 125_000;
const badMs = { full: 600_000, fast: 15_000 };
const peerBadMs = 120_000;
const silentMs = { full: 20_000, fast: 6000 };
const shaperPort = 7000;
const servicePort = 8000;
const leaves = ['a', 'c', 'd', 'e'];
const ratePerSecond = 5;
const returnLimitMs = 30_000;

interface BadLine {
  /** From the end of everything bad to the last of the leaves being linked at both ends. */
  readonly returnMs: number;
  readonly linksLost: number;
  readonly failedWhileBad: number;
  readonly sentWhileBad: number;
  readonly failedAfter: number;
  /** Most of the leaves whose dials came in one tenth of a second, once the line was back. */
  readonly dialsAtOnce: number;
}

/** Four leaves dial a hub over one bad line, which then goes silent, and is good again. */
async function suffer(context: RowContext, kind: RouterKind): Promise<BadLine> {
  await using lab = await context.lab([['line', 'b'], ...leaves.map((leaf): readonly [string, string] => [leaf, 'line'])]);
  const backend = await Backend.start(lab, 'b');
  const shaper = await Shaper.start(lab, { host: 'line', port: shaperPort, targetHost: lab.address('b', 'line'), targetPort: 5671 });
  const plans = [
    { name: 'b', entities: [serviceConnector('service', backendPort)] },
    ...leaves.map((name) => ({
      name,
      dials: [{ to: 'b', via: { host: lab.address('line', name), port: shaperPort } }],
      entities: [serviceListener('service', servicePort)],
    })),
  ];
  const network = await RouterNetwork.start(lab, kind, plans);
  const hub = network.router('b');
  const routers = leaves.map((leaf) => network.router(leaf));
  await Promise.all(routers.map(async (router) => await router.uses([hub])));
  await waitUntilServed(lab, 'a', servicePort);
  const load = await Load.start(lab, 'a', { ports: [servicePort], ratePerSecond, timeoutMs: 20_000 });
  const bad = { delayMs, jitterMs, bytesPerSecond };
  const startMs = monotonicMs();
  await shaper.set({ toTarget: bad, fromTarget: bad });
  await Promise.all(leaves.map(async (leaf) => await lab.fault(leaf, 'line', bothWays({ kind: 'lose', percent: lossPercent }))));
  const untilMs = startMs + (context.fast ? badMs.fast : kind.name === 'caravan' ? badMs.full : peerBadMs);
  while (monotonicMs() < untilMs) {
    context.signal.throwIfAborted();
    await sleep(500);
  }
  // Now nothing gets through, long enough that all links are given up.
  await Promise.all(leaves.map(async (leaf) => await lab.fault(leaf, 'line', silent)));
  await sleep(context.fast ? silentMs.fast : silentMs.full);
  const linksLost = routers.reduce((sum, router) => sum + router.program.findAll(kind.left(hub.id), startMs).length, 0);
  await shaper.set({});
  await Promise.all(leaves.map(async (leaf) => await lab.heal(leaf, 'line')));
  const healedMs = monotonicMs();
  const back = await Promise.all(
    routers.map(
      async (router) =>
        await router.program.logged(kind.uses(hub.id), { sinceMs: healedMs - 50, timeoutMs: returnLimitMs }).then(({ atMs }) => atMs),
    ),
  ).catch(() => [healedMs + returnLimitMs]);
  await sleep(3000);
  const afterMs = monotonicMs();
  await sleep(4000);
  const records = await load.stop([backend]);
  const whileBad = records.between(startMs, healedMs).summary();
  const buckets = new Map<number, number>();
  for (const atMs of back) buckets.set(Math.floor(atMs / 100), (buckets.get(Math.floor(atMs / 100)) ?? 0) + 1);
  return {
    returnMs: Math.max(...back) - healedMs,
    linksLost,
    failedWhileBad: whileBad.failed,
    sentWhileBad: whileBad.sent,
    failedAfter: records.between(afterMs, monotonicMs()).summary().failed,
    dialsAtOnce: Math.max(...buckets.values()),
  };
}

async function run(context: RowContext): Promise<Measured> {
  const [own, ...others] = routerKinds(context.peers);
  const line = await suffer(context, own);
  const peers: Record<string, PeerFigures> = {};
  for (const kind of others) {
    const theirs = await suffer(context, kind).catch((error: Error) => error);
    peers[kind.name] =
      theirs instanceof Error
        ? { failed: theirs.message.split('\n')[0] }
        : { 'back after ms': Math.round(theirs.returnMs), 'links lost': theirs.linksLost, 'requests failed': theirs.failedWhileBad };
  }
  return {
    figures: [
      { name: 'all links are back after the line', value: Math.round(line.returnMs), unit: 'ms', floor: returnLimitMs - 1, goal: 10_000 },
      { name: 'requests that fail afterwards', value: line.failedAfter, unit: '', floor: 0 },
    ],
    peers,
    detail: { lossPercent, delayMs, jitterMs, bytesPerSecond, leaves: leaves.length, ...line },
  };
}

export const badLine: Row = {
  id: 'L5',
  title: 'A line with 7 % loss, 0.5 to 2 s round trip and 1 Mbit/s for 10 minutes, then silent for 20 s, then good',
  floor: 'links come back by themselves',
  goal: 'within 10 s, nothing stuck',
  fast: false,
  shortened: '15 s of a bad line, 6 s of silence',
  limitSeconds: { full: 900, fast: 60 },
  missing: labMissing,
  run,
};
