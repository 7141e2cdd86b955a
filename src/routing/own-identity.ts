import type { RoutingDiagnostics } from './events.ts';
import { IdentityFence } from './identity-fence.ts';
import type { OriginState } from './origin-state.ts';
import { credentialSlot, hexOf, isOfKey, maxEpoch, type SignedRecord } from './signed-record.ts';
import type { Credential, RoutingTrust } from './trust.ts';

/** What hearing a record of the own identity says about the neighbour that passed it on. */
export type OwnRecordVerdict = 'harmless' | 'forged';

/** Listens for records of this router that it has not made: its own past, or another process with its identity. */
export class OwnIdentity {
  readonly #selfId: string;
  readonly #trust: RoutingTrust;
  readonly #diagnostics: RoutingDiagnostics;
  readonly #fence: IdentityFence;
  #conflictReported = false;
  /** This router has given way to another process with its identity. Only changed here. */
  isFenced = false;

  constructor(selfId: string, trust: RoutingTrust, diagnostics: RoutingDiagnostics) {
    this.#selfId = selfId;
    this.#trust = trust;
    this.#diagnostics = diagnostics;
    this.#fence = new IdentityFence(trust.nonce);
  }

  /** The credential of this router; undefined while it does not hold. */
  credential(): Credential | undefined {
    const credential = this.#trust.credentialOf(this.#trust.credential);
    return typeof credential === 'string' ? undefined : credential;
  }

  /** The owner has given a new epoch. */
  epochTaken(): void {
    this.#fence.answered();
  }

  /** A record in the name of this router. `held`: what this router says itself, under the epoch `ownEpoch`. */
  hear(record: SignedRecord, held: OriginState | undefined, ownEpoch: number, nowMs: number): OwnRecordVerdict {
    if (held === undefined || record.epoch < ownEpoch || !held.wants(record)) return 'harmless';
    const credential = record.slot === credentialSlot ? this.#trust.credentialOf(record.payload) : (this.credential() ?? 'pending');
    if (typeof credential === 'string' || credential.routerId !== this.#selfId) return 'harmless';
    if (!isOfKey(record, credential)) return 'harmless';
    if (!this.#trust.verify(credential, record.signed, record.signature)) return 'forged';
    this.#heed(record, ownEpoch, nowMs);
    return 'harmless';
  }

  #heed(record: SignedRecord, ownEpoch: number, nowMs: number): void {
    const { epochAbove, conflict, fenced } = this.#fence.hear(record.epoch, record.nonce, ownEpoch, nowMs);
    if (conflict && !this.#conflictReported) {
      this.#conflictReported = true;
      const nonces = { nonce: hexOf(this.#trust.nonce), otherNonce: hexOf(record.nonce) };
      this.#diagnostics.emit({ type: 'identityConflict', routerId: this.#selfId, ...nonces });
    }
    if (fenced) this.#giveWay('another process has the same identity');
    // Who has a copy of the key can use up all epochs: then only a new identity helps.
    else if (epochAbove !== undefined && epochAbove >= maxEpoch) this.#giveWay('another process has taken the last epoch of this identity');
    else if (epochAbove !== undefined && !this.isFenced) this.#diagnostics.emit({ type: 'epochNeeded', above: epochAbove });
  }

  #giveWay(reason: string): void {
    if (this.isFenced) return;
    this.isFenced = true;
    this.#diagnostics.emit({ type: 'fenced', routerId: this.#selfId, reason });
  }
}
