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
import { Dialler } from './dialler.ts';
import type { HostileObserver } from './hostile-router.ts';
import { Machine } from './machine.ts';
import { MessageTraffic } from './message-traffic.ts';
import type { MessageObserver, MessageOffer, SentMessage, Taking } from './message-traffic.ts';
import { refusingAddress, treatmentPrefixes } from './plan.ts';
import type { Plan } from './plan.ts';
import { SeededRandom } from './seeded-random.ts';
import { StreamTraffic } from './stream-traffic.ts';
import type { SentStream, ServerSide, StreamObserver } from './stream-traffic.ts';
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
  readonly machines: readonly Machine[];
  readonly diallers: readonly Dialler[];
  readonly authority: SimulatedAuthority;
  readonly messages: MessageTraffic;
  readonly streams: StreamTraffic;
  readonly violations: Violation[] = [];
  /** By index of the plan's offers; undefined while withdrawn, or its process is down, or for TCP. */
  readonly offers: (MessageOffer | undefined)[];
  /** By machine number and address. */
  readonly #listeners = new Map<string, TcpListener>();
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
    this.machines = Array.from({ length: plan.routers }, (_, number) => this.#machine(number, random.split(`machine ${number}`)));
    this.diallers = plan.cables.map(({ from, to, cost, delayMs, jitterMs }, index) => {
      const [first, second] = [this.machines[from], this.machines[to]];
      const dialler = new Dialler(this.network, random.split(`dialler ${index}`), first, second, cost);
      for (const direction of dialler.cable.directions) {
        direction.delayMs = delayMs;
        direction.jitterMs = jitterMs;
      }
      return dialler;
    });
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

  #machine(number: number, random: SeededRandom): Machine {
    return new Machine({
      network: this.network,
      number,
      random,
      authority: this.plan.signed[number] ? this.authority : undefined,
      grant: this.plan.grants[number],
      requireSigned: this.plan.requireSigned,
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
      opened: (neighbour, open): void => control.opened(neighbour, open),
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
    this.plan.offers.forEach((_, index) => this.offer(index));
    for (const address of this.tcpAddresses) this.#listeners.set(`${machine.number} ${address}`, process.listener(address));
    for (const dialler of this.diallers) if (dialler.from === machine) dialler.start(process);
    for (const checker of this.#checkers) checker.started?.(this, machine);
  }

  #stopped(machine: Machine): void {
    for (const [index, { router }] of this.plan.offers.entries()) if (router === machine.number) this.offers[index] = undefined;
    for (const server of [...this.streams.open]) if (server.machine === machine) this.streams.open.delete(server);
  }

  get tcpAddresses(): readonly string[] {
    return [...new Set(this.plan.offers.map(({ address }) => address))].filter((address) => address.startsWith(treatmentPrefixes.tcp));
  }

  get messageAddresses(): readonly string[] {
    return [...new Set(this.plan.offers.map(({ address }) => address))].filter((address) => !address.startsWith(treatmentPrefixes.tcp));
  }

  /** Offers what the plan has at this index, if its process runs and it is not offered already. */
  offer(index: number): void {
    const { address, router } = this.plan.offers[index];
    const machine = this.machines[router];
    const process = machine.process;
    if (process === undefined || this.withdrawn.has(index)) return;
    if (address.startsWith(treatmentPrefixes.tcp)) {
      if (process.control.forwarder.localConsumers(address) > 0) return;
      if (address === refusingAddress) process.control.forwarder.addConsumer(address, refuser);
      else this.streams.serve(machine, process, address);
      return;
    }
    const known = this.offers[index];
    if (known === undefined || known.process !== process) this.offers[index] = this.messages.offer(address, machine, process);
  }

  withdraw(index: number): void {
    const offer = this.offers[index];
    if (offer === undefined) return;
    this.withdrawn.add(index);
    this.messages.withdraw(offer);
    this.offers[index] = undefined;
  }

  listener(machine: Machine, address: string): TcpListener | undefined {
    return machine.process === undefined ? undefined : this.#listeners.get(`${machine.number} ${address}`);
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
