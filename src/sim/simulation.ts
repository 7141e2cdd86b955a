import { allCheckers } from './checkers/all.ts';
import { Expectation, convergenceBoundMs, cutBoundMs, pathBackOffMs, repairBoundMs } from './convergence.ts';
import { FaultInjector } from './fault-injector.ts';
import { HostileRouter } from './hostile-router.ts';
import type { Machine } from './machine.ts';
import { planOf, treatmentPrefixes } from './plan.ts';
import type { Plan, PlanOptions } from './plan.ts';
import { SeededRandom } from './seeded-random.ts';
import type { Direction } from './virtual-link.ts';
import { World } from './world.ts';
import type { Violation } from './world.ts';

/** What a run found: one line of JSON. */
export interface SimulationResult {
  readonly seed: number;
  readonly routers: number;
  readonly traceHash: string;
  readonly events: number;
  readonly virtualMs: number;
  /** Routing messages beside HELLO that one change of topology of a quiet core costs, each at each receiver. */
  readonly messagesPerChange: number | null;
  /** After the healing, then after each cut and each repair. */
  readonly convergenceMs: readonly number[];
  readonly violations: readonly Violation[];
}

/** How often it is looked whether the core agrees. */
const checkEveryMs = 50;
/** Clean changes of topology whose cost is measured. */
const cleanChanges = 2;
/** After a storm routers compute paths at once again when there was quiet for twice their longest pause. */
const calmMs: number = 2 * pathBackOffMs + 1000;
/** After probes and changes everything on its way has come to its end. */
const quietMs = 6000;
/** A part that is cut off is noticed by AMQP's idle time-out, at both ends and over two hops. */
const goneNoticedMs = 24_000;

/** One run: anything may fail and nothing wrong may happen; then a core is healed and must converge and deliver. */
export class Simulation {
  readonly plan: Plan;
  readonly world: World;
  readonly #injector: FaultInjector;
  readonly #random: SeededRandom;
  readonly #convergenceMs: number[] = [];
  #messages = 0;
  #changes = 0;
  #trafficRuns = true;
  #healedAtMs = 0;

  constructor(options: PlanOptions) {
    this.plan = planOf(options);
    const random = new SeededRandom(options.seed);
    this.world = new World(this.plan, allCheckers());
    this.#random = random.split('traffic');
    for (const machine of this.world.machines) machine.start();
    const hostile =
      this.plan.hostileAt === undefined ? undefined : new HostileRouter(this.world, this.world.machines[this.plan.hostileAt], this.world);
    this.#injector = new FaultInjector(this.world, random.split('injector'), hostile);
    this.#scheduleTraffic(this.plan.traffic.messagesPerSecond, this.#random.split('message times'), () => this.#sendMessage());
    this.#scheduleTraffic(this.plan.traffic.streamsPerSecond, this.#random.split('stream times'), () => this.#openStream());
  }

  run(): SimulationResult {
    const { world } = this;
    const { network } = world;
    try {
      network.run(this.plan.safetyMs);
      this.#injector.heal();
      this.#healedAtMs = network.nowMs;
      this.#trafficRuns = false;
      if (this.#converges('the healing', new Set(), network.nowMs, convergenceBoundMs)) {
        this.#quietChanges();
        if (this.plan.revocation !== undefined) this.#restart();
        this.#probe();
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      world.violations.push({ checker: 'no exception', atMs: world.elapsedMs, text: error.stack ?? error.message });
    }
    return {
      seed: this.plan.seed,
      routers: this.plan.routers,
      traceHash: network.hash.hex,
      events: network.events,
      virtualMs: Math.round(world.elapsedMs),
      messagesPerChange: this.#changes === 0 ? null : Math.round(this.#messages / this.#changes),
      convergenceMs: this.#convergenceMs,
      violations: world.violations,
    };
  }

  get #failed(): boolean {
    return this.world.violations.length > 0;
  }

  #scheduleTraffic(perSecond: number, random: SeededRandom, work: () => void): void {
    const { network } = this.world;
    const next = (): void => {
      network.at((-Math.log(1 - random.number()) * 1000) / perSecond, () => {
        if (!this.#trafficRuns) return;
        work();
        next();
      });
    };
    next();
  }

