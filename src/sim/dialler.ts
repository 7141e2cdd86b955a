import type { Machine } from './machine.ts';
import type { PlannedCable } from './plan.ts';
import type { SeededRandom } from './seeded-random.ts';
import { Cable } from './virtual-link.ts';
import type { VirtualLink } from './virtual-link.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import type { VirtualRouter } from './virtual-router.ts';

/** As the product's link connector: pauses after failures, and how long one try may take. */
const firstPauseMs = 100;
export const maximumPauseMs = 2000;
const stableMs = 10_000;
export const dialTimeoutMs = 5000;

/** A cable between two machines and the connection that one of them keeps over it. */
export class Dialler {
  readonly cable: Cable = new Cable();
  readonly from: Machine;
  readonly to: Machine;
  readonly planned: PlannedCable;
  readonly #network: VirtualNetwork;
  readonly #random: SeededRandom;
  #failures = 0;
  #link: VirtualLink | undefined;
  #openedMs = 0;

  constructor(network: VirtualNetwork, random: SeededRandom, from: Machine, to: Machine, planned: PlannedCable) {
    this.#network = network;
    this.#random = random;
    this.from = from;
    this.to = to;
    this.planned = planned;
    for (const direction of this.cable.directions) {
      direction.delayMs = planned.delayMs;
      direction.jitterMs = planned.jitterMs;
    }
  }

  get cost(): number {
    return this.planned.cost;
  }

  get link(): VirtualLink | undefined {
    return this.#link;
  }

  get isBlocked(): boolean {
    return this.cable.directions.some(({ blocked }) => blocked);
  }

  /** The dialling process has been started. */
  start(process: VirtualRouter): void {
    this.#link = undefined;
    this.#failures = 0;
    process.later(() => this.#dial(process));
  }

  #dial(process: VirtualRouter): void {
    // Who has given way to another process with its identity makes no links any more.
    if (this.from.isFenced) return;
    const [there, back] = this.cable.directions;
    const roundTripMs = there.delayMs + back.delayMs;
    const startedMs = this.#network.nowMs;
    process.after(roundTripMs, () => this.#answered(process, startedMs + dialTimeoutMs));
  }

  #answered(process: VirtualRouter, deadlineMs: number): void {
    const { from, to } = this;
    if (from.process !== process) return;
    if (this.isBlocked || !to.isOn) {
      // Nobody answers, until the cable or the machine is there again or the time is over.
      if (this.#network.nowMs >= deadlineMs) this.#failed(process);
      else process.after(Math.min(200, deadlineMs - this.#network.nowMs), () => this.#answered(process, deadlineMs));
      return;
    }
    const acceptor = to.process;
    if (acceptor === undefined) {
      this.#failed(process);
      return;
    }
    const link = this.#network.connect(
      process,
      acceptor,
      { dialled: true, cost: this.cost, provenRouterId: to.signs ? to.id : undefined },
      { dialled: false, cost: this.cost, provenRouterId: from.signs ? from.id : undefined },
      this.cable,
    );
    this.#link = link;
    this.#openedMs = this.#network.nowMs;
    link.onEnd = (end): void => {
      if (end !== 0 || this.#link !== link) return;
      this.#link = undefined;
      if (from.process !== process) return;
      if (this.#network.nowMs - this.#openedMs > stableMs) this.#failures = 0;
      this.#failed(process);
    };
  }

  #failed(process: VirtualRouter): void {
    const pauseMs = Math.min(maximumPauseMs, firstPauseMs * 2 ** Math.min(this.#failures, 10)) * (0.5 + this.#random.number());
    this.#failures++;
    process.after(pauseMs, () => this.#dial(process));
  }
}
