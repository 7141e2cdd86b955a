import type { Certificates } from '../certificates.ts';
import type { Processes, StartedProcess } from '../processes.ts';

/** What a target is started with. */
export interface TargetContext {
  readonly processes: Processes;
  readonly certificates: Certificates;
  /** An empty folder of its own for configuration files. */
  readonly directory: string;
  readonly httpBackendPort: number;
  readonly bulkBackendPort: number;
  /** Where routers that can profile themselves write their profiles; undefined = no profiling. */
  readonly profileDirectory: string | undefined;
}

/** A running path from a client's ports to the two backends. */
export interface Target {
  readonly name: string;
  /** The port a client connects to for the HTTP backend. */
  readonly httpPort: number;
  /** The port a client connects to for the bulk backend. */
  readonly bulkPort: number;
  /** The processes under test: none for the direct path, else the near and the far one. */
  readonly routers: readonly StartedProcess[];
}

/** One kind of path. */
export interface TargetKind {
  readonly name: string;
  /** One line for the report: versions and settings that matter. */
  describe(processes: Processes): Promise<string>;
  /** Why it cannot run here, with what to install; undefined = it can. */
  missing(): string | undefined;
  start(context: TargetContext): Promise<Target>;
}