  #pickRunning(random: SeededRandom): Machine | undefined {
    const machine = random.pick(this.world.machines);
    return machine.process === undefined || machine.process.isPaused ? undefined : machine;
  }

  #sendMessage(): void {
    const { world, plan } = this;
    const random = this.#random;
    const machine = this.#pickRunning(random);
    const address = random.pick(world.messageAddresses);
    const bytes = random.below(plan.traffic.maxMessageBytes);
    const preSettled = random.chance(plan.traffic.preSettledShare);
    const streaming = random.chance(0.3);
    if (machine?.process !== undefined) world.messages.send(machine, machine.process, address, bytes, preSettled, streaming);
  }

  #openStream(): void {
    const { world, plan } = this;
    const random = this.#random;
    const machine = this.#pickRunning(random);
    const address = random.pick(world.tcpAddresses);
    const listener = machine && world.listener(machine, address);
    if (machine?.process === undefined || listener === undefined) return;
    world.streams.connect(machine, machine.process, listener, address, plan.traffic.maxStreamBytes);
  }

  /** Lets time pass until the core is as it should be, for as long as it may take. */
  #converges(after: string, without: ReadonlySet<number>, startMs: number, boundMs: number): boolean {
    const { world } = this;
    const { network } = world;
    const expectation = new Expectation(world, without);
    let difference = expectation.difference();
    while (difference !== undefined && !this.#failed && network.nowMs - startMs < boundMs) {
      network.run(checkEveryMs);
      difference = expectation.difference();
    }
    if (this.#failed) return false;
    this.#convergenceMs.push(network.nowMs - startMs);
    if (difference === undefined) return true;
    world.violations.push({
      checker: 'convergence',
      atMs: world.elapsedMs,
      text: `${boundMs} ms after ${after}: ${difference}`,
    });
    return false;
  }

  /** Cuts of cables in a quiet core: what they cost. */
  #quietChanges(): void {
    const { world, plan } = this;
    const random = this.#random.split('changes');
    const core = new Set(plan.core);
    const inside = world.diallers.flatMap(({ from, to }, index) => {
      return [from, to].every((machine) => core.has(machine.number) && machine !== world.spare) ? [index] : [];
    });
    for (let change = 0; change < cleanChanges && inside.length > 0 && !this.#failed; change++) {
      const cable = random.pick(inside);
      world.network.run(change === 0 ? calmMs : 3000);
      const before = world.controlMessages;
      const cutMs = world.network.nowMs;
      const blocked = this.#cut(cable, random.below(4));
      if (!this.#converges('a cut', new Set([cable]), cutMs, cutBoundMs)) return;
      for (const direction of blocked) direction.unblock();
      if (!this.#converges('a repair', new Set(), world.network.nowMs, repairBoundMs)) return;
      world.network.run(1000);
      this.#messages += (world.controlMessages - before) / 2;
      this.#changes++;
    }
  }

  /** A router of the core dies and comes back: it must still know what it knew. */
  #restart(): void {
    const { world, plan } = this;
    const random = this.#random.split('restart');
    const machine = world.machines[random.pick(plan.core)];
    if (this.#failed) return;
    machine.crash(random.chance(0.5));
    world.network.run(10);
    machine.powerUp();
    this.#converges('a restart', new Set(), world.network.nowMs, convergenceBoundMs);
  }

  /** Cuts a cable: both ends hear of it (0), nobody does (1), or it goes on in one direction (2 and 3). The directions that are blocked now. */
  #cut(cable: number, how: number): readonly Direction[] {
    const { link, cable: wires } = this.world.diallers[cable];
    const { directions } = wires;
    const blocked = how < 2 ? directions : [directions[how === 2 ? 0 : 1]];
    if (how === 0) {
      link?.break(() => 1);
      // Both ends have heard of it before the cable is dead.
      this.world.network.run(Math.max(...directions.map(({ delayMs, jitterMs }) => delayMs + jitterMs)) + 1);
    }
    for (const direction of blocked) direction.block();
    return blocked;
  }

  /** In a core that agrees everything that is sent must arrive. */
  #probe(): void {
    const { world, plan } = this;
    const { network } = world;
    if (this.#failed) return;
    world.messages.maxSettleMs = 5;
    network.run(pathBackOffMs + 500);
    for (const checker of world.checkers) checker.converged?.(world);
    for (const number of plan.core) {
      const machine = world.machines[number];
      for (const address of world.tcpAddresses) {
        const listener = world.listener(machine, address);
        if (machine.process !== undefined && listener !== undefined && machine.process.control.forwarder.reachable(address)) {
          world.streams.connect(machine, machine.process, listener, address, 20_000);
        }
      }
      for (const address of world.messageAddresses) {
        const multicast = address.startsWith(treatmentPrefixes.multicast);
        if (machine.process !== undefined) world.messages.send(machine, machine.process, address, 500, multicast, false);
      }
    }
    // What has been sent to where nobody is any more comes back when the connection there is given up.
    const apartMs = plan.core.length < plan.routers ? this.#healedAtMs + goneNoticedMs - network.nowMs : 0;
    network.run(Math.max(quietMs, apartMs) + plan.lingerMs);
    if (!this.#failed) for (const checker of world.checkers) checker.quiescent?.(world);
  }
}
