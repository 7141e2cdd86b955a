import { isOwnTelemetry } from '../base/telemetry-address.ts';
import { BoundedSet } from './bounded-set.ts';
import { isPowerOfTwo, type RoutingDiagnostics } from './events.ts';
import type { AddressDirectory } from './mobile-addresses.ts';
import type { OriginState } from './origin-state.ts';
import type { Treatment } from './route-table.ts';
import { firstAddressSlot } from './signed-record.ts';
import type { Credential } from './trust.ts';

/** Router and address pairs that were reported for going beyond a grant, and routers of which the reports are counted. */
const maxReported = 4_096;
/** Addresses reported of one router, then the 32nd, 64th ... only: who makes up addresses must not fill the logs of all others. */
const reportsEach = 16;

/** Brings the addresses of signed records into the directory, as far as their origins' grants reach. */
export class SignedAddresses {
  readonly #directory: AddressDirectory;
  readonly #diagnostics: RoutingDiagnostics;
  readonly #reported = new BoundedSet(maxReported);
  readonly #reports = new Map<string, number>();

  constructor(directory: AddressDirectory, diagnostics: RoutingDiagnostics) {
    this.#directory = directory;
    this.#diagnostics = diagnostics;
  }

  /** The records of an origin have changed: only slots that did are looked at. */
  change(before: OriginState | undefined, after: OriginState, credential: Credential | undefined): void {
    const end = Math.max(before?.size ?? 0, after.size);
    for (let slot = firstAddressSlot; slot < end; slot++) {
      const old = before?.addressSlot(slot);
      const current = after.addressSlot(slot);
      if (old !== current) this.#changeSlot(after, old?.addresses?.addresses, current?.addresses?.addresses, credential);
    }
  }

  /** The credential of an origin has changed, and with it perhaps what it may announce. */
  install(state: OriginState, credential: Credential | undefined): void {
    this.#directory.flush(state.origin);
    this.change(undefined, state, credential);
  }

  #changeSlot(
    state: OriginState,
    before: ReadonlyMap<string, Treatment> | undefined,
    after: ReadonlyMap<string, Treatment> | undefined,
    credential: Credential | undefined,
  ): void {
    const gone: string[] = [];
    for (const key of before?.keys() ?? []) if (after?.has(key) !== true && !isInSomeSlot(state, key)) gone.push(key);
    const granted = new Map<string, Treatment>();
    for (const [key, treatment] of after ?? []) {
      if (credential !== undefined && this.#isGranted(credential, key)) granted.set(key, treatment);
    }
    if (!this.#directory.change(state.origin, granted, gone)) this.#diagnostics.limitReached('addressesPerRouter', state.origin);
  }

  #isGranted(credential: Credential, key: string): boolean {
    const address = key.slice(1);
    if (isOwnTelemetry(address)) return true;
    return credential.advertise.allows(address) || this.#report(credential, address, 'advertise');
  }

  /** Tells of a router that sends to an address that it may not send to; always false. */
  refuseConsumer(credential: Credential, address: string): false {
    return this.#report(credential, address, 'consume');
  }

  #report({ routerId, siteName }: Credential, address: string, right: 'advertise' | 'consume'): false {
    if (!this.#reported.add(`${right} ${routerId} ${address}`)) return false;
    // Of each right by itself: made-up addresses must not hide from the logs where a router sends to.
    const reports = `${right} ${routerId}`;
    const count = (this.#reports.get(reports) ?? 0) + 1;
    if (this.#reports.size >= maxReported) this.#reports.clear();
    this.#reports.set(reports, count);
    if (count <= reportsEach || isPowerOfTwo(count)) this.#diagnostics.emit({ type: 'grantViolation', routerId, siteName, address, right });
    return false;
  }
}

/** An address that came back may be in another slot than before. */
function isInSomeSlot(state: OriginState, key: string): boolean {
  for (let slot = firstAddressSlot; slot < state.size; slot++)
    if (state.addressSlot(slot)?.addresses?.addresses.has(key) === true) return true;
  return false;
}
