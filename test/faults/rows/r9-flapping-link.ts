import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../rig/clock.ts';
import { cpuSeconds } from '../rig/cpu.ts';
import { labMissing } from '../rig/lab.ts';
import type { Lab } from '../rig/lab.ts';
import { closed } from '../rig/link-fault.ts';
import { Backend, Load, backendPort } from '../rig/load.ts';
import type { Summary } from '../rig/load-records.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import { RouterNetwork, serviceConnector, serviceListener } from '../rig/routers.ts';
import type { FaultRouter } from '../rig/routers.ts';
import { waitUntilServed } from '../rig/served.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const ratePerSecond = 200;
const halfPeriodMs = 200;
const flappingPort = 8000;
const calmPort = 8001;

interface Flapping {
  /** Computations of paths per minute: the router with the most. */
  readonly runsPerMinute: number;
  /** Of a core: the router with the most, above what it used before. */
  readonly cpuPercent: number;
  /** While nothing happens at all. */
  readonly quiet: Summary;
  /** While a wire without a link is closed and opened in the same way: what the rig itself costs on the same machine is no effect of the link. */
  readonly before: Summary;
  readonly during: Summary;
  /** Requests whose shortest way is the flapping link. */
  readonly across: Summary;
}

/** Path computations so far. A skupper-router logs each. */
async function pathRuns(router: FaultRouter): Promise<number> {
  if (router.kind.name === 'skupper-router') return router.program.findAll(/Computed next hops/).length;
  const { results } = await router.manage<{ results: { pathComputations: number }[] }>('QUERY', 'router');
  return results[0].pathComputations;
}

/** Closes and opens a wire by turns; it is open afterwards. */
async function toggle(context: RowContext, lab: Lab, wire: readonly [string, string], forMs: number): Promise<void> {
  const fromMs = monotonicMs();
  for (let turn = 0; turn * halfPeriodMs < forMs; turn++) {
    context.signal.throwIfAborted();
    await (turn % 2 === 0 ? lab.fault(...wire, closed) : lab.heal(...wire));
    await sleep(Math.max(0, fromMs + (turn + 1) * halfPeriodMs - monotonicMs()));
  }
  await lab.heal(...wire);
}

/** A triangle a, b, c and d beside c: the link a-b flaps; requests from c to d do not touch it. Between b and d is a wire without a link. */
async function flap(context: RowContext, kind: RouterKind, forMs: number, baselineMs: number): Promise<Flapping> {
  await using lab: Lab = await context.lab([
    ['a', 'b'],
    ['a', 'c'],
    ['c', 'b'],
    ['c', 'd'],
    ['b', 'd'],
  ]);
  const [atB, atD] = [await Backend.start(lab, 'b'), await Backend.start(lab, 'd')];
  const network = await RouterNetwork.start(lab, kind, [
    { name: 'a', dials: ['b', 'c'], entities: [serviceListener('across', flappingPort)] },
    { name: 'b', entities: [serviceConnector('across', backendPort)] },
    { name: 'c', dials: ['b', 'd'], entities: [serviceListener('calm', calmPort)] },
    { name: 'd', entities: [serviceConnector('calm', backendPort)] },
  ]);
  const { routers } = network;
  const [a, b, c, d] = routers;
  await Promise.all([a.uses([b, c]), c.uses([b, d])]);
  await waitUntilServed(lab, 'a', flappingPort);
  await waitUntilServed(lab, 'c', calmPort);
  const across = await Load.start(lab, 'a', { ports: [flappingPort], ratePerSecond: ratePerSecond / 4, firstId: 1_000_001 });
  const calm = await Load.start(lab, 'c', { ports: [calmPort], ratePerSecond });
  // Compiling and collecting of the start are no baseline.
  await sleep(5000);
  const quietFromMs = monotonicMs();
  await sleep(baselineMs, undefined, { signal: context.signal });
  const [baselineFromMs, cpuFrom] = [monotonicMs(), routers.map((router) => cpuSeconds([router]))];
  await toggle(context, lab, ['b', 'd'], baselineMs);
  const [flapFromMs, runsFrom, cpuMiddle] = [
    monotonicMs(),
    await Promise.all(routers.map(async (router) => await pathRuns(router))),
    routers.map((router) => cpuSeconds([router])),
  ];
  await toggle(context, lab, ['a', 'b'], forMs);
  const flapToMs = monotonicMs();
  const runs = await Promise.all(routers.map(async (router, index) => (await pathRuns(router)) - runsFrom[index]));
  const flapSeconds = (flapToMs - flapFromMs) / 1000;
  const cpuPercents = routers.map((router, index) => {
    const during = (cpuSeconds([router]) - cpuMiddle[index]) / flapSeconds;
    return 100 * (during - (cpuMiddle[index] - cpuFrom[index]) / ((flapFromMs - baselineFromMs) / 1000));
  });
  const [calmRecords, acrossRecords] = [await calm.stop([atD]), await across.stop([atB])];
  return {
    // Most of them come at the beginning: a shorter run is not stretched to a minute.
    runsPerMinute: Math.round((Math.max(...runs) * 60) / Math.max(60, flapSeconds)),
    cpuPercent: Math.round(Math.max(...cpuPercents) * 10) / 10,
    quiet: calmRecords.between(quietFromMs, baselineFromMs).summary(),
    before: calmRecords.between(baselineFromMs, flapFromMs).summary(),
    during: calmRecords.between(flapFromMs, flapToMs).summary(),
    across: acrossRecords.between(flapFromMs, flapToMs).summary(),
  };
}

function ratio({ before, during }: Flapping): number {
  return Math.round((during.p99Ms / before.p99Ms) * 100) / 100;
}

async function run(context: RowContext): Promise<Measured> {
  const [forMs, baselineMs] = context.fast ? [15_000, 8_000] : [60_000, 30_000];
  const peers: Record<string, PeerFigures> = {};
  let own: Flapping | undefined;
  for (const kind of routerKinds(context.peers)) {
    context.note(`${forMs / 1000} s of flapping with ${kind.name}`);
    const result = await flap(context, kind, forMs, baselineMs);
    if (kind.name === 'caravan') own = result;
    else
      peers[kind.name] = {
        'path runs/min': result.runsPerMinute,
        'p99 ratio': ratio(result),
        'cpu %': result.cpuPercent,
        'failed elsewhere': result.during.failed,
        'failed across': result.across.failed,
      };
  }
  if (own === undefined) throw new Error('Caravan was not measured');
  return {
    figures: [
      { name: 'path computations per minute', value: own.runsPerMinute, unit: '', floor: 20 },
      { name: 'failed on other ways', value: own.during.failed, unit: '', floor: 0 },
      { name: 'p99 on other ways, ratio to before', value: ratio(own), unit: '', goal: 1.2 },
      { name: 'CPU above before', value: own.cpuPercent, unit: '%', goal: 20 },
    ],
    peers,
    detail: { quiet: own.quiet, before: own.before, during: own.during, across: own.across },
  };
}

export const flappingLink: Row = {
  id: 'R9',
  title: 'a link is closed and opened every 200 ms for 60 s',
  floor: '≤ 20 path computations per minute and router, other flows unharmed',
  goal: 'p99 of other flows ≤ 1.2 times, CPU ≤ 20 % of a core',
  fast: true,
  shortened: '15 s',
  limitSeconds: { full: 360, fast: 80 },
  missing: labMissing,
  run,
};
