import { recordCodec, type RecordCodec } from './record.ts';

/**
 * The key of `services`: a port of a service. Port 0 with protocol 0 says that the address is a service's (ARP and neighbour discovery
 * are answered, other packets refused), port 0 with protocol 1 or 58 that echo requests are answered by a backend.
 */
export interface ServiceKey {
  readonly vni: number;
  readonly address: Uint8Array;
  readonly port: number;
  readonly protocol: number;
}

export const serviceKeyCodec: RecordCodec<ServiceKey> = recordCodec('service_key', [
  ['vni', 'u32'],
  ['address', 'address'],
  ['port', 'be16'],
  ['protocol', 'u8'],
  1,
]);

/** `affinity`: all flows of a client's address go to one backend. */
export const serviceFlag = { affinity: 1 } as const;

export interface Service {
  readonly serviceId: number;
  /** In `backend_tables`. */
  readonly tableId: number;
  /** Another one whenever the backends are others: then each flow's backend is looked up in `backends` again. */
  readonly generation: number;
  /** Of `serviceFlag`. */
  readonly flags: number;
  /** That are ready. */
  readonly backends: number;
}

export const serviceCodec: RecordCodec<Service> = recordCodec('service', [
  ['serviceId', 'u32'],
  ['tableId', 'u32'],
  ['generation', 'u32'],
  ['flags', 'u16'],
  ['backends', 'u16'],
]);

/** Slots of a service's table: a prime, so that Maglev's permutations reach every slot. */
export const backendSlots = 251;

/** A slot of a service's table; the address is all zero when nobody is ready. */
export interface Backend {
  readonly address: Uint8Array;
  readonly port: number;
  readonly flags: number;
}

export const backendCodec: RecordCodec<Backend> = recordCodec('backend', [['address', 'address'], ['port', 'be16'], ['flags', 'u16'], 4]);

/** The key of `backends`. */
export interface BackendKey {
  readonly serviceId: number;
  readonly address: Uint8Array;
  readonly port: number;
}

export const backendKeyCodec: RecordCodec<BackendKey> = recordCodec('backend_key', [
  ['serviceId', 'u32'],
  ['address', 'address'],
  ['port', 'be16'],
  2,
]);

/** `draining`: keeps the TCP connections it has. */
export const backendFlag = { ready: 1, draining: 2 } as const;

export interface BackendState {
  /** One of `backendFlag`. */
  readonly flags: number;
}

export const backendStateCodec: RecordCodec<BackendState> = recordCodec('backend_state', [['flags', 'u32']]);
