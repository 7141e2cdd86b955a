import type { NetworkSnapshot, RequestRow } from '../../src/flows/network-snapshot.ts';
import type { ObserverEvent, ObserverEvents, RestHandler, RestRequest } from '../../src/observer/rest-handler.ts';

/** Stands where an observer of a real network would: answers of which a test says what they are. */
export class SyntheticObserver {
  snapshot: NetworkSnapshot;
  requests: readonly RequestRow[] = [];
  /** JSON of other paths. */
  readonly answers: Map<string, unknown> = new Map<string, unknown>();
  /** What was asked for, in order. */
  readonly asked: RestRequest[] = [];
  /** While set, answers wait for it. */
  gate: Promise<void> | undefined;
  /** What of the snapshot is other over a window; told to who asks for that. */
  readonly windows: Map<number, Partial<NetworkSnapshot>> = new Map<number, Partial<NetworkSnapshot>>();
  /** With their windows. */
  readonly #readers: Map<(event: ObserverEvent) => void, number> = new Map<(event: ObserverEvent) => void, number>();

  constructor(snapshot: NetworkSnapshot) {
    this.snapshot = snapshot;
  }

  get readerCount(): number {
    return this.#readers.size;
  }

  readonly rest: RestHandler = {
    handle: async (request) => {
      this.asked.push(request);
      await this.gate;
      const body = this.#bodyOf(request);
      if (body === undefined)
        return { status: 404, contentType: 'application/json', body: '{"code":"not-found","message":"no such path"}' };
      if (typeof body === 'string') return { status: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8', body };
      return { status: 200, contentType: 'application/json', body: JSON.stringify(body) };
    },
  };

  readonly events: ObserverEvents = {
    subscribe: (take, windowMs = this.snapshot.windowMs) => {
      this.#readers.set(take, windowMs);
      take(this.#network(windowMs));
      return { [Symbol.dispose]: () => void this.#readers.delete(take) };
    },
  };

  /** Tells all readers the snapshot as it is now. */
  tellNetwork(): void {
    for (const [take, windowMs] of this.#readers) take(this.#network(windowMs));
  }

  tell(event: ObserverEvent): void {
    for (const take of this.#readers.keys()) take(event);
  }

  #network(windowMs: number): ObserverEvent {
    return { name: 'network', json: JSON.stringify({ ...this.snapshot, windowMs, ...this.windows.get(windowMs) }) };
  }

  #bodyOf({ path }: RestRequest): unknown {
    if (path === '/api/v1/network') return this.snapshot;
    if (path === '/api/v1/requests') return { requests: this.requests, older: null, next: 0, missed: 0 };
    return this.answers.get(decodeURIComponent(path));
  }
}
