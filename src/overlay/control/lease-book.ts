import { bitsIn, type BlockHex } from './address.ts';
import type { Durations } from './durations.ts';

/** What a holder asks one of the two grantors of a block for. */
export interface LeaseRequest {
  readonly kind: 'grant' | 'renew' | 'release';
  readonly vni: number;
  readonly block: BlockHex;
  /** `grant`: wanted; `renew`: kept, the others of the holder are given back; `release`: given back. */
  readonly mask: number;
  /** 0 for `grant`. */
  readonly token: number;
  /** Rises with every request of a holder, so that an old one which comes late changes nothing. */
  readonly sequence: number;
}

export interface LeaseAnswer {
  /** Addresses that the holder has now; 0 when it is refused. */
  readonly mask: number;
  readonly token: number;
}

/** Addresses of a block that one host has. */
interface Lease {
  readonly holder: number;
  readonly mask: number;
  readonly expiresMs: number;
}

/** What a grantor knows of a block. Plain data: it is stored and handed over as it is. */
export interface BlockRecord {
  readonly leases: readonly Lease[];
  /** The last fencing token that was given. */
  readonly token: number;
  /** Of each host that has asked, its last sequence. */
  readonly sequences: readonly (readonly [holder: number, sequence: number])[];
  /** After all leases have ended, the record is kept until then, against requests that come late. */
  readonly forgetAtMs: number;
}

const none: BlockRecord = { leases: [], token: 0, sequences: [], forgetAtMs: 0 };
/** Hosts whose sequences a record keeps: 16 addresses can have 16 holders, and a few more ask. */
const sequencesLimit = 32;
/** Records of one grantor, at most: 2 / n of all blocks in use in the overlay are its. */
const recordsLimit = 65_536;

/** Leases that a host has agreed to as grantor. Both grantors of a block must agree, so one of them that says no is enough. */
export class LeaseBook {
  readonly #durations: Durations;
  readonly #records = new Map<string, BlockRecord>();

  constructor(durations: Durations) {
    this.#durations = durations;
  }

  get size(): number {
    return this.#records.size;
  }

  get(vni: number, block: BlockHex): BlockRecord | undefined {
    return this.#records.get(keyOf(vni, block));
  }

  entries(): Iterable<[key: string, record: BlockRecord]> {
    return this.#records.entries();
  }

  /** A record that was stored, or that another grantor handed over; what is newer of each holder counts. */
  merge(key: string, record: BlockRecord): void {
    const known = this.#records.get(key);
    if (known === undefined) {
      this.#records.set(key, record);
      return;
    }
    const knownSequences = new Map(known.sequences);
    const newer = record.sequences.filter(([holder, sequence]) => sequence > (knownSequences.get(holder) ?? -1));
    const replaced = new Set(newer.map(([holder]) => holder));
    this.#records.set(key, {
      leases: [
        ...known.leases.filter(({ holder }) => !replaced.has(holder)),
        ...record.leases.filter(({ holder }) => replaced.has(holder)),
      ],
      token: Math.max(known.token, record.token),
      sequences: [...known.sequences.filter(([holder]) => !replaced.has(holder)), ...newer],
      forgetAtMs: Math.max(known.forgetAtMs, record.forgetAtMs),
    });
  }

  /** Decides, and records what it has decided. `gone` tells of a holder that is off for good. */
  ask(holder: number, request: LeaseRequest, nowMs: number, gone: (holder: number) => boolean): LeaseAnswer {
    const { kind, vni, block, sequence } = request;
    const key = keyOf(vni, block);
    const known = this.#records.get(key) ?? none;
    const own = known.leases.find((lease) => lease.holder === holder);
    const lastSequence = known.sequences.find(([other]) => other === holder)?.[1] ?? -1;
    // A repetition is answered as before; what is older than that is too late.
    if (sequence === lastSequence) return { mask: own?.mask ?? 0, token: known.token };
    if (sequence < lastSequence) return { mask: 0, token: known.token };
    if (known === none && (kind === 'release' || this.#records.size >= recordsLimit)) return { mask: 0, token: 0 };
    const others = known.leases.filter((lease) => lease.holder !== holder && nowMs < lease.expiresMs && !gone(lease.holder));
    let taken = 0;
    for (const lease of others) taken |= lease.mask;
    let mask = 0;
    let { token } = known;
    if (kind === 'renew') {
      mask = request.mask & ~taken;
      token = Math.max(token, request.token);
    } else if (kind === 'grant') {
      mask = request.mask & ~taken;
      // A block that somebody has is not shared: the rest of it are addresses on their way to another host. One address alone may be asked for.
      if (bitsIn(request.mask) > 1 && others.some((lease) => bitsIn(lease.mask) > 1)) mask = 0;
      if (mask !== 0) {
        mask |= own?.mask ?? 0;
        token++;
      } else mask = 0;
    } else mask = (own?.mask ?? 0) & ~request.mask;
    const refused = kind !== 'release' && mask === 0;
    const kept = refused ? (own?.mask ?? 0) : mask;
    const lastsMs = kind === 'renew' ? this.#durations.leaseMs : this.#durations.firstLeaseMs;
    const expiresMs = refused || kind === 'release' ? (own?.expiresMs ?? 0) : Math.max(own?.expiresMs ?? 0, Math.ceil(nowMs + lastsMs));
    const leases = kept === 0 ? others : [...others, { holder, mask: kept, expiresMs }];
    this.#records.set(key, {
      leases,
      token,
      sequences: bounded([...known.sequences.filter(([other]) => other !== holder), [holder, sequence]], leases),
      forgetAtMs: Math.ceil(Math.max(nowMs, ...leases.map((lease) => lease.expiresMs)) + this.#durations.graveMs),
    });
    return { mask: refused ? 0 : mask, token };
  }

  forget(key: string): void {
    this.#records.delete(key);
  }

  /** Forgets what has ended long ago; the keys of those records. */
  sweep(nowMs: number): string[] {
    const forgotten: string[] = [];
    for (const [key, { forgetAtMs }] of this.#records) if (nowMs >= forgetAtMs) forgotten.push(key);
    for (const key of forgotten) this.#records.delete(key);
    return forgotten;
  }
}

/** Without the oldest host that has no lease, if there are too many. */
function bounded(sequences: BlockRecord['sequences'], leases: readonly Lease[]): BlockRecord['sequences'] {
  if (sequences.length <= sequencesLimit) return sequences;
  const oldest = sequences.findIndex(([holder]) => leases.every((lease) => lease.holder !== holder));
  return sequences.filter((_, at) => at !== oldest);
}

function keyOf(vni: number, block: BlockHex): string {
  return `${vni}/${block}`;
}
