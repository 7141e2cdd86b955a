import type { ControlMap } from './control-message.ts';
import { RateBudget } from './rate-budget.ts';
import { addressOctets, LinkStateContent, maxAddressesPerSlot, writeAddresses, writeLinkState, type RecordPeer } from './record-content.ts';
import type { Treatment } from './route-table.ts';
import { credentialSlot, firstAddressSlot, linkStateSlot, maxSlots, payloadRoom, signRecord, type SignedRecord } from './signed-record.ts';
import type { RoutingTrust } from './trust.ts';

/** Octets in one slot, where addresses are long. */
const octetsPerSlot = 32_768;
/** Octets of all own addresses: what others admit of one origin (`maxOriginOctets`), less its link state and credential. */
const maxAddressOctets = 900_000;
/** Everything is signed again this often, so that what went wrong unseen does not stay. */
const refreshIntervalMs = 1_800_000;

interface AddressSlot {
  readonly addresses: Map<string, Treatment>;
  octets: number;
  mobileSequence: number;
}

/** What this router says of itself, as signed records. An address keeps its slot, so that only that slot is signed again. */
export class OwnRecords {
  readonly #selfId: string;
  readonly #instance: number;
  readonly #trust: RoutingTrust;
  readonly #slots: AddressSlot[] = [];
  readonly #slotOf = new Map<string, number>();
  /** Slots to be signed again. */
  readonly #due = new Set<number>([credentialSlot]);
  /** Less than others admit of one origin (origin-quota.ts): 160 in a row, then 32 a second. */
  readonly #budget = new RateBudget(160, 31);
  readonly #refreshMs: number;
  #nextRefreshMs = Infinity;
  #addressOctets = 0;
  #peers: readonly RecordPeer[] = [];
  #site: ControlMap | undefined;
  /** 0 before there is anything to say. */
  #linkStateSequence = 0;
  #credential: Uint8Array;
  #sequence = 0;
  #epoch: number;

  constructor(selfId: string, instance: number, trust: RoutingTrust) {
    this.#selfId = selfId;
    this.#instance = instance;
    this.#trust = trust;
    this.#epoch = trust.epoch;
    this.#credential = trust.credential;
    this.#refreshMs = refreshIntervalMs * (0.9 + (idHash(selfId) % 1000) / 5000);
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Under another epoch everything is new. */
  setEpoch(epoch: number): void {
    this.#epoch = epoch;
    this.#sequence = 0;
    this.#allDue();
  }

  /** The credential may have been renewed. */
  credentialChanged(): void {
    if (this.#credential === this.#trust.credential) return;
    this.#credential = this.#trust.credential;
    this.#due.add(credentialSlot);
  }

  setLinkState(peers: readonly RecordPeer[], site: ControlMap | undefined, linkStateSequence: number): void {
    this.#peers = peers;
    this.#site = site;
    this.#linkStateSequence = linkStateSequence;
    this.#due.add(linkStateSlot);
  }

  /** An address appeared or changed; false if there is no room for it. */
  setAddress(key: string, treatment: Treatment, mobileSequence: number): boolean {
    const slot = this.#slotOf.get(key) ?? this.#place(key);
    if (slot === undefined) return false;
    const content = this.#slots[slot];
    content?.addresses.set(key, treatment);
    this.#touch(slot, mobileSequence);
    return true;
  }

  deleteAddress(key: string, mobileSequence: number): void {
    const slot = this.#slotOf.get(key);
    const content = slot === undefined ? undefined : this.#slots[slot];
    if (slot === undefined || content === undefined) return;
    content.addresses.delete(key);
    content.octets -= addressOctets(key);
    this.#addressOctets -= addressOctets(key);
    this.#slotOf.delete(key);
    this.#touch(slot, mobileSequence);
  }

  /** When `issue` has something to do. */
  dueMs(nowMs: number): number {
    return this.#due.size > 0 ? this.#budget.availableAtMs(nowMs) : this.#nextRefreshMs;
  }

  /** Signs what is due and may be told now: the credential first, since the others need it. */
  issue(nowMs: number): SignedRecord[] {
    if (nowMs >= this.#nextRefreshMs) this.#allDue();
    if (this.#nextRefreshMs === Infinity || nowMs >= this.#nextRefreshMs) this.#nextRefreshMs = nowMs + this.#refreshMs;
    const records: SignedRecord[] = [];
    for (const slot of [credentialSlot, linkStateSlot, ...this.#due]) {
      if (!this.#due.has(slot)) continue;
      if (!this.#budget.take(nowMs)) break;
      this.#due.delete(slot);
      records.push(this.#sign(slot));
    }
    return records;
  }

  #sign(slot: number): SignedRecord {
    const { epoch, nonce } = { epoch: this.#epoch, nonce: this.#trust.nonce };
    const fields = { slot, origin: this.#selfId, epoch, nonce, sequence: ++this.#sequence, payload: this.#payload(slot) };
    return signRecord(fields, this.#trust);
  }

  #payload(slot: number): Uint8Array {
    if (slot === credentialSlot) return this.#credential;
    const content = this.#slots[slot - firstAddressSlot];
    if (slot !== linkStateSlot && content !== undefined) return writeAddresses(content);
    const linkState = new LinkStateContent({
      slots: firstAddressSlot + this.#slots.length,
      instance: this.#instance,
      linkStateSequence: this.#linkStateSequence,
      peers: this.#peers,
      site: this.#site,
    });
    return writeLinkState(linkState, payloadRoom(this.#selfId)).payload;
  }

  /** The first slot with room, or a new one. */
  #place(key: string): number | undefined {
    const octets = addressOctets(key);
    if (this.#addressOctets + octets > maxAddressOctets) return undefined;
    let slot = this.#slots.findIndex(
      ({ addresses, octets: used }) => addresses.size < maxAddressesPerSlot && used + octets <= octetsPerSlot,
    );
    if (slot < 0) {
      if (this.#slots.length >= maxSlots - firstAddressSlot) return undefined;
      slot = this.#slots.length;
      this.#slots.push({ addresses: new Map(), octets: 0, mobileSequence: 0 });
      this.#linkStateDue();
    }
    const content = this.#slots[slot];
    if (content !== undefined) content.octets += octets;
    this.#addressOctets += octets;
    this.#slotOf.set(key, slot);
    return slot;
  }

  #touch(slot: number, mobileSequence: number): void {
    const content = this.#slots[slot];
    if (content !== undefined) content.mobileSequence = mobileSequence;
    this.#due.add(slot + firstAddressSlot);
  }

  /** There is none to be signed before the first neighbour: it would be the first thing that everybody hears. */
  #linkStateDue(): void {
    if (this.#linkStateSequence > 0) this.#due.add(linkStateSlot);
  }

  #allDue(): void {
    this.#due.add(credentialSlot);
    this.#linkStateDue();
    for (let slot = 0; slot < this.#slots.length; slot++) this.#due.add(slot + firstAddressSlot);
  }
}

function idHash(id: string): number {
  let hash = 0;
  for (let at = 0; at < id.length; at++) hash = (Math.imul(hash, 31) + id.charCodeAt(at)) >>> 0;
  return hash;
}
