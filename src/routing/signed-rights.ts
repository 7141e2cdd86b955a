import { isToldTelemetry } from '../base/telemetry-address.ts';
import type { RoutingDiagnostics } from './events.ts';
import type { AddressDirectory } from './mobile-addresses.ts';
import type { OriginState } from './origin-state.ts';
import type { ConsumeRights } from './route-table-builder.ts';
import { SignedAddresses } from './signed-addresses.ts';
import type { SignedDatabase } from './signed-database.ts';
import { firstAddressSlot } from './signed-record.ts';
import type { Credential } from './trust.ts';
import type { UnsignedRouters } from './unsigned-routers.ts';

/** What other routers may announce and send to, by the credentials of those that sign and, for the others, of those that stand for them. */
export class SignedRights implements ConsumeRights {
  readonly #selfId: string;
  readonly #database: SignedDatabase;
  readonly #unsigned: UnsignedRouters;
  readonly #directory: AddressDirectory;
  readonly #addresses: SignedAddresses;
  /** Credentials of routers that have sent messages through here. */
  readonly #consumers = new Map<string, Credential>();
  /** Set when credentials have changed that answers may rest on; cleared by the owner. */
  hasChanged = false;

  constructor(
    selfId: string,
    database: SignedDatabase,
    unsigned: UnsignedRouters,
    directory: AddressDirectory,
    diagnostics: RoutingDiagnostics,
  ) {
    this.#selfId = selfId;
    this.#database = database;
    this.#unsigned = unsigned;
    this.#directory = directory;
    this.#addresses = new SignedAddresses(directory, diagnostics);
  }

  recordsChanged(before: OriginState | undefined, after: OriginState): void {
    if (after.size <= firstAddressSlot && (before?.size ?? 0) <= firstAddressSlot) return;
    this.#addresses.change(before, after, this.#database.credentialOf(after.origin));
  }

  credentialChanged(state: OriginState): void {
    this.hasChanged = true;
    this.#consumers.delete(state.origin);
    // What was learned of the router before it was known to sign is void.
    this.#addresses.install(state, state.size > firstAddressSlot ? this.#database.credentialOf(state.origin) : undefined);
  }

  /** Credentials may not hold any more: each is looked up again when it is next needed. */
  reviewed(): void {
    this.hasChanged = true;
    this.#consumers.clear();
  }

  /** Nothing is known of a router any more. */
  drop(routerId: string): void {
    this.#directory.flush(routerId);
    this.#consumers.delete(routerId);
  }

  /** Asked for each message: the credential of a router is looked up once. */
  mayConsume(routerId: string, address: string): boolean {
    if (routerId === this.#selfId) return true;
    let credential = this.#consumers.get(routerId);
    if (credential === undefined) {
      credential = this.#database.credentialOf(routerId);
      if (credential === undefined) return this.#unsigned.mayConsume(routerId, address);
      this.#consumers.set(routerId, credential);
    }
    return credential.consume.allows(address) || isToldTelemetry(address) || this.#addresses.refuseConsumer(credential, address);
  }

  /** Whether it is known what a router may do: not so when it, or this router, has just come into the network. */
  knowsRightsOf(routerId: string): boolean {
    return routerId === this.#selfId || this.#database.isJudged(routerId) || this.#unsigned.isStoodFor(routerId);
  }
}
