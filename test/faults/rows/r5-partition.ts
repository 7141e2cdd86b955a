import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../rig/clock.ts';
import { labMissing } from '../rig/lab.ts';
import type { Lab } from '../rig/lab.ts';
import { closed, silent } from '../rig/link-fault.ts';
import type { LinkFault } from '../rig/link-fault.ts';
import { Backend, Load, backendPort } from '../rig/load.ts';
import type { Summary } from '../rig/load-records.ts';
import { converged } from '../rig/next-hops.ts';
import type { Graph } from '../rig/next-hops.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import { RouterNetwork, serviceConnector, serviceListener } from '../rig/routers.ts';
import { waitUntilServed } from '../rig/served.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const ratePerSecond = 50;
const servicePort = 8000;
/** Two rings of four, and three links between them. */
const halves: Graph = [
  ['r1', 'r2'],
  ['r2', 'r3'],
  ['r3', 'r4'],
  ['r4', 'r1'],
  ['r5', 'r6'],
  ['r6', 'r7'],
  ['r7', 'r8'],
  ['r8', 'r5'],
];
const bridges: Graph = [
  ['r1', 'r5'],
  ['r2', 'r6'],
  ['r3', 'r7'],
];
const convergeTimeoutMs = 60_000;
const partitionMs = 5000;

interface Round {
  readonly fault: 'silent' | 'closed';
  readonly partMs: number;
  readonly healMs: number;
}

interface Partitions {
  readonly rounds: readonly Round[];
  /** Requests within one half, all the time. */
  readonly inside: Summary;
}

async function partition(context: RowContext, kind: RouterKind, times: number): Promise<Partitions> {
  await using lab: Lab = await context.lab([...halves, ...bridges]);
  const backend = await Backend.start(lab, 'r4');
  const whole: Graph = [...halves, ...bridges];
  const names = [...new Set(whole.flat())].toSorted();
  const plans = names.map((name) => ({
    name,
    dials: whole.filter(([from]) => from === name).map(([, to]) => to),
    entities: name === 'r2' ? [serviceListener('service', servicePort)] : name === 'r4' ? [serviceConnector('service', backendPort)] : [],
  }));
  const network = await RouterNetwork.start(lab, kind, plans);
  const { routers } = network;
  await converged(whole, routers, monotonicMs(), convergeTimeoutMs);
  await waitUntilServed(lab, 'r2', servicePort);
  const load = await Load.start(lab, 'r2', { ports: [servicePort], ratePerSecond });
  const rounds: Round[] = [];
  const faults: readonly (readonly ['silent' | 'closed', LinkFault])[] = [
    ['silent', silent],
    ['closed', closed],
  ];
  for (let time = 0; time < times; time++) {
    for (const [name, fault] of faults) {
      context.signal.throwIfAborted();
      const partedMs = monotonicMs();
      await Promise.all(bridges.map(async ([left, right]) => await lab.fault(left, right, fault)));
      const partMs = await converged(halves, routers, partedMs, convergeTimeoutMs);
      await sleep(Math.max(0, partedMs + partitionMs - monotonicMs()));
      const healedMs = monotonicMs();
      await Promise.all(bridges.map(async ([left, right]) => await lab.heal(left, right)));
      const healMs = await converged(whole, routers, healedMs, convergeTimeoutMs);
      rounds.push({ fault: name, partMs: Math.round(partMs), healMs: Math.round(healMs) });
      await sleep(2000);
    }
  }
  const records = await load.stop([backend]);
  return { rounds, inside: records.summary() };
}

function worst({ rounds }: Partitions, fault: Round['fault'], what: 'partMs' | 'healMs'): number {
  return Math.max(...rounds.filter((round) => round.fault === fault).map((round) => round[what]));
}

async function run(context: RowContext): Promise<Measured> {
  const times = context.fast ? 1 : 4;
  const peers: Record<string, PeerFigures> = {};
  let own: Partitions | undefined;
  for (const kind of routerKinds(context.peers)) {
    context.note(`${2 * times} partitions with ${kind.name}`);
    const result = await partition(context, kind, times);
    if (kind.name === 'caravan') own = result;
    else
      peers[kind.name] = {
        'healed, was silent ms': worst(result, 'silent', 'healMs'),
        'healed, was closed ms': worst(result, 'closed', 'healMs'),
        'parted, silent ms': worst(result, 'silent', 'partMs'),
        'parted, closed ms': worst(result, 'closed', 'partMs'),
        'failed inside a half': result.inside.failed,
      };
  }
  if (own === undefined) throw new Error('Caravan was not measured');
  const figure = (name: string, fault: Round['fault'], what: 'partMs' | 'healMs') => ({
    name,
    value: worst(own, fault, what),
    unit: 'ms',
    floor: 5000,
    goal: 1000,
  });
  return {
    // Each time ends when every next hop of every router is right and stays so: none is wrong afterwards.
    figures: [
      figure('healed, was silent', 'silent', 'healMs'),
      figure('healed, was closed', 'closed', 'healMs'),
      { ...figure('parted, silent (with its detection)', 'silent', 'partMs'), goal: 2500 },
      figure('parted, closed', 'closed', 'partMs'),
      { name: 'failed inside a half', value: own.inside.failed, unit: '', goal: 0 },
    ],
    peers,
    detail: { rounds: own.rounds, inside: own.inside },
  };
}

export const partitionAndHeal: Row = {
  id: 'R5',
  title: 'eight routers, cut into halves and healed',
  floor: 'right next hops everywhere in ≤ 5 s',
  goal: '≤ 1 s, no wrong next hop afterwards',
  fast: true,
  shortened: 'one partition of each kind',
  limitSeconds: { full: 600, fast: 110 },
  missing: labMissing,
  run,
};
