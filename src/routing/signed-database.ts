import { BoundedSet } from './bounded-set.ts';
import type { RoutingDiagnostics } from './events.ts';
import { limits } from './limits.ts';
import { hasRoom, OriginQuotas } from './origin-quota.ts';
import { OriginRenewals } from './origin-renewals.ts';
import type { OriginState } from './origin-state.ts';
import { RecordStore } from './record-store.ts';
import type { RouterIndex } from './router-index.ts';
import { credentialSlot, isNewer, isOfKey, linkStateSlot, type SignedRecord } from './signed-record.ts';
import type { Credential, RoutingTrust } from './trust.ts';
import { WaitingRecords, type WaitingPortion, type WaitingRecord } from './waiting-records.ts';

/** Records of busy origins that wait for their turn. */
const maxDeferred = 4_096;
/** Octets of all records whose credential is being checked: a large network that is just being learned. */
const maxPendingOctets = 33_554_432;
/** Octets of all records whose credential is not held: a few origins that have changed their keys. */
const maxKeylessOctets = 4_194_304;
/** They wait so many seconds. In two of them differing digests have neighbours tell each other what they hold (flood.ts). */
const keylessSeconds = 10;
/** An origin is forgotten this many sweeps after it was last reachable, at most. */
const maxIdleSweeps = 255;

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
  /** It was signed with another key than the credential held is of; waits a while for that one. */
  | 'unknown key'
  /** It names the key of the credential, and is not signed with it. */
  | 'forged'
  | 'malformed'
  | 'over quota';

/** Hears of each record that is accepted. `fromLink`: where it came in; -1 for an own one. */
export type RecordHandler = (record: SignedRecord, before: OriginState | undefined, after: OriginState, fromLink: number) => void;
/** Judges a record that has waited. */
export type WaitedHandler = (record: SignedRecord, fromLink: number) => void;

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
  readonly #waited: WaitedHandler;
  readonly #renewals = new OriginRenewals();
  readonly #quotas = new OriginQuotas();
  /** Records of origins whose credential is pending. */
  readonly #pending = new WaitingRecords(maxPendingOctets);
  /** Records that name a key of which no credential is held. */
  readonly #keyless = new WaitingRecords(maxKeylessOctets);
  /** Routers whose credential was found not to hold any more: nothing unsigned is believed of them either. */
  readonly #outcasts = new BoundedSet(limits.signedRouters);
  /** By origin and slot. */
  readonly #deferred = new Map<string, WaitingRecord>();

  constructor(index: RouterIndex, trust: RoutingTrust, diagnostics: RoutingDiagnostics, accepted: RecordHandler, waited: WaitedHandler) {
    this.store = new RecordStore(index);
    this.#index = index;
    this.#trust = trust;
    this.#diagnostics = diagnostics;
    this.#accepted = accepted;
    this.#waited = waited;
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

  /** A record from a neighbour. `origin`: the number of its origin; -1 if it has none. */
  receive(record: SignedRecord, origin: number, fromLink: number): RecordVerdict {
    const state = origin < 0 ? undefined : this.store.at(origin);
    if (state !== undefined && !state.wants(record)) return 'known';
    if (state?.linkState === undefined && this.#renewals.isReplay(record)) return 'known';
    if (state === undefined && this.store.size >= limits.signedRouters) {
      this.#diagnostics.limitReached('signedRouters', record.origin);
      return 'over quota';
    }
    const credential = this.#judgeCredential(record, state);
    if (credential === 'pending') return this.#pending.add(record, fromLink);
    if (typeof credential === 'string') return credential;
    if (!isOfKey(record, credential)) return this.#addKeyless(record, fromLink);
    if (origin >= 0 && this.#quotas.isBusy(origin)) return this.#defer(record, credential, fromLink);
    if (!this.#trust.verify(credential, record.signed, record.signature)) {
      return 'forged';
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
    if (record.slot === linkStateSlot) this.#renewals.renewed(number, record);
    this.#accepted(record, state, after, fromLink);
    if (record.slot === credentialSlot && this.#keyless.size > 0) {
      for (const waiting of this.#keyless.takeOf(record.origin)) this.#waited(waiting.record, waiting.fromLink);
    }
    return 'accepted';
  }

  /**
   * A record of another key than the credential that holds. Its own one is being checked, or is on the way, or has been superseded: that cannot
   * be told, and is nobody's fault.
   */
  #addKeyless(record: SignedRecord, fromLink: number): RecordVerdict {
    if (record.slot === credentialSlot) return 'malformed';
    if (this.#pending.has(record.origin)) return this.#pending.add(record, fromLink);
    const added = this.#keyless.add(record, fromLink);
    return added === 'pending' ? 'unknown key' : added;
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
      return 'forged';
    }
    this.#deferred.set(key, { record, fromLink });
    return 'deferred';
  }

  /** Origins of which records wait for certificates. */
  get originsPending(): number {
    return this.#pending.size;
  }

  /** Certificates may have been decided: a portion of the records that waited for them is judged again. The number of origins looked at. */
  retryPending(portion: WaitingPortion): number {
    const { records, looked } = this.#pending.take(portion, this.#isDecided);
    for (const { record, fromLink } of records) this.#waited(record, fromLink);
    return looked;
  }

  readonly #isDecided = (origin: string, credentials: readonly SignedRecord[]): boolean => {
    const held = this.store.of(origin)?.credential;
    const all = credentials.length > 0 || held === undefined ? credentials : [held];
    return all.every(({ payload }) => this.#trust.credentialOf(payload) !== 'pending');
  };

  /** A second has passed: updates that had to wait are judged. */
  refill(): void {
    this.#quotas.refill();
    if (this.#keyless.size > 0) this.#keyless.sweep(keylessSeconds);
    if (this.#deferred.size === 0) return;
    const deferred = [...this.#deferred.values()];
    this.#deferred.clear();
    for (const { record, fromLink } of deferred) this.#waited(record, fromLink);
  }

  /** A minute has passed. The origins that have ceased to sign, whether or not they seem to be in reach. */
  minutePassed(): number[] {
    this.#renewals.minutePassed();
    const overdue: number[] = [];
    for (let origin = 0; origin < this.store.end; origin++) {
      if (this.store.at(origin)?.linkState !== undefined && this.#renewals.isOverdue(origin)) overdue.push(origin);
    }
    return overdue;
  }

  /** A sweep has passed. The origins that have not been in reach for so many of them. */
  outOfReach(sweeps: number): number[] {
    return this.store.sweep(Math.min(maxIdleSweeps, sweeps));
  }

  /** Forgets an origin, but for what it takes to know its old records again. */
  forget(origin: number): void {
    const state = this.store.at(origin);
    if (state !== undefined) this.#renewals.remember(origin, state);
    this.store.remove(origin);
  }

  /** Whether a credential of an origin is held that is refused now. */
  isRefused(origin: number): boolean {
    const credential = this.store.at(origin)?.credential;
    return credential !== undefined && this.#trust.credentialOf(credential.payload) === 'refused';
  }
}
