import { setTimeout as sleep } from 'node:timers/promises';
import { routerId } from '../../e2e/network.ts';
import { until } from '../../e2e/until.ts';
import { attacks } from '../../evil/attacks/all.ts';
import type { Attack } from '../../evil/attack.ts';
import { beliefOf } from '../../evil/belief.ts';
import type { AddressRow, NodeRow } from '../../evil/belief.ts';
import type { AttackOutcome } from '../../evil/evil-program.ts';
import { cpuSeconds, residentMiB } from '../rig/cpu.ts';
import { startEvil } from '../rig/evil-routers.ts';
import { labMissing } from '../rig/lab.ts';
import type { Lab } from '../rig/lab.ts';
import { Backend, backendPort } from '../rig/load.ts';
import { monotonicMs } from '../rig/clock.ts';
import { nextHopsOf } from '../rig/next-hops.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import { RouterNetwork, linkPort, serviceConnector, serviceListener } from '../rig/routers.ts';
import type { FaultRouter, RouterPlan } from '../rig/routers.ts';
import { askService, waitUntilServed } from '../rig/served.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const servicePort = 8000;
const attackSeconds = 12;
const attackTimeoutMs = 60_000;
const settledMs = 1000;
/** One of each kind, for runs on every change. */
const fastAttacks = ['k1-advertise', 'k2-unsigned', 'k2-garbage-signature', 'k5-self-made-credentials', 'update-storm'];
const inventing = 'k5-invented';
const wires: readonly (readonly [string, string])[] = [
  ['a', 'c'],
  ['c', 'b'],
  ['c', 'evil'],
];

/** What one attack did to the honest routers. */
interface Effect {
  readonly attack: string;
  /** What was believed, delivered or answered that should not have been; empty = nothing. */
  readonly accepted: readonly string[];
  readonly keptOutMs: number | null;
  readonly expected: Attack['expected'];
  readonly sent: number;
  /** Of the attack's time, of one core: the neighbour's, and the most of any other router. */
  readonly neighbourCpuPercent: number;
  readonly otherCpuPercent: number;
  /** The most that a router's memory grew. */
  readonly neighbourMiB: number;
  readonly otherMiB: number;
}

async function beliefsOf(routers: readonly FaultRouter[]): Promise<string> {
  const beliefs = routers.map(async (router) => {
    if (router.kind.name !== 'caravan')
      return JSON.stringify([...(await nextHopsOf(router))].filter(([id]) => !id.startsWith('evil')).sort());
    const query = async <T>(type: string): Promise<T> => (await router.manage<{ results: T }>('QUERY', type)).results;
    return beliefOf(await query<NodeRow[]>('router.node'), await query<AddressRow[]>('router.address'));
  });
  return (await Promise.all(beliefs)).join('\n');
}

/** The same once nothing has changed for a second: routers that have just met, or have lost somebody, are still telling each other. */
async function settledBeliefsOf(routers: readonly FaultRouter[]): Promise<string> {
  let belief = await beliefsOf(routers);
  let sinceMs = monotonicMs();
  await until(
    'the routers agree',
    async () => {
      const now = await beliefsOf(routers);
      if (now !== belief) sinceMs = monotonicMs();
      belief = now;
      return monotonicMs() - sinceMs >= settledMs;
    },
    30_000,
  );
  return belief;
}

/** The first line that is new. */
function difference(before: string, after: string): string {
  const known = new Set(before.split('\n'));
  return (
    after
      .split('\n')
      .find((line) => !known.has(line))
      ?.trim()
      .slice(0, 80) ?? 'something is missing'
  );
}

class Usage {
  readonly #routers: readonly FaultRouter[];
  readonly #cpu: readonly number[];
  readonly #baseMiB: readonly number[];
  readonly #mostMiB: number[];
  readonly #startMs = monotonicMs();

