import type { RequestRecord } from '../programs/load.ts';
import { percentile } from './percentile.ts';

/** What a fault at one moment did to a service. All in milliseconds. */
export interface Gap {
  /** The service was away for its users this long: the longest of the three below. */
  readonly ms: number;
  /** Longest time without any answer. */
  readonly silenceMs: number;
  /** From the fault to the begin of the last request that failed. */
  readonly lastFailedMs: number;
  /** The slowest answer of a request begun about then. */
  readonly slowestMs: number;
  readonly failed: number;
}

export interface Summary {
  readonly sent: number;
  readonly ok: number;
  readonly failed: number;
  /** Failed requests that had not reached a server. */
  readonly failedBeforeServer: number;
  /** Requests that a server saw more than once. */
  readonly repeatedAtServer: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** What became of the requests of one load. */
export class LoadRecords {
  readonly records: readonly RequestRecord[];
  readonly #reached: ReadonlyMap<number, number>;

  /** `reached`: how often each request id reached a server. */
  constructor(records: readonly RequestRecord[], reached: ReadonlyMap<number, number>) {
    this.records = records.toSorted((a, b) => a[1] - b[1]);
    this.#reached = reached;
  }

  /** Only the requests that began in a span of time. */
  between(fromMs: number, toMs: number): LoadRecords {
    return new LoadRecords(
      this.records.filter(([, startMs]) => startMs >= fromMs && startMs < toMs),
      this.#reached,
    );
  }

  get failures(): readonly RequestRecord[] {
    return this.records.filter(([, , , outcome]) => outcome !== 'ok');
  }

  hasReachedServer(id: number): boolean {
    return this.#reached.has(id);
  }

  latenciesMs(): number[] {
    return this.records.filter(([, , , outcome]) => outcome === 'ok').map(([, startMs, endMs]) => endMs - startMs);
  }

  summary(): Summary {
    const kinds: Record<string, number> = {};
    const failures = this.failures;
    for (const [, , , outcome] of failures) kinds[outcome] = (kinds[outcome] ?? 0) + 1;
    const latencies = this.latenciesMs();
    const round = (ms: number): number => Math.round(ms * 10) / 10;
    return {
      sent: this.records.length,
      ok: this.records.length - failures.length,
      failed: failures.length,
      failedBeforeServer: failures.filter(([id]) => !this.hasReachedServer(id)).length,
      repeatedAtServer: this.records.filter(([id]) => (this.#reached.get(id) ?? 0) > 1).length,
      kinds,
      p50Ms: round(percentile(latencies, 50)),
      p99Ms: round(percentile(latencies, 99)),
      maxMs: round(percentile(latencies, 100)),
    };
  }

  /** What a fault at `atMs` did until `untilMs`. */
  gap(atMs: number, untilMs: number): Gap {
    const ends = this.records
      .filter(([, , endMs, outcome]) => outcome === 'ok' && endMs >= atMs && endMs < untilMs)
      .map(([, , endMs]) => endMs)
      .toSorted((a, b) => a - b);
    let silenceMs = 0;
    let lastMs = atMs;
    for (const endMs of [...ends, untilMs]) {
      silenceMs = Math.max(silenceMs, endMs - lastMs);
      lastMs = endMs;
    }
    const touched = this.records.filter(([, startMs, endMs]) => endMs >= atMs && startMs < untilMs);
    const failed = touched.filter(([, , , outcome]) => outcome !== 'ok');
    const lastFailedMs = Math.max(0, ...failed.map(([, startMs]) => startMs - atMs));
    const slowestMs = Math.max(0, ...touched.filter(([, , , outcome]) => outcome === 'ok').map(([, startMs, endMs]) => endMs - startMs));
    return { ms: Math.max(silenceMs, lastFailedMs, slowestMs), silenceMs, lastFailedMs, slowestMs, failed: failed.length };
  }
}
