import type { Clock } from '../base/clock.ts';
import type { NetworkModel } from '../flows/network-model.ts';
import type { History } from './history.ts';

/** What answers are made from. */
export interface ObserverState {
  readonly version: string;
  readonly clock: Clock;
  /** When observing began, by the wall clock. */
  readonly startedMs: number;
  readonly model: NetworkModel;
  readonly history: History;
  readonly site: ObservedSite;
  /** State of what goes out: traces, metrics, access logs. */
  readonly exports: () => readonly ExportState[];
  /** The text of `/metrics`. */
  readonly metrics: () => string;
}

/** The observer's own site. */
export interface ObservedSite {
  readonly isConnected: boolean;
  /** What the site said of itself last; undefined before it has. */
  readonly status: Readonly<Record<string, unknown>> | undefined;
  /** Has the site checked. Throws WeatherError while it does not run. */
  check(): Promise<Readonly<Record<string, unknown>>>;
}

export interface ExportState {
  readonly name: string;
  readonly state: 'ok' | 'failing';
  readonly message: string | null;
  /** What was given up. */
  readonly lost: number;
}
