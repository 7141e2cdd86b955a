/** A service in the world of the program tests: its records, and runs that follow each other with what the last one left. */
import { backendFlag, backendSlots, serviceFlag, type Backend, type BackendState, type Service } from '../../src/overlay/layout/service.ts';
import { endpointFlag } from '../../src/overlay/layout/endpoint.ts';
import { portFlag } from '../../src/overlay/layout/port.ts';
import type { Translation } from '../../src/overlay/layout/translation.ts';
import { backendName, serviceName, type ServiceTables } from '../../src/overlay/model/service.ts';
import type { Tables } from '../../src/overlay/model/tables.ts';
import { isIpv4 } from '../../src/overlay/packet/address.ts';
import { ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { address, keyName, neighbour, pathTo, pod, remote, vni, type Outcome, type ProgramWorld } from './program-world.ts';

/** In no subnet. */
export const front = { ipv4: address('172.20.0.10'), ipv6: address('fd20::10') };
/** Another one with the same backends. */
export const second = { ipv4: address('172.20.0.11'), ipv6: address('fd20::11') };
export const servicePort = 80;
export const backendPort = 8080;

export interface ServiceOptions {
  readonly at: Uint8Array;
  readonly vni?: number;
  readonly serviceId?: number;
  readonly generation?: number;
  readonly affinity?: boolean;
  readonly backends: readonly Uint8Array[];
  /** Not for new flows. */
  readonly draining?: readonly Uint8Array[];
  readonly port?: number;
}

const nobody: Backend = { address: new Uint8Array(16), port: 0, flags: 0 };

/** TCP and UDP at one port, and echoes. Backends take the slots in turn. */
export function servicesOf(...services: readonly ServiceOptions[]): ServiceTables {
  const records = new Map<string, Service>();
  const states = new Map<string, BackendState>();
  const tables = new Map<number, Backend[]>();
  for (const { at, serviceId = 1, generation = 1, backends, draining = [], port = backendPort, ...options } of services) {
    const record: Service = {
      serviceId,
      tableId: serviceId - 1,
      generation,
      flags: options.affinity === true ? serviceFlag.affinity : 0,
      backends: backends.length,
    };
    const protocols = [ipProtocol.tcp, ipProtocol.udp].map((protocol) => ({ protocol, port: servicePort }));
    const echo = { protocol: isIpv4(at) ? ipProtocol.icmp : ipProtocol.icmpv6, port: 0 };
    for (const key of [...protocols, echo, { protocol: 0, port: 0 }])
      records.set(serviceName({ vni: options.vni ?? vni, address: at, ...key }), record);
    for (const backend of backends) states.set(backendName({ serviceId, address: backend, port }), { flags: backendFlag.ready });
    for (const backend of draining) states.set(backendName({ serviceId, address: backend, port }), { flags: backendFlag.draining });
    const slots = Array.from({ length: backendSlots }, (_, slot) =>
      backends.length === 0 ? nobody : { address: backends[slot % backends.length]!, port, flags: 0 },
    );
    tables.set(serviceId - 1, slots);
  }
  return { services: records, backendTables: tables, backends: states, translations: new Map() };
}

/** Runs where the VPC has services; what is translated stays from one run to the next. */
export class ServiceWorld {
  readonly world: ProgramWorld;
  translations: ReadonlyMap<string, Translation> = new Map();

  constructor(world: ProgramWorld) {
    this.world = world;
  }

  run(program: string, frame: Uint8Array, services: ServiceTables, changes: Partial<Omit<Tables, 'ownerTables'>> = {}): Outcome {
    const { translations } = this;
    const outcome = this.world.run(program, frame, {
      ...withServices(this.world.tables),
      ...changes,
      services: { ...services, translations },
    });
    this.translations = outcome.translations;
    return outcome;
  }

  /** As the other pod of this host, by the same interface. */
  runAsNeighbour(program: string, frame: Uint8Array, services: ServiceTables): Outcome {
    const { ports } = withServices(this.world.tables);
    const port = ports!.get(pod.ifindex)!;
    const { mac, ipv4, ipv6 } = neighbour;
    return this.run(program, frame, services, { ports: new Map([[pod.ifindex, { ...port, mac, ipv4, ipv6 }]]) });
  }
}

/** Ports and local endpoints whose VPC has services, and paths to `remote`. */
export function withServices(tables: Tables): Partial<Tables> {
  return {
    ports: new Map([...tables.ports].map(([ifindex, port]) => [ifindex, { ...port, flags: port.flags | portFlag.hasServices }])),
    endpoints: new Map(
      [...tables.endpoints].map(([name, endpoint]) => [
        name,
        endpoint.ifindex === 0 ? endpoint : { ...endpoint, flags: endpoint.flags | endpointFlag.hasServices },
      ]),
    ),
    paths: new Map([remote.ipv4, remote.ipv6].map((of) => [keyName(of), pathTo(2, 21)])),
  };
}
