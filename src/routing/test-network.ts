import type { ControlMessage } from './control-message.ts';
import { RoutingEngine, type RoutingOptions } from './engine.ts';
import type { RoutingEvent } from './events.ts';

interface Delivery {
  readonly atMs: number;
  readonly order: number;
  readonly from: string;
  readonly to: string;
  readonly cable: number;
  readonly message: ControlMessage;
}

/** One link between two routers; both call it by its number. */
interface Cable {
  readonly ends: readonly [string, string];
  readonly delayMs: number;
}

/** A message as it was sent, for tests that look at the conversation. */
export interface SentMessage {
  readonly atMs: number;
  readonly from: string;
  readonly to: string;
  readonly message: ControlMessage;
}

/** Routers of one network in virtual time: messages take the delay of their link and stay in order, unless a test loses them. */
export class TestNetwork {
  readonly engines: Map<string, RoutingEngine> = new Map<string, RoutingEngine>();
  readonly events: Map<string, RoutingEvent[]> = new Map<string, RoutingEvent[]>();
  readonly sent: SentMessage[] = [];
  /** Messages for which this is true are lost on the way. */
  lose: (message: SentMessage) => boolean = () => false;
  nowMs = 0;
  readonly #cables = new Map<number, Cable>();
  /** Routers whose process stands still, until when. */
  readonly #stalled = new Map<string, number>();
  #deliveries: Delivery[] = [];
  #nextCable = 1;
  #nextOrder = 0;

  /** `name` stands for the router in this network: only where two processes have one router id it is another. */
  router(routerId: string, options: Partial<RoutingOptions> = {}, name: string = routerId): RoutingEngine {
    const engine = new RoutingEngine({ routerId, instance: 1_700_000_000, ...options });
    this.engines.set(name, engine);
    if (!this.events.has(name)) this.events.set(name, []);
    return engine;
  }

  /** Connects two routers; the number of the link. */
  connect(a: string, b: string, cost = 1, delayMs = 5): number {
    const cable = this.#nextCable++;
    this.#cables.set(cable, { ends: [a, b], delayMs });
    for (const end of [a, b]) {
      this.engine(end).linkUp(cable, cost, this.nowMs);
      this.#drain(end);
    }
    return cable;
  }

  /** Cuts a link; both ends notice at once, and what is on the way is lost. */
  cut(cable: number): void {
    const { ends } = this.#cable(cable);
    this.#cables.delete(cable);
    for (const end of ends) {
      this.engines.get(end)?.linkDown(cable, this.nowMs);
      this.#drain(end);
    }
  }

  /** A router dies: its links are cut and it is gone. */
  kill(routerId: string): void {
    this.engines.delete(routerId);
    for (const [cable, { ends }] of this.#cables) if (ends.includes(routerId)) this.cut(cable);
  }

  /** The process of a router stands still for a while: its timers come late, and what is sent to it waits, behind them. */
  stall(routerId: string, durationMs: number): void {
    this.#stalled.set(routerId, this.nowMs + durationMs);
  }

  engine(routerId: string): RoutingEngine {
    const engine = this.engines.get(routerId);
    if (engine === undefined) throw new Error(`no router ${routerId}`);
    return engine;
  }

  localAddress(routerId: string, key: string, treatment: 1 | 2 | 3 = 3): void {
    this.engine(routerId).localAddress(key, treatment, 0, this.nowMs);
    this.#drain(routerId);
  }

  localAddressGone(routerId: string, key: string): void {
    this.engine(routerId).localAddressGone(key, this.nowMs);
    this.#drain(routerId);
  }

  /** Lets time pass. */
  run(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (;;) {
      const timer = this.#earliestTimer();
      const delivery = this.#deliveries[0];
      const nextMs = Math.min(timer.atMs, delivery?.atMs ?? Infinity);
      if (nextMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (delivery !== undefined && delivery.atMs <= timer.atMs) this.#deliver(delivery);
      else this.#fire(timer.routerId);
    }
    this.nowMs = endMs;
  }

  /** Lets time pass until the condition holds; how long that took. Throws after `limitMs`. */
  runUntil(condition: () => boolean, limitMs: number): number {
    const startMs = this.nowMs;
    while (!condition()) {
      if (this.nowMs - startMs >= limitMs) throw new Error(`not so after ${limitMs} ms`);
      this.run(1);
    }
    return this.nowMs - startMs;
  }

  /** Cost of the path between two routers as the first sees it; undefined without path. */
  cost(from: string, to: string): number | undefined {
    return this.engine(from).table.routers.get(to)?.cost;
  }

  /** Routers that `from` sees for an address, nearest first. */
  routersOf(from: string, key: string): string[] {
    return (this.engine(from).table.addresses.get(key)?.routers ?? []).map(({ routerId }) => routerId);
  }

  #cable(cable: number): Cable {
    const found = this.#cables.get(cable);
    if (found === undefined) throw new Error(`no link ${cable}`);
    return found;
  }

  #earliestTimer(): { routerId: string; atMs: number } {
    let earliest = { routerId: '', atMs: Infinity };
    for (const [routerId, engine] of this.engines) {
      const atMs = Math.max(engine.nextDeadlineMs(), this.#stalled.get(routerId) ?? 0);
      if (atMs < earliest.atMs) earliest = { routerId, atMs };
    }
    return earliest;
  }

  #fire(routerId: string): void {
    this.engine(routerId).handleTimeout(this.nowMs);
    this.#drain(routerId);
  }

  #deliver(delivery: Delivery): void {
    this.#deliveries.shift();
    if (!this.#cables.has(delivery.cable)) return;
    const wakesMs = this.#stalled.get(delivery.to) ?? 0;
    if (delivery.atMs < wakesMs) {
      this.#enqueue({ ...delivery, atMs: wakesMs + 1 });
      return;
    }
    this.engine(delivery.to).receive(delivery.cable, delivery.message, this.nowMs);
    this.#drain(delivery.to);
  }

  #drain(routerId: string): void {
    const engine = this.engines.get(routerId);
    if (engine === undefined) return;
    for (let out = engine.nextTransmit(); out !== undefined; out = engine.nextTransmit()) {
      for (const link of out.links) this.#send(routerId, link, out.message);
    }
    for (let event = engine.nextEvent(); event !== undefined; event = engine.nextEvent()) this.events.get(routerId)?.push(event);
  }

  #send(from: string, link: number, message: ControlMessage): void {
    const { ends, delayMs } = this.#cable(link);
    const to = ends[0] === from ? ends[1] : ends[0];
    const sent = { atMs: this.nowMs, from, to, message };
    this.sent.push(sent);
    if (this.lose(sent)) return;
    this.#enqueue({ atMs: this.nowMs + delayMs, order: this.#nextOrder++, from, to, cable: link, message });
  }

  #enqueue(delivery: Delivery): void {
    let at = this.#deliveries.length;
    while (at > 0 && (this.#deliveries[at - 1]?.atMs ?? 0) > delivery.atMs) at--;
    this.#deliveries.splice(at, 0, delivery);
  }
}