  constructor(routers: readonly FaultRouter[]) {
    this.#routers = routers;
    this.#cpu = routers.map((router) => cpuSeconds([router]));
    this.#baseMiB = routers.map(residentMiB);
    this.#mostMiB = [...this.#baseMiB];
  }

  sample(): void {
    for (const [at, router] of this.#routers.entries()) this.#mostMiB[at] = Math.max(this.#mostMiB[at], residentMiB(router));
  }

  /** Of each router: percent of a core, and MiB more than at the start. */
  result(): { readonly cpuPercent: number; readonly grownMiB: number }[] {
    this.sample();
    const seconds = (monotonicMs() - this.#startMs) / 1000;
    return this.#routers.map((router, at) => ({
      cpuPercent: Math.round(((cpuSeconds([router]) - this.#cpu[at]) / seconds) * 1000) / 10,
      grownMiB: Math.round((this.#mostMiB[at] - this.#baseMiB[at]) * 10) / 10,
    }));
  }
}

/** Whether one more router can join, which does nothing. */
async function joins(lab: Lab, network: RouterNetwork, neighbour: Parameters<typeof startEvil>[3], c: FaultRouter): Promise<void> {
  const parameters = c.kind.name === 'caravan' ? [] : ['--unsigned'];
  await using _quiet = await startEvil(lab, network, 'evilquiet', neighbour, parameters);
  await c.program.logged(c.kind.uses(routerId('evilquiet')), { timeoutMs: 10_000 });
}

/** Makes the attacks, each by an evil router of its own, and looks at what the honest ones believe meanwhile. */
async function makeAttacks(context: RowContext, lab: Lab, kind: RouterKind, chosen: readonly Attack[]): Promise<readonly Effect[]> {
  await Backend.start(lab, 'b');
  const plans: readonly RouterPlan[] = [
    { name: 'c' },
    { name: 'a', dials: ['c'], entities: [serviceListener('service', servicePort)] },
    { name: 'b', dials: ['c'], entities: [serviceConnector('service', backendPort)] },
  ];
  const network = await RouterNetwork.start(lab, kind, plans);
  const [c, a, b] = network.routers;
  await c.uses([a, b]);
  await waitUntilServed(lab, 'a', servicePort);
  const effects: Effect[] = [];
  for (const attack of chosen) {
    context.signal.throwIfAborted();
    const name = `evil${effects.length}`;
    const parameters = ['--attack', attack.name, '--seconds', String(attackSeconds), ...(kind.name === 'caravan' ? [] : ['--unsigned'])];
    const neighbour = { name: 'c', port: linkPort(plans, 'c') };
    const before = await settledBeliefsOf(network.routers);
    await using evil = await startEvil(lab, network, name, neighbour, parameters);
    await c.program.logged(kind.uses(routerId(name)));
    // It has told its records, and has heard those of others.
    await sleep(1000);
    const accepted = new Set<string>();
    const usage = new Usage(network.routers);
    let asked: Promise<void> = Promise.resolve();
    let isAsking = false;
    const outcome: AttackOutcome = await evil.attack(attackTimeoutMs, async () => {
      const belief = await beliefsOf(network.routers);
      if (belief !== before) accepted.add(`believed: ${difference(before, belief)}`);
      usage.sample();
      if (!isAsking) {
        isAsking = true;
        asked = askService(lab, 'a', servicePort).then((answer) => {
          if (!answer.startsWith('answer ')) accepted.add(`service: ${answer.slice(0, 80)}`);
          isAsking = false;
        });
      }
      await sleep(100);
    });
    await asked;
    const [ofNeighbour, ...ofOthers] = usage.result();
    if (outcome.taken > 0) accepted.add(`${outcome.taken} messages of others taken`);
    if (outcome.accepted > 0) accepted.add(`${outcome.accepted} deliveries outside its grant`);
    if (outcome.replies > 0) accepted.add(`${outcome.replies} answers of management`);
    const effect: Effect = {
      attack: attack.name,
      get accepted(): readonly string[] {
        return [...accepted];
      },
      keptOutMs: outcome.keptOutMs,
      expected: attack.expected,
      sent: outcome.sent,
      neighbourCpuPercent: ofNeighbour.cpuPercent,
      otherCpuPercent: Math.max(...ofOthers.map(({ cpuPercent }) => cpuPercent)),
      neighbourMiB: ofNeighbour.grownMiB,
      otherMiB: Math.max(...ofOthers.map(({ grownMiB }) => grownMiB)),
    };
    effects.push(effect);
    await evil[Symbol.asyncDispose]();
    if (attack.name === inventing) await joins(lab, network, neighbour, c).catch(() => accepted.add('no other router can join any more'));
    context.note(JSON.stringify({ ...effect, accepted: [...accepted] }));
    // The next attack begins with a network that works.
    await until('the network works again', async () => (await askService(lab, 'a', servicePort)).startsWith('answer '), 30_000).catch(
      () => {
        accepted.add('the service stays away');
      },
    );
  }
  return effects;
}

function most(effects: readonly Effect[], value: (effect: Effect) => number): number {
  return Math.max(...effects.map(value));
}

function peerFigures(effects: readonly Effect[]): PeerFigures {
  const accepted = effects.filter((effect) => effect.accepted.length > 0);
  return { attacks: effects.length, accepted: accepted.length, which: accepted.map(({ attack }) => attack).join(' ') };
}

async function run(context: RowContext): Promise<Measured> {
  const results = new Map<string, readonly Effect[]>();
  const wanted = context.fast ? attacks.filter(({ name }) => fastAttacks.includes(name)) : attacks;
  for (const kind of routerKinds(context.peers)) {
    await using lab = await context.lab(wires);
    const unsigned = wanted.filter(({ signs }) => !signs);
    // The last: after it a skupper-router takes no other router in any more.
    const chosen =
      kind.name === 'caravan'
        ? wanted
        : [...unsigned.filter(({ name }) => name !== inventing), ...unsigned.filter(({ name }) => name === inventing)];
    results.set(kind.name, await makeAttacks(context, lab, kind, chosen));
  }
  const effects = results.get('caravan') ?? [];
  const peer = results.get('skupper-router');
  // Those that end its link, and by when.
  const keptOut = effects.filter(({ expected }) => expected !== 'no effect').map(({ keptOutMs }) => keptOutMs ?? Infinity);
  return {
    figures: [
      { name: 'attacks accepted', value: effects.filter(({ accepted }) => accepted.length > 0).length, unit: '', floor: 0 },
      { name: 'attacks that are kept out, after at most', value: Math.max(0, ...keptOut), unit: 'ms', goal: 5000 },
      { name: 'memory of other routers', value: most(effects, ({ otherMiB }) => otherMiB), unit: 'MiB', goal: 16 },
      { name: 'CPU of other routers', value: most(effects, ({ otherCpuPercent }) => otherCpuPercent), unit: '%', goal: 10 },
      { name: "memory of the attacker's neighbour", value: most(effects, ({ neighbourMiB }) => neighbourMiB), unit: 'MiB' },
      { name: "CPU of the attacker's neighbour", value: most(effects, ({ neighbourCpuPercent }) => neighbourCpuPercent), unit: '%' },
    ],
    ...(peer === undefined ? {} : { peers: { 'skupper-router': peerFigures(peer) } }),
    detail: { attacks: effects.length, effects, ...(peer === undefined ? {} : { peer }) },
  };
}

export const spoofingSite: Row = {
  id: 'S5',
  title: 'a site with a valid identity lies, floods and forges',
  floor: '0 attacks accepted',
  goal: 'kept out in ≤ 5 s; other routers: memory ≤ +16 MiB, CPU ≤ 10 %',
  fast: true,
  shortened: '5 of the attacks',
  limitSeconds: { full: 900, fast: 60 },
  missing: labMissing,
  run,
};
