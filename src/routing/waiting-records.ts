import { credentialSlot, isNewer, type SignedRecord } from './signed-record.ts';

/** Octets of all records that wait: a large network that is just being learned. */
const maxOctets = 33_554_432;
/** A record counts for at least so many: what keeps it costs memory too. */
const leastOctets = 1_024;

/** A record and the link that it came in on. */
export interface WaitingRecord {
  readonly record: SignedRecord;
  readonly fromLink: number;
}

/**
 * Records of origins whose certificates are being checked. Nothing of them is proven, so what comes on one link takes the place of nothing
 * that came on another, and of the room no link gets more than is left for all others: whoever sends what cannot hold keeps nobody out.
 */
export class WaitingRecords {
  /** By origin, then by slot and link. */
  readonly #origins = new Map<string, Map<string, WaitingRecord>>();
  readonly #octetsOfLink = new Map<number, number>();
  #octets = 0;

  /** Whether something of this origin waits. */
  has(origin: string): boolean {
    return this.#origins.has(origin);
  }

  /** The newest of each slot and link is kept. */
  add(record: SignedRecord, fromLink: number): 'pending' | 'known' | 'over quota' {
    const key = `${record.slot} ${fromLink}`;
    const known = this.#origins.get(record.origin)?.get(key)?.record;
    if (known !== undefined && !isNewer(record, known)) return 'known';
    const gained = octetsOf(record) - (known === undefined ? 0 : octetsOf(known));
    const ofLink = (this.#octetsOfLink.get(fromLink) ?? 0) + gained;
    if (gained > 0 && ofLink > maxOctets - this.#octets) return 'over quota';
    this.#octets += gained;
    this.#octetsOfLink.set(fromLink, ofLink);
    const waiting = this.#origins.get(record.origin) ?? new Map<string, WaitingRecord>();
    this.#origins.set(record.origin, waiting.set(key, { record, fromLink }));
    return 'pending';
  }

  /** All of them, credentials of an origin first; none wait any more. */
  take(): WaitingRecord[] {
    const taken: WaitingRecord[] = [];
    for (const waiting of this.#origins.values()) {
      const records = [...waiting.values()];
      const isCredential = ({ record }: WaitingRecord): boolean => record.slot === credentialSlot;
      taken.push(...records.filter(isCredential), ...records.filter((one) => !isCredential(one)));
    }
    this.#origins.clear();
    this.#octetsOfLink.clear();
    this.#octets = 0;
    return taken;
  }
}

function octetsOf({ bytes }: SignedRecord): number {
  return Math.max(leastOctets, bytes.length);
}
