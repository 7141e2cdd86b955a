import type { DeliveryState } from '../amqp/performatives.ts';
import { silentLogger } from '../base/log.ts';
import type { Logger } from '../base/log.ts';
import type { NeighbourHandler } from '../forwarding/neighbour.ts';
import type { ControlPlane } from '../router/control-plane.ts';
import { simulatedTrust } from '../routing/simulated-trust.ts';
import type { SimulatedAuthority } from '../routing/simulated-trust.ts';
import type { Consumer } from '../forwarding/leg.ts';
import { Refusal } from '../services/tcp/listener.ts';
import type { TcpListener } from '../services/tcp/listener.ts';
import type { Checker } from './checkers/checker.ts';
import { CreditWatch } from './credit-watch.ts';
import { Dialler } from './dialler.ts';
import { hostileId } from './hostile-router.ts';
import type { HostileObserver } from './hostile-router.ts';
import { Machine } from './machine.ts';
import { MessageTraffic } from './message-traffic.ts';
import type { MessageObserver, MessageOffer, SentMessage, Taking } from './message-traffic.ts';
import { refusingAddress, treatmentPrefixes } from './plan.ts';
import type { Plan } from './plan.ts';
import { SeededRandom } from './seeded-random.ts';
import { StreamTraffic } from './stream-traffic.ts';
import type { SentStream, ServerSide, StreamObserver } from './stream-traffic.ts';
import type { VirtualLink } from './virtual-link.ts';
import { VirtualNetwork } from './virtual-network.ts';
import type { VirtualRouter } from './virtual-router.ts';

/** Something that may not be, and when it was seen. */
export interface Violation {
  readonly checker: string;
  readonly atMs: number;
  readonly text: string;
}

/** Reports of one run: the first ones tell the cause. */
const maxViolations = 5;

/** Everything of one run: machines, cables, traffic, and who watches them. */
export class World implements MessageObserver, StreamObserver, HostileObserver {
  readonly plan: Plan;
  readonly network: VirtualNetwork;
  readonly machines: Machine[];
  /** Another machine with the identity of one of them: the copy, and from the healing on the one of the two that is to give way. */
  spare: Machine | undefined;
  /** The router that is revoked in this run. */
  readonly revokedId: string | undefined;
  readonly diallers: readonly Dialler[];
  readonly authority: SimulatedAuthority;
  readonly messages: MessageTraffic;
  readonly streams: StreamTraffic;
  readonly violations: Violation[] = [];
  /** By index of the plan's offers; undefined while withdrawn, or its process is down, or for TCP. */
  readonly offers: (MessageOffer | undefined)[];
  /** The same of the spare machine. */
  #spareOffers: (MessageOffer | undefined)[] = [];
  readonly #listeners = new Map<Machine, Map<string, TcpListener>>();
  readonly withdrawn: Set<number> = new Set();
  readonly #checkers: readonly Checker[];
  /** Routing messages beside HELLO that have arrived, and their octets. */
  controlMessages = 0;
  readonly startMs: number;

