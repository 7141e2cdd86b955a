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
/** Rows of one answer: 2,000 a second are followed. */
const maxRows = 1000;
/** Requests that are known to have been told. */
const maxKnown = 20_000;
/** The network of 1,000 sites with all their services. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** Asks the observer of the site. */
export class ObserverFlows implements FlowSession {
  readonly isObserver = true;
  readonly #call: Call;
  readonly #socketPath: string;

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
    const { requests } = await this.#ask<{ readonly requests: readonly RequestRow[] }>('requests', { ...filter, limit: String(limit) });
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
    const known = new Map<string, boolean>((await this.requests(filter, maxRows)).map(({ id, ended }) => [id, ended]));
    while (!signal.aborted) {
      await sleep(followMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const rows = await this.requests(filter, maxRows);
      for (const row of [...rows].reverse()) {
        if (known.get(row.id) === true || known.get(row.id) === row.ended) continue;
        known.delete(row.id);
        known.set(row.id, row.ended);
        if (!take(row)) return;
      }
      for (const id of known.keys()) {
        if (known.size <= maxKnown) break;
        known.delete(id);
      }
    }
  }

  async dropped(windowMs: number): Promise<number> {
    const { droppedFlows } = await this.stat({ kind: 'site', windowMs: Math.max(1000, windowMs) });
    return droppedFlows;
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
