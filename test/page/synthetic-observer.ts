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
  readonly #readers: Set<(event: ObserverEvent) => void> = new Set<(event: ObserverEvent) => void>();

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
    subscribe: (take) => {
      this.#readers.add(take);
      take(this.#network());
      return { [Symbol.dispose]: () => void this.#readers.delete(take) };
    },
  };

  /** Tells all readers the snapshot as it is now. */
  tellNetwork(): void {
    this.tell(this.#network());
  }

  tell(event: ObserverEvent): void {
    for (const take of this.#readers) take(event);
  }

  #network(): ObserverEvent {
    return { name: 'network', json: JSON.stringify(this.snapshot) };
  }

  #bodyOf({ path }: RestRequest): unknown {
    if (path === '/api/v1/network') return this.snapshot;
    if (path === '/api/v1/requests') return { requests: this.requests };
    return this.answers.get(decodeURIComponent(path));
  }
}
