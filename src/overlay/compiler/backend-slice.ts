import { hexOf, octetsOf, type AddressHex } from '../control/address.ts';
import { formatAddress, parseAddress } from '../packet/address.ts';

/**
 * Endpoints of one host that are behind a service, as that host says them in `slice/<vpc>/<service>/<host id>`:
 * `{ "ready": ["10.0.0.5", "fd00::5"], "draining": ["10.0.0.7"] }`. Only their own host writes them.
 */
export interface BackendSlice {
  /** Addresses that new connections go to. */
  readonly ready: readonly AddressHex[];
  /** Addresses that keep the connections that they have: endpoints that are still there, but not behind the service any more. */
  readonly draining: readonly AddressHex[];
}

/** Addresses of one slice: they fit into a record of the catalog, and a table has no more slots. */
export const sliceAddressLimit = 256;

export function sliceKey(vpc: string, service: string, hostId: number): string {
  return `slice/${vpc}/${service}/${hostId}`;
}

/**
 * What a host's slice is to be: `members` are the addresses of its endpoints behind the service. Those of `before` that are not, but `isHere`,
 * drain. Undefined when there is nothing to say.
 */
export function nextSlice(
  members: Iterable<AddressHex>,
  before: BackendSlice | undefined,
  isHere: (address: AddressHex) => boolean,
): BackendSlice | undefined {
  const ready = [...new Set(members)].sort().slice(0, sliceAddressLimit);
  const isReady = new Set(ready);
  const left = [...(before?.ready ?? []), ...(before?.draining ?? [])].filter((address) => !isReady.has(address) && isHere(address));
  const draining = [...new Set(left)].sort().slice(0, sliceAddressLimit - ready.length);
  return ready.length + draining.length === 0 ? undefined : { ready, draining };
}

/** As the catalog has it. */
export function sliceRecord({ ready, draining }: BackendSlice): { readonly ready: string[]; readonly draining: string[] } {
  const texts = (addresses: readonly AddressHex[]): string[] => addresses.map((address) => formatAddress(octetsOf(address)));
  return { ready: texts(ready), draining: texts(draining) };
}

/** A record of the catalog; what is not as it should be counts as nothing. */
export function readSlice(value: unknown): BackendSlice {
  const { ready, draining } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return { ready: addressesIn(ready), draining: addressesIn(draining) };
}

export function isSameSlice(one: BackendSlice | undefined, other: BackendSlice | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function addressesIn(value: unknown): readonly AddressHex[] {
  if (!Array.isArray(value)) return [];
  return (value as readonly unknown[]).slice(0, sliceAddressLimit).flatMap((text) => {
    const octets = typeof text === 'string' ? parseAddress(text) : undefined;
    return octets === undefined ? [] : [hexOf(octets)];
  });
}