  constructor(plan: Plan, checkers: readonly Checker[]) {
    this.plan = plan;
    this.#checkers = checkers;
    const random = new SeededRandom(plan.seed);
    this.network = new VirtualNetwork(random.split('network').below(2 ** 31));
    this.startMs = this.network.nowMs;
    this.authority = simulatedTrust(plan.seed);
    const nowMs = (): number => this.network.nowMs;
    this.messages = new MessageTraffic(this, random.split('messages'), nowMs, plan.traffic.maxSettleMs);
    this.streams = new StreamTraffic(this, random.split('streams'), nowMs);
    this.offers = plan.offers.map(() => undefined);
    this.machines = Array.from({ length: plan.routers }, (_, number) => this.#machine(number, random.split(`machine ${number}`), false));
    const diallers = plan.cables.map((cable, index) => {
      return new Dialler(this.network, random.split(`dialler ${index}`), this.machines[cable.from], this.machines[cable.to], cable);
    });
    const { clone, revocation } = plan;
    if (clone !== undefined) {
      this.spare = this.#machine(clone.router, random.split('copy'), true);
      const cable = { from: clone.router, to: clone.to, cost: 1, delayMs: clone.delayMs, jitterMs: 0 };
      diallers.push(new Dialler(this.network, random.split('dialler of the copy'), this.spare, this.machines[clone.to], cable));
    }
    this.diallers = diallers;
    if (revocation !== undefined) this.revokedId = revocation.router === null ? hostileId : this.machines[revocation.router].id;
    this.network.linkCapacity = plan.linkCapacity;
    if (plan.linkCapacity !== undefined) this.network.onLink = (link): void => this.#watchCredit(link);
    // Sampling at every event would cost more than the run itself.
    let untilSample = sampleEvery;
    this.network.afterEvent = (): void => {
      if (--untilSample > 0) return;
      untilSample = sampleEvery;
      for (const checker of checkers) checker.sample?.(this);
    };
  }

  get checkers(): readonly Checker[] {
    return this.#checkers;
  }

  /** Since the beginning of the run. */
  get elapsedMs(): number {
    return this.network.nowMs - this.startMs;
  }

  violate(checker: Checker, text: string): void {
    if (this.violations.length < maxViolations) this.violations.push({ checker: checker.name, atMs: this.elapsedMs, text });
  }

  /** Where credit is short it is counted, too. */
  #watchCredit(link: VirtualLink): void {
    link.watch = new CreditWatch((end, text) => {
      for (const checker of this.#checkers) checker.creditOverdrawn?.(this, link.ends[end], text);
    });
  }

  #machine(number: number, random: SeededRandom, isCopy: boolean): Machine {
    const { clone } = this.plan;
    return new Machine({
      network: this.network,
      number,
      random,
      authority: this.plan.signed[number] ? this.authority : undefined,
      grant: this.plan.grants[number],
      requireSigned: this.plan.requireSigned,
      nonces: clone?.router !== number ? undefined : clone.wins === isCopy ? 'high' : 'low',
      log: (): Logger => silentLogger,
      observe: (machine, control) => this.#watch(machine, control),
      started: (machine, process) => this.#started(machine, process),
      stopped: (machine) => this.#stopped(machine),
      routingEvent: (machine, event): void => {
        for (const checker of this.#checkers) checker.routingEvent?.(this, machine, event);
      },
    });
  }

  /** Passes everything on to the control plane, and tells the checkers. */
  #watch(machine: Machine, control: ControlPlane): NeighbourHandler {
    return {
      opened: (neighbour, open): void => {
        control.opened(neighbour, open);
        machine.admit(neighbour);
      },
      controlUp: (neighbour): void => control.controlUp(neighbour),
      controlMessage: (neighbour, message): void => {
        if (message.opcode !== 'HELLO') this.controlMessages++;
        for (const checker of this.#checkers) checker.controlMessage?.(this, machine, neighbour, message);
        control.controlMessage(neighbour, message);
      },
      message: (neighbour, delivery, bytes, start, end, more): void => control.message(neighbour, delivery, bytes, start, end, more),
      relieved: (): void => control.relieved(),
      down: (neighbour, error): void => {
        for (const checker of this.#checkers) checker.connectionDown?.(this, machine, neighbour, error);
        control.down(neighbour, error);
      },
    };
  }

  #started(machine: Machine, process: VirtualRouter): void {
    this.plan.offers.forEach((_, index) => this.#offerAt(machine, index));
    this.#listeners.set(machine, new Map(this.tcpAddresses.map((address) => [address, process.listener(address)])));
    for (const dialler of this.diallers) if (dialler.from === machine) dialler.start(process);
    for (const checker of this.#checkers) checker.started?.(this, machine);
  }

  #stopped(machine: Machine): void {
    const offers = this.#offersOf(machine);
    for (const [index, { router }] of this.plan.offers.entries()) if (router === machine.number) offers[index] = undefined;
    for (const server of [...this.streams.open]) if (server.machine === machine) this.streams.open.delete(server);
  }

  #offersOf(machine: Machine): (MessageOffer | undefined)[] {
    return machine === this.spare ? this.#spareOffers : this.offers;
  }

  // ---- identities ----

  /** All machines that are routers of this id: two, where an identity was copied. */
  machinesOf(routerId: string): readonly Machine[] {
    return [...this.machines, ...(this.spare === undefined ? [] : [this.spare])].filter(({ id }) => id === routerId);
  }

  /** Whether a router of this id has ever used an epoch. */
  hasUsed(routerId: string, epoch: number): boolean {
    return this.machinesOf(routerId).some(({ epochs }) => epochs.includes(epoch));
  }

  /** Whether links with a router may end because somebody does not want it, though it is no hostile one. */
  isUnwanted(routerId: string): boolean {
    return routerId === this.revokedId || routerId === this.spare?.id;
  }

  /** From now on the copied identity belongs to the machine that does not give way. */
  settleIdentity(): void {
    const { clone } = this.plan;
    const copy = this.spare;
    if (clone === undefined || copy === undefined || !clone.wins) return;
    this.spare = this.machines[clone.router];
    this.machines[clone.router] = copy;
    for (const [index, { router }] of this.plan.offers.entries()) {
      if (router !== clone.router) continue;
      [this.offers[index], this.#spareOffers[index]] = [this.#spareOffers[index], this.offers[index]];
    }
  }

  get tcpAddresses(): readonly string[] {
    return [...new Set(this.plan.offers.map(({ address }) => address))].filter((address) => address.startsWith(treatmentPrefixes.tcp));
  }

  get messageAddresses(): readonly string[] {
    return [...new Set(this.plan.offers.map(({ address }) => address))].filter((address) => !address.startsWith(treatmentPrefixes.tcp));
  }

  /** Offers what the plan has at this index, if its process runs and it is not offered already. */
  offer(index: number): void {
    this.#offerAt(this.machines[this.plan.offers[index].router], index);
  }

  #offerAt(machine: Machine, index: number): void {
    const { address, router } = this.plan.offers[index];
    const { process } = machine;
    if (router !== machine.number || process === undefined) return;
    // What is withdrawn is not so at the spare machine.
    if (machine !== this.spare && this.withdrawn.has(index)) return;
    if (address.startsWith(treatmentPrefixes.tcp)) {
      if (process.control.forwarder.localConsumers(address) > 0) return;
      if (address === refusingAddress) process.control.forwarder.addConsumer(address, refuser);
      else this.streams.serve(machine, process, address);
      return;
    }
    const offers = this.#offersOf(machine);
    const known = offers[index];
    if (known === undefined || known.process !== process) offers[index] = this.messages.offer(address, machine, process);
  }

  withdraw(index: number): void {
    const offer = this.offers[index];
    if (offer === undefined) return;
    this.withdrawn.add(index);
    this.messages.withdraw(offer);
    this.offers[index] = undefined;
  }

  listener(machine: Machine, address: string): TcpListener | undefined {
    return machine.process === undefined ? undefined : this.#listeners.get(machine)?.get(address);
  }

  // What happens to traffic.

  messageTaken(message: SentMessage, taking: Taking): void {
    for (const checker of this.#checkers) checker.messageTaken?.(this, message, taking);
  }

  messageSettled(message: SentMessage, state: DeliveryState): void {
    for (const checker of this.#checkers) checker.messageSettled?.(this, message, state);
  }

  messageCorrupt(message: SentMessage | undefined, taking: Taking, reason: string): void {
    for (const checker of this.#checkers) checker.messageCorrupt?.(this, message, taking, reason);
  }

  streamServed(stream: SentStream, server: ServerSide): void {
    for (const checker of this.#checkers) checker.streamServed?.(this, stream, server);
  }

  streamEnded(stream: SentStream, side: 'client' | 'server', received: number): void {
    for (const checker of this.#checkers) checker.streamEnded?.(this, stream, side, received);
  }

  streamCorrupt(stream: SentStream | undefined, reason: string): void {
    for (const checker of this.#checkers) checker.streamCorrupt?.(this, stream, reason);
  }

  streamGone(): void {}

  hostileTook(address: string): void {
    for (const checker of this.#checkers) checker.hostileTook?.(this, address);
  }
}

const sampleEvery = 200;

/** Gives everything back. */
const refuser: Consumer = { outstanding: 0, deliver: (_head, upstream) => new Refusal(upstream) };
