import { BoundedSet } from './bounded-set.ts';
import type { RoutingDiagnostics } from './events.ts';
import { limits } from './limits.ts';
import { hasRoom, OriginQuotas } from './origin-quota.ts';
import type { OriginState } from './origin-state.ts';
import { RecordStore } from './record-store.ts';
import type { RouterIndex } from './router-index.ts';
import { credentialSlot, isNewer, type SignedRecord } from './signed-record.ts';
import type { Credential, RoutingTrust } from './trust.ts';
import { WaitingRecords, type WaitingRecord } from './waiting-records.ts';

/** Records of busy origins that wait for their turn. */
const maxDeferred = 4_096;

/** What became of a record. */
export type RecordVerdict =
  | 'accepted'
  /** Held already, or older than what is held. */
  | 'known'
  /** Its credential is being checked; judged again then. */
  | 'pending'
  /** Its origin has changed too much lately; judged again in a while. */
  | 'deferred'
  | 'unknown origin'
  | 'credential refused'
  /** Made in the same life as the credential, so that it cannot be of another key: a forgery. */
  | 'forged'
  | 'invalid signature'
  | 'malformed'
  | 'over quota';

/** Hears of each record that is accepted. `fromLink`: where it came in; -1 for an own one. */
export type RecordHandler = (record: SignedRecord, before: OriginState | undefined, after: OriginState, fromLink: number) => void;

/**
 * The records that hold: each was signed by its origin, whose credential leads to the network's root, and is the newest of its slot that is known
 * here.
 */
export class SignedDatabase {
  readonly store: RecordStore;
  readonly #index: RouterIndex;
  readonly #trust: RoutingTrust;
  readonly #diagnostics: RoutingDiagnostics;
  readonly #accepted: RecordHandler;
  readonly #quotas = new OriginQuotas();
  /** Records of origins whose credential is pending. */
  readonly #pending = new WaitingRecords();
  /** Routers whose credential was found not to hold any more: nothing unsigned is believed of them either. */
  readonly #outcasts = new BoundedSet(limits.signedRouters);
  /** By origin and slot. */
  readonly #deferred = new Map<string, WaitingRecord>();

  constructor(index: RouterIndex, trust: RoutingTrust, diagnostics: RoutingDiagnostics, accepted: RecordHandler) {
    this.store = new RecordStore(index);
    this.#index = index;
    this.#trust = trust;
    this.#diagnostics = diagnostics;
    this.#accepted = accepted;
  }

  /** Stores an own record. */
  putOwn(record: SignedRecord): void {
    const origin = this.#index.indexOf(record.origin);
    this.store.put(origin, record);
    this.store.setReachable(origin, true);
  }

  /** What an origin's credential proves; undefined while there is none, or it is pending or refused. */
  credentialOf(routerId: string): Credential | undefined {
    const state = this.store.of(routerId);
    return state === undefined ? undefined : this.#credentialOf(state);
  }

