import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RequestTrace } from '../flows/network-snapshot.ts';
import type { ExportState } from './observer-state.ts';
import { metricsMessage, readTraceparent, spansOf, tracesMessage, type SiteSpans } from './otlp-encoding.ts';
import type { TotalSeries } from './traffic-totals.ts';

export interface OtlpExportOptions {
  /** Base of the receiver: traces go to `<endpoint>/v1/traces`. */
  readonly endpoint: string;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly totals: () => Iterable<TotalSeries>;
  readonly periods?: { readonly tracesMs: number; readonly metricsMs: number; readonly firstRetryMs: number };
}

/** Traces that wait; some 20 MB. */
const maxWaiting = 5000;
/** Traces in one message. */
const maxBatch = 512;
const answerTimeoutMs = 10_000;
/** Tries of one message, with pauses that double. Then it is given up. */
const maxTries = 5;
const longestPauseMs = 30_000;
const defaultPeriods = { tracesMs: 2000, metricsMs: 15_000, firstRetryMs: 1000 };
/** Answers after which the same message may be sent again. */
const retriedStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** Sends a trace for each request and connection that is recorded, and the sums of traffic, to a receiver of OTLP over HTTP. */
export class OtlpExport implements AsyncDisposable {
  readonly #options: OtlpExportOptions;
  readonly #ending = new AbortController();
  readonly #startedMs: number;
  readonly #running: Promise<unknown>;
  #waiting: (readonly SiteSpans[])[] = [];
  #lost = 0;
  #failure: string | undefined;

  constructor(options: OtlpExportOptions) {
    this.#options = options;
    this.#startedMs = options.clock.wallMs();
    const { tracesMs, metricsMs } = options.periods ?? defaultPeriods;
    this.#running = Promise.all([this.#repeat(tracesMs, () => this.#sendTraces()), this.#repeat(metricsMs, () => this.#sendMetrics())]);
  }

  get exportState(): ExportState {
    const state = this.#failure === undefined ? 'ok' : 'failing';
    return { name: 'otlp', state, message: this.#failure ?? null, lost: this.#lost };
  }

  /** Exports a request. `traceparent` is the client's, empty without one: the spans become part of its trace. */
  add(trace: () => RequestTrace | undefined, traceparent: string): void {
    const joined = readTraceparent(traceparent);
    if (joined === 'unsampled') return;
    if (this.#waiting.length >= maxWaiting) {
      this.#lost++;
      return;
    }
    const found = trace();
    if (found === undefined) return;
    const context = joined ?? { traceId: randomBytes(16).toString('hex') };
    this.#waiting.push(spansOf(found, context, () => randomBytes(8).toString('hex')));
  }

  /** Sends once more what waits, without trying again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#running;
    const batch = this.#waiting.splice(0, maxBatch);
    if (batch.length > 0) await this.#post('/v1/traces', tracesMessage(batch.flat(), this.#options.version));
  }

  async #sendTraces(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#ending.signal.aborted) {
      const batch = this.#waiting.splice(0, maxBatch);
      const isTaken = await this.#deliver('/v1/traces', tracesMessage(batch.flat(), this.#options.version));
      if (!isTaken) this.#lost += batch.length;
    }
  }

  async #sendMetrics(): Promise<void> {
    const { version, clock, totals } = this.#options;
    const series = [...totals()];
    // A message that is not taken is made up for by the next: sums only grow.
    if (series.length > 0) await this.#post('/v1/metrics', metricsMessage(series, version, this.#startedMs, clock.wallMs()));
  }

  /** Sends a message until it is taken, or there is no use in it. */
  async #deliver(path: string, message: unknown): Promise<boolean> {
    let pauseMs = (this.#options.periods ?? defaultPeriods).firstRetryMs;
    for (let tries = 1; ; tries++) {
      const result = await this.#post(path, message);
      if (result === 'taken') return true;
      if (result === 'refused' || tries === maxTries || this.#ending.signal.aborted) return false;
      await this.#pause(Math.max(pauseMs, result));
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  }

  /** A number: try again, after at least so many milliseconds. */
  async #post(path: string, message: unknown): Promise<'taken' | 'refused' | number> {
    const { endpoint, log } = this.#options;
    let reason: string;
    let result: 'refused' | number = 0;
    try {
      const response = await fetch(`${endpoint.replace(/\/+$/, '')}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(message),
        redirect: 'error',
        signal: AbortSignal.timeout(answerTimeoutMs),
      });
      await response.body?.cancel();
      if (response.ok) {
        if (this.#failure !== undefined) log.info('the receiver takes what is exported again', { lost: this.#lost });
        this.#failure = undefined;
        return 'taken';
      }
      reason = `it answered with ${response.status}`;
      const seconds = Number(response.headers.get('retry-after') ?? 0);
      result = retriedStatuses.has(response.status) ? Math.min(Number.isFinite(seconds) ? seconds * 1000 : 0, longestPauseMs) : 'refused';
    } catch (error) {
      const { cause, message: text } = error as Error;
      reason = cause instanceof Error ? cause.message : text;
    }
    if (this.#failure === undefined) log.warn('what is exported is not taken', { endpoint, reason });
    this.#failure = reason;
    return result;
  }

  async #repeat(periodMs: number, run: () => Promise<void>): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await this.#pause(periodMs);
      if (!this.#ending.signal.aborted) await run();
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }
}
