import { setTimeout as sleep } from 'node:timers/promises';
import { atEndOfTest } from './end-of-test.ts';
import { ask } from './tcp-peer.ts';

export interface RequestRecord {
  readonly startMs: number;
  readonly endMs: number;
  /** What was answered; undefined when the request was lost. */
  readonly answer: string | undefined;
  readonly error: string | undefined;
}

/**
 * Requests on connections of their own, begun at a steady rate whatever becomes of the earlier ones, or with `mostUnderWay` no more than so many
 * at a time: a machine that is too busy for the rate is not asked for more and more.
 */
export class RequestLoad {
  readonly records: RequestRecord[] = [];
  readonly #port: number;
  readonly #running = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(port: number, ratePerSecond: number, mostUnderWay = Infinity) {
    this.#port = port;
    const intervalMs = 10;
    let owed = 0;
    let lastMs = performance.now();
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      owed += ((nowMs - lastMs) * ratePerSecond) / 1000;
      lastMs = nowMs;
      for (; owed >= 1; owed--) {
        if (this.#running.size >= mostUnderWay) continue;
        const request = this.#request();
        this.#running.add(request);
        void request.finally(() => this.#running.delete(request));
      }
    }, intervalMs);
    atEndOfTest(() => clearInterval(this.#timer));
  }

  async #request(): Promise<void> {
    const startMs = performance.now();
    let answer: string | undefined;
    let error: string | undefined;
    try {
      // Longer than a listener waits for a way.
      answer = await ask(this.#port, 'request');
    } catch (failure) {
      error = (failure as NodeJS.ErrnoException).code ?? (failure as Error).message;
    }
    this.records.push({ startMs, endMs: performance.now(), answer, error });
  }

  get lost(): readonly RequestRecord[] {
    return this.records.filter(({ answer }) => answer === undefined || answer === '');
  }

  /** Begins no more requests and waits for those under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }
}

/** What an interruption at `atMs` cost. */
export interface Outage {
  readonly lost: number;
  /** Requests that were under way at that moment. */
  readonly underWay: number;
  /** From the interruption to the last moment at which a request was begun that would be lost; 0 = only those under way were lost. */
  readonly lastsMs: number;
  /** From the interruption to the first answer of a request begun after it. */
  readonly firstAnswerMs: number;
  readonly errors: string;
}

export function outage(records: readonly RequestRecord[], atMs: number): Outage {
  const lost = records.filter((record) => record.endMs >= atMs && !record.answer);
  const good = records.filter((record) => record.startMs >= atMs && record.answer);
  const counts = new Map<string, number>();
  for (const { error } of lost) counts.set(error ?? 'empty answer', (counts.get(error ?? 'empty answer') ?? 0) + 1);
  return {
    lost: lost.length,
    underWay: records.filter((record) => record.startMs < atMs && record.endMs >= atMs).length,
    lastsMs: Math.max(0, ...lost.map((record) => record.startMs - atMs)),
    firstAnswerMs: Math.min(...good.map((record) => record.endMs - atMs)),
    errors: [...counts].map(([error, count]) => `${error} ${count}`).join(', '),
  };
}

/** Lets the load run for a while: what is measured is what happens in that time. */
export async function runFor(ms: number): Promise<void> {
  await sleep(ms);
}
