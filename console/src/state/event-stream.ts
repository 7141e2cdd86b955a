import type { NetworkSnapshot, RequestRow } from '../../../src/flows/network-snapshot.ts';
import { addRequests, type ConsoleState } from './console-state.ts';
import type { Store } from './store.ts';

const url = '/api/v1/events';
/** The observer tells the network each 2 s. */
const silenceMs = 7000;
/** Requests are shown together, so that many a second cost one change of the page now and then. */
const batchMs = 400;
const firstPauseMs = 1000;
const longestPauseMs = 15_000;

/** Keeps the store as the observer's events say, and connects again when the stream ends. */
export class EventStream {
  readonly #store: Store<ConsoleState>;
  readonly #refused: () => void;
  #source: EventSource | undefined;
  #retryTimer: number | undefined;
  #batchTimer: number | undefined;
  readonly #watchTimer: number;
  #pauseMs = firstPauseMs;
  #requests: RequestRow[] = [];

  /** `refused` is called when the observer ends the stream or does not begin one: the session may be over. */
  constructor(store: Store<ConsoleState>, refused: () => void) {
    this.#store = store;
    this.#refused = refused;
    this.#watchTimer = window.setInterval(() => this.#watch(), 1000);
    this.#connect();
  }

  [Symbol.dispose](): void {
    window.clearInterval(this.#watchTimer);
    window.clearTimeout(this.#retryTimer);
    window.clearTimeout(this.#batchTimer);
    this.#source?.close();
  }

  /** Begins anew, with what the store says is wanted now. */
  restart(): void {
    window.clearTimeout(this.#retryTimer);
    this.#source?.close();
    this.#connect();
  }

  #connect(): void {
    const source = new EventSource(`${url}?window=${this.#store.state.windowMs / 1000}s`);
    this.#source = source;
    source.addEventListener('network', ({ data }: MessageEvent<string>) => this.#network(data));
    source.addEventListener('request', ({ data }: MessageEvent<string>) => this.#request(data));
    source.addEventListener('lost', ({ data }: MessageEvent<string>) => this.#lost(data));
    source.addEventListener('error', () => this.#failed(source));
  }

  #network(data: string): void {
    const snapshot = JSON.parse(data) as NetworkSnapshot;
    const nowMs = Date.now();
    this.#pauseMs = firstPauseMs;
    this.#store.update({ snapshot, stream: 'live', lastEventMs: nowMs, clockSkewMs: snapshot.atMs - nowMs });
  }

  #request(data: string): void {
    this.#requests.push(JSON.parse(data) as RequestRow);
    this.#batchTimer ??= window.setTimeout(() => {
      this.#batchTimer = undefined;
      const added = this.#requests;
      this.#requests = [];
      this.#store.update({ liveRequests: addRequests(this.#store.state.liveRequests, added) });
    }, batchMs);
  }

  #lost(data: string): void {
    const { flows = 0 } = JSON.parse(data) as { readonly flows?: number };
    this.#store.update({ untoldRequests: this.#store.state.untoldRequests + flows });
  }

  #failed(source: EventSource): void {
    source.close();
    if (this.#source !== source) return;
    this.#source = undefined;
    if (this.#store.state.stream === 'connecting' || this.#store.state.stream === 'live') this.#store.update({ stream: 'lost' });
    this.#refused();
    this.#retryTimer = window.setTimeout(() => this.#connect(), this.#pauseMs);
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
  }

  /** A connection can be there and silent, behind a proxy that died. */
  #watch(): void {
    const { stream, lastEventMs } = this.#store.state;
    if (stream === 'live' && lastEventMs !== null && Date.now() - lastEventMs > silenceMs) this.#store.update({ stream: 'lost' });
  }
}
