import { setTimeout as sleep } from 'node:timers/promises';
import { WeatherError } from '../base/errors.ts';
import type { NetworkSnapshot, RequestRow, RequestTrace, StatReport } from '../flows/network-snapshot.ts';
import type { StatQuery } from '../flows/stat-report.ts';
import type { RequestFilter } from '../flows/tap-filter.ts';
import { askObserver } from '../observer/web-control-client.ts';
import type { Call } from './call.ts';
import type { FlowSession } from './flow-session.ts';
import { withProgress } from './progress.ts';

/** How often new requests are asked for. */
const followMs = 500;
/** Rows of one answer. */
const maxRows = 1000;
/** The network of 1,000 sites with all their services. */
const maxAnswerBytes = 64 * 1024 * 1024;

interface RequestsBody {
  readonly requests: readonly RequestRow[];
  readonly next: number;
  readonly missed: number;
}

/** Asks the observer of the site. */
export class ObserverFlows implements FlowSession {
  readonly isObserver = true;
  readonly #call: Call;
  readonly #socketPath: string;
  #missed = 0;

  constructor(call: Call, socketPath: string) {
    this.#call = call;
    this.#socketPath = socketPath;
  }

  listen(): Promise<void> {
    return Promise.resolve();
  }

  snapshot(windowMs: number): Promise<NetworkSnapshot> {
    return this.#ask('network', { window: seconds(windowMs) });
  }

  stat({ windowMs, ...query }: StatQuery): Promise<StatReport> {
    return this.#ask('stat', { ...query, window: seconds(windowMs) });
  }

  async requests(filter: RequestFilter, limit: number): Promise<readonly RequestRow[]> {
    const { requests } = await this.#ask<RequestsBody>('requests', { ...filter, limit: String(limit) });
    return requests;
  }

  async trace(id: string): Promise<RequestTrace | undefined> {
    try {
      return await this.#ask<RequestTrace>(`requests/${encodeURIComponent(id)}`, {});
    } catch (error) {
      if (error instanceof WeatherError && error.code === 'ErrNotFound') return undefined;
      throw error;
    }
  }

  async follow(filter: RequestFilter, take: (row: RequestRow) => boolean, signal: AbortSignal): Promise<void> {
    // What is there already was before.
    let { next } = await this.#ask<RequestsBody>('requests', { limit: '1' });
    while (!signal.aborted) {
      const body = await this.#ask<RequestsBody>('requests', { ...filter, after: String(next), limit: String(maxRows) });
      next = body.next;
      this.#missed += body.missed;
      for (const row of body.requests) if (!take(row)) return;
      if (body.requests.length < maxRows) await sleep(followMs, undefined, { signal }).catch(() => undefined);
    }
  }

  get missed(): number {
    return this.#missed;
  }

  async dropped(windowMs: number): Promise<number> {
    const { droppedFlows } = await this.stat({ kind: 'site', windowMs: Math.max(1000, windowMs) });
    return droppedFlows;
  }

  async droppedSoFar(): Promise<number> {
    const { droppedSinceStart } = await this.stat({ kind: 'site', windowMs: 1000 });
    return droppedSinceStart;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #ask<Body>(question: string, parameters: Readonly<Record<string, string | undefined>>): Promise<Body> {
    const given = Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const path = `/api/v1/${question}?${new URLSearchParams(given).toString()}`;
    return withProgress(
      this.#call.shell,
      () => 'waiting for the observer to answer',
      () => askObserver<Body>(this.#socketPath, 'GET', path, this.#call.timeoutMs, maxAnswerBytes),
    );
  }
}

function seconds(milliseconds: number): string {
  return `${Math.max(1, Math.round(milliseconds / 1000))}s`;
}
