import { credentialSlot, isNewer, type SignedRecord } from './signed-record.ts';

/** A record counts for at least so many octets: what keeps it costs memory too. */
const leastOctets = 1_024;

/** A record and the link that it came in on. */
export interface WaitingRecord {
  readonly record: SignedRecord;
  readonly fromLink: number;
}

/** How much is to be taken at a time. */
export interface WaitingPortion {
  /** Origins looked at. */
  readonly origins: number;
  /** Records; those of the last origin may exceed it. */
  readonly records: number;
}

interface WaitingOrigin {
  /** By slot and link. */
  readonly records: Map<string, WaitingRecord>;
  sweeps: number;
}

/**
 * Records of origins of which a credential is missing or being checked. Nothing of them is proven, so what comes on one link takes the place of
 * nothing that came on another, and of the room no link gets more than is left for all others: whoever sends what cannot hold keeps nobody out.
 */
export class WaitingRecords {
  readonly #maxOctets: number;
  readonly #origins = new Map<string, WaitingOrigin>();
  readonly #octetsOfLink = new Map<number, number>();
  #octets = 0;

  constructor(maxOctets: number) {
    this.#maxOctets = maxOctets;
  }

  /** Origins of which something waits. */
  get size(): number {
    return this.#origins.size;
  }

  /** Whether something of this origin waits. */
  has(origin: string): boolean {
    return this.#origins.has(origin);
  }

  /** The newest of each slot and link is kept. */
  add(record: SignedRecord, fromLink: number): 'pending' | 'known' | 'over quota' {
    const key = `${record.slot} ${fromLink}`;
    const waiting = this.#origins.get(record.origin) ?? { records: new Map<string, WaitingRecord>(), sweeps: 0 };
    const known = waiting.records.get(key)?.record;
    if (known !== undefined && !isNewer(record, known)) return 'known';
    const gained = octetsOf(record) - (known === undefined ? 0 : octetsOf(known));
    const ofLink = (this.#octetsOfLink.get(fromLink) ?? 0) + gained;
    if (gained > 0 && ofLink > this.#maxOctets - this.#octets) return 'over quota';
    this.#octets += gained;
    this.#octetsOfLink.set(fromLink, ofLink);
    waiting.records.set(key, { record, fromLink });
    this.#origins.set(record.origin, waiting);
    return 'pending';
  }

  /**
   * Takes a portion of what need not wait any longer, credentials of an origin first. `isReady` is asked with the credentials of an origin that
   * wait; the origins that are not ready go to the end. Also returns how many were looked at.
   */
  take(
    portion: WaitingPortion,
    isReady: (origin: string, credentials: readonly SignedRecord[]) => boolean,
  ): { readonly records: readonly WaitingRecord[]; readonly looked: number } {
    const records: WaitingRecord[] = [];
    const end = Math.min(portion.origins, this.#origins.size);
    let looked = 0;
    for (const [origin, waiting] of this.#origins) {
      if (looked >= end || records.length >= portion.records) break;
      looked++;
      const credentials: SignedRecord[] = [];
      for (const { record } of waiting.records.values()) if (record.slot === credentialSlot) credentials.push(record);
      this.#origins.delete(origin);
      if (isReady(origin, credentials)) records.push(...this.#released(waiting));
      else this.#origins.set(origin, waiting);
    }
    return { records, looked };
  }

  /** Takes what waits of one origin. */
  takeOf(origin: string): readonly WaitingRecord[] {
    const waiting = this.#origins.get(origin);
    if (waiting === undefined) return [];
    this.#origins.delete(origin);
    return this.#released(waiting);
  }

  /** Counts a sweep; what has waited for more than `sweeps` of them is dropped. */
  sweep(sweeps: number): void {
    for (const [origin, waiting] of this.#origins) if (++waiting.sweeps > sweeps) this.takeOf(origin);
  }

  #released(waiting: WaitingOrigin): readonly WaitingRecord[] {
    const records = [...waiting.records.values()];
    for (const { record, fromLink } of records) {
      const octets = octetsOf(record);
      this.#octets -= octets;
      const left = (this.#octetsOfLink.get(fromLink) ?? 0) - octets;
      if (left > 0) this.#octetsOfLink.set(fromLink, left);
      else this.#octetsOfLink.delete(fromLink);
    }
    const isCredential = ({ record }: WaitingRecord): boolean => record.slot === credentialSlot;
    return [...records.filter(isCredential), ...records.filter((one) => !isCredential(one))];
  }
}

function octetsOf({ bytes }: SignedRecord): number {
  return Math.max(leastOctets, bytes.length);
}