  #credentialOf(state: OriginState): Credential | undefined {
    const { credential } = state;
    if (credential === undefined) return undefined;
    const verdict = this.#trust.credentialOf(credential.payload);
    return typeof verdict === 'string' ? undefined : verdict;
  }

  /**
   * Whether a router is known to sign: a valid credential of it is held, or was held and is refused now. One that is only being checked may be
   * anybody's invention, and would silence a router that does not sign.
   */
  isSigner(routerId: string): boolean {
    return this.store.of(routerId)?.credential !== undefined || this.#outcasts.has(routerId);
  }

  /** Whether it is decided what the credential of a router is worth: not so while none is held, or its certificates are being checked. */
  isJudged(routerId: string): boolean {
    const credential = this.store.of(routerId)?.credential;
    return credential === undefined ? this.#outcasts.has(routerId) : this.#trust.credentialOf(credential.payload) !== 'pending';
  }

  /** Drops a router whose credential does not hold any more. */
  castOut(origin: number): void {
    this.#outcasts.add(this.#index.idOf(origin));
    this.store.remove(origin);
  }

  /** A record from a neighbour. */
  receive(record: SignedRecord, fromLink: number): RecordVerdict {
    const origin = record.numberIn(this.#index);
    const state = origin < 0 ? undefined : this.store.at(origin);
    if (state !== undefined && !state.wants(record)) return 'known';
    if (state === undefined && this.store.size >= limits.signedRouters) {
      this.#diagnostics.limitReached('signedRouters', record.origin);
      return 'over quota';
    }
    const credential = this.#judgeCredential(record, state);
    if (credential === 'pending') return this.#pending.add(record, fromLink);
    if (typeof credential === 'string') return credential;
    if (origin >= 0 && this.#quotas.isBusy(origin)) return this.#defer(record, credential, fromLink);
    if (!this.#trust.verify(credential, record.signed, record.signature)) {
      const sameLife = record.slot !== credentialSlot && state?.credential !== undefined && isSameLife(record, state.credential);
      return sameLife ? 'forged' : 'invalid signature';
    }
    if (!record.isWellFormed) return 'malformed';
    if (!hasRoom(state, record, this.store.bytes, this.store.size)) {
      this.#diagnostics.originOverQuota(record.origin, 'bytes');
      return 'over quota';
    }
    // Only who has a credential gets a number: the index cannot be filled with invented names.
    const number = origin >= 0 ? origin : this.#index.indexOf(record.origin);
    this.#quotas.countUpdate(number);
    const after = this.store.put(number, record);
    if (record.slot === credentialSlot) this.#outcasts.delete(record.origin);
    this.#accepted(record, state, after, fromLink);
    return 'accepted';
  }

  #judgeCredential(record: SignedRecord, state: OriginState | undefined): Credential | 'pending' | 'unknown origin' | 'credential refused' {
    const isCredential = record.slot === credentialSlot;
    const payload = isCredential ? record.payload : state?.credential?.payload;
    if (payload === undefined) return this.#pending.has(record.origin) ? 'pending' : 'unknown origin';
    const verdict = this.#trust.credentialOf(payload);
    if (verdict === 'pending') return 'pending';
    return verdict === 'refused' || verdict.routerId !== record.origin ? 'credential refused' : verdict;
  }

  #defer(record: SignedRecord, credential: Credential, fromLink: number): RecordVerdict {
    this.#diagnostics.originOverQuota(record.origin, 'updates');
    const key = `${record.slot} ${record.origin}`;
    const waiting = this.#deferred.get(key);
    if (waiting === undefined && this.#deferred.size >= maxDeferred) return 'over quota';
    if (waiting !== undefined && !isNewer(record, waiting.record)) return 'deferred';
    // What came on one link takes the place of what came on another only if it is genuine.
    if (waiting !== undefined && waiting.fromLink !== fromLink && !this.#trust.verify(credential, record.signed, record.signature)) {
      return 'invalid signature';
    }
    this.#deferred.set(key, { record, fromLink });
    return 'deferred';
  }

  /** Certificates may have been decided: records that waited for them are judged again, in the order credential first. */
  retryPending(judge: (record: SignedRecord, fromLink: number) => void): void {
    for (const { record, fromLink } of this.#pending.take()) judge(record, fromLink);
  }

  /** A second has passed: updates that had to wait are judged. */
  refill(judge: (record: SignedRecord, fromLink: number) => void): void {
    this.#quotas.refill();
    if (this.#deferred.size === 0) return;
    const deferred = [...this.#deferred.values()];
    this.#deferred.clear();
    for (const { record, fromLink } of deferred) judge(record, fromLink);
  }

  /** Origins of which a credential is held that is refused now. */
  refused(): number[] {
    const refused: number[] = [];
    for (const state of this.store.all()) {
      const { credential } = state;
      if (credential !== undefined && this.#trust.credentialOf(credential.payload) === 'refused')
        refused.push(this.#index.find(state.origin));
    }
    return refused;
  }
}

function isSameLife(record: SignedRecord, credential: SignedRecord): boolean {
  return record.epoch === credential.epoch && record.nonce.every((octet, at) => octet === credential.nonce[at]);
}
