import type { Certificates } from '../certificates.ts';
import type { Processes, StartedProcess } from '../processes.ts';

/** What a target is started with. */
export interface TargetContext {
  readonly processes: Processes;
  readonly certificates: Certificates;
  /** An empty folder of its own for configuration files. */
  readonly directory: string;
  readonly httpBackendPort: number;
  readonly http2BackendPort: number;
  readonly bulkBackendPort: number;
  /** Where routers that can profile themselves write their profiles; undefined = no profiling. */
  readonly profileDirectory: string | undefined;
}

/**
 * What a path can carry: `tcp` is the HTTP backend's connections as they are, `http1` the same requests one by one, `http2` those to the
 * HTTP/2 backend without TLS, `bulk` connections to the bulk backend, `datagrams` both connections and datagrams to it.
 */
export type Service = 'tcp' | 'bulk' | 'http1' | 'http2' | 'datagrams';

/** A running path from a client's ports to the backends. */
export interface Target {
  readonly name: string;
  /** The port a client connects to for each service that the kind of path carries. */
  readonly ports: Readonly<Partial<Record<Service, number>>>;
  /** The processes under test: none for the direct path, else the near and the far one (with what they have started). */
  readonly routers: readonly StartedProcess[];
}

/** One kind of path. */
export interface TargetKind {
  readonly name: string;
  readonly services: readonly Service[];
  /** Runs only when it is asked for by name. */
  readonly byName?: true;
  /** One line for the report: versions and settings that matter. */
  describe(processes: Processes): Promise<string>;
  /** Why it cannot run here, with what to install; undefined = it can. */
  missing(): string | undefined;
  start(context: TargetContext): Promise<Target>;
}

/** The port of a service that the load has asked for. */
export function portOf(target: Target, service: Service): number {
  const port = target.ports[service];
  if (port === undefined) throw new Error(`${target.name} does not carry ${service}`);
  return port;
}

/** Where the far end of a path connects to for a service. */
export function backendPort(service: Service, context: TargetContext): number {
  const { httpBackendPort, http2BackendPort, bulkBackendPort } = context;
  const ports = {
    tcp: httpBackendPort,
    http1: httpBackendPort,
    http2: http2BackendPort,
    bulk: bulkBackendPort,
    datagrams: bulkBackendPort,
  };
  return ports[service];
}
