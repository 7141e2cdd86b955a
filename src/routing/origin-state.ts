import { compareBytes, credentialSlot, firstAddressSlot, isNewer, linkStateSlot, type SignedRecord } from './signed-record.ts';

/**
 * The records held of one origin, one per slot. Never changed: a new record makes a new state. A state remembers the one that followed it,
 * so that the routers of a simulation, which see the same records, share their states too.
 */
export class OriginState {
  readonly origin: string;
  readonly #slots: readonly (SignedRecord | undefined)[];
  /** The records of slots 0 and 1: thousands of routers ask for them again and again. */
  readonly linkState: SignedRecord | undefined;
  readonly credential: SignedRecord | undefined;
  /** One more than the highest slot held. */
  readonly size: number;
  /** Octets of all records. */
  readonly bytes: number;
  /** Sum of the records' digests, 32 bits. */
  readonly digest: number;
  #nextRecord: SignedRecord | undefined;
  #next: OriginState | undefined;

  constructor(origin: string, slots: readonly (SignedRecord | undefined)[]) {
    this.origin = origin;
    this.#slots = slots;
    this.size = slots.length;
    this.linkState = slots[linkStateSlot];
    this.credential = slots[credentialSlot];
    let bytes = 0;
    let digest = 0;
    for (const record of slots) {
      if (record === undefined) continue;
      bytes += record.octets;
      digest = (digest + record.digest) >>> 0;
    }
    this.bytes = bytes;
    this.digest = digest;
  }

  slot(slot: number): SignedRecord | undefined {
    return this.#slots[slot];
  }

  /** An address slot as it counts: of the life of the link state, and among the slots in use. */
  addressSlot(slot: number): SignedRecord | undefined {
    const linkState = this.linkState;
    const record = this.#slots[slot];
    if (record === undefined || linkState === undefined || slot < firstAddressSlot) return undefined;
    return record.epoch === linkState.epoch && slot < (linkState.linkState?.slots ?? 0) ? record : undefined;
  }

  /** Sequence under which routers that do not sign were last told of the addresses. */
  mobileSequence(): number {
    let latest = 0;
    for (let slot = firstAddressSlot; slot < this.size; slot++) {
      latest = Math.max(latest, this.addressSlot(slot)?.addresses?.mobileSequence ?? 0);
    }
    return latest;
  }

  /** Records held: the credential first, because the others cannot be verified without it. */
  *records(): Generator<SignedRecord, void> {
    if (this.credential !== undefined) yield this.credential;
    for (const [slot, record] of this.#slots.entries()) if (record !== undefined && slot !== credentialSlot) yield record;
  }

  /** Whether a record says something that is not known yet: newer than that of its slot, and not of a past life. */
  wants(record: SignedRecord): boolean {
    const { slot } = record;
    const held = slot === linkStateSlot ? this.linkState : slot === credentialSlot ? this.credential : this.#slots[slot];
    if (held !== undefined) return held !== record && isNewer(record, held);
    return slot < firstAddressSlot || record.epoch >= (this.linkState?.epoch ?? 0);
  }

  /**
   * The state with a record that it `wants`. A link state of a new life ends the addresses of those before, and a credential for another key
   * everything that was signed with the one before: nobody could verify it any more.
   */
  with(record: SignedRecord): OriginState {
    if (this.#nextRecord === record && this.#next !== undefined) return this.#next;
    const slots: (SignedRecord | undefined)[] = [...this.#slots];
    while (slots.length <= record.slot) slots.push(undefined);
    slots[record.slot] = record;
    if (record.slot === credentialSlot && this.credential !== undefined && compareBytes(record.keyId, this.credential.keyId) !== 0) {
      for (const [slot, held] of slots.entries())
        if (held !== undefined && compareBytes(held.keyId, record.keyId) !== 0) slots[slot] = undefined;
    }
    if (record.slot === linkStateSlot) {
      for (let slot = firstAddressSlot; slot < slots.length; slot++)
        if ((slots[slot]?.epoch ?? Infinity) < record.epoch) slots[slot] = undefined;
      while (slots.length > firstAddressSlot && slots.at(-1) === undefined) slots.pop();
    }
    this.#nextRecord = record;
    this.#next = new OriginState(this.origin, slots);
    return this.#next;
  }
}
