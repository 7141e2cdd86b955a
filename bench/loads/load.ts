import type { Processes } from '../processes.ts';
import type { Service, Target } from '../targets/target.ts';

/** What a load is run with. */
export interface LoadContext {
  readonly processes: Processes;
  /** How long one measurement takes. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly bulkBackendPort: number;
  /** For files of the load. */
  readonly directory: string;
}

/** What the project wants of one number: a ratio to another target's, or the number itself. */
export interface Aim {
  /** Undefined: the limit is on the value itself, not on a ratio. */
  readonly against: string | undefined;
  readonly limit: number;
}

/** One number that a load gives. */
export interface Metric {
  readonly key: string;
  /** Column heading, with the unit. */
  readonly title: string;
  readonly digits: number;
  readonly better: 'higher' | 'lower';
  readonly aims: readonly Aim[];
}

/** The numbers of one measurement, by `Metric.key`; a number that the target does not have is absent. */
export type Sample = Readonly<Record<string, number>>;

/** One way of loading a path. */
export interface Load {
  readonly name: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  /** What goes through the path; paths that do not carry it are left out. */
  readonly service: Service;
  /** True: every measurement gets a path of its own, just started, that carried nothing yet. */
  readonly fresh: boolean;
  /** True: says nothing about the direct path. */
  readonly needsRouters: boolean;
  /** Why it cannot run here, with what to install; undefined = it can. */
  missing(): string | undefined;
  /** Load that is not counted, before each measurement: the path was at rest. */
  warmUp(target: Target, context: LoadContext): Promise<void>;
  measure(target: Target, context: LoadContext): Promise<Sample>;
}
