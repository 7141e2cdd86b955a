import type { Clock } from '../base/clock.ts';
import type { NetworkModel } from '../flows/network-model.ts';
import type { RequestRow } from '../flows/network-snapshot.ts';
import { usualWindowMs } from './event-windows.ts';
import type { ObserverEvent, ObserverEvents } from './rest-handler.ts';

/** How often the whole network is told. */
const networkPeriodMs = 2000;
/** Requests and connections told a second: more than anybody reads. */
const maxRequestsPerSecond = 20;

/** Tells subscribers what happens. Nothing is made while there are none. */
export class EventHub implements ObserverEvents, Disposable {
  readonly #model: Pick<NetworkModel, 'snapshot' | 'droppedFlows' | 'lostMessageCount'>;
  readonly #clock: Clock;
  /** With the windows that they want. */
  readonly #subscribers = new Map<(event: ObserverEvent) => void, number>();
  #timer: NodeJS.Timeout | undefined;
  #second = 0;
  #told = 0;
  #left = 0;
  #lost = 0;

  constructor(model: Pick<NetworkModel, 'snapshot' | 'droppedFlows' | 'lostMessageCount'>, clock: Clock) {
    this.#model = model;
    this.#clock = clock;
  }

  subscribe(take: (event: ObserverEvent) => void, windowMs: number = usualWindowMs): Disposable {
    if (this.#subscribers.size === 0) {
      this.#lost = this.#lostSoFar;
      this.#left = 0;
    }
    this.#subscribers.set(take, windowMs);
    take(this.#network(windowMs));
    this.#timer ??= setInterval(() => this.#tell(), networkPeriodMs);
    return {
      [Symbol.dispose]: (): void => {
        this.#subscribers.delete(take);
        if (this.#subscribers.size === 0) this.#stop();
      },
    };
  }

  /** A request or connection has begun or ended. Those beyond what is told count as lost. */
  request(row: () => RequestRow | undefined): void {
    if (this.#subscribers.size === 0) return;
    const second = Math.floor(this.#clock.nowMs() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#told = 0;
    }
    if (this.#told >= maxRequestsPerSecond) {
      this.#left++;
      return;
    }
    const found = row();
    if (found === undefined) return;
    this.#told++;
    this.#send({ name: 'request', json: JSON.stringify(found) });
  }

  [Symbol.dispose](): void {
    this.#subscribers.clear();
    this.#stop();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  get #lostSoFar(): number {
    return this.#model.droppedFlows + this.#model.lostMessageCount;
  }

  #tell(): void {
    const flows = this.#lostSoFar - this.#lost + this.#left;
    this.#lost = this.#lostSoFar;
    this.#left = 0;
    this.#tellNetwork();
    if (flows > 0) this.#send({ name: 'lost', json: JSON.stringify({ flows }) });
  }

  /** Each window is made once for all who want it. */
  #tellNetwork(): void {
    const made = new Map<number, ObserverEvent>();
    for (const [take, windowMs] of this.#subscribers) {
      let event = made.get(windowMs);
      if (event === undefined) {
        event = this.#network(windowMs);
        made.set(windowMs, event);
      }
      take(event);
    }
  }

  #network(windowMs: number): ObserverEvent {
    return { name: 'network', json: JSON.stringify(this.#model.snapshot(windowMs, this.#clock.wallMs())) };
  }

  #send(event: ObserverEvent): void {
    for (const take of this.#subscribers.keys()) take(event);
  }
}
