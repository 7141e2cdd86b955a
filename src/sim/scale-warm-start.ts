import type { ControlMessage } from '../routing/control-message.ts';
import { credentialSlot, isNewer, type SignedRecord } from '../routing/signed-record.ts';

/**
 * The records that routers have signed while no records were carried. Whoever gets all of them at once knows what it would know if they
 * had come from hop to hop, without the flood: 2 N² records over all links.
 */
export class HeldRecords {
  /** By origin's number, then by slot: the newest. */
  readonly #records: Map<number, SignedRecord>[] = [];
  /** By router: some message with records as it made them. */
  readonly #made = new Map<number, ControlMessage>();
  #drops = false;

  /** Takes a message with records instead of the links that it was to go over; false if there are none in it. */
  take(from: number, message: ControlMessage): boolean {
    if (message.records === undefined) return false;
    if (this.#drops) return true;
    this.#made.set(from, message);
    for (const record of message.records) this.#keep(from, record);
    return true;
  }

  /** What reaches a router is not carried on, so that all it sends is its own. */
  #keep(origin: number, record: SignedRecord): void {
    while (this.#records.length <= origin) this.#records.push(new Map());
    const slots = this.#records[origin];
    const held = slots.get(record.slot);
    if (held === undefined || isNewer(record, held)) slots.set(record.slot, record);
  }

  /**
   * All records, about so many at a time, of each origin the credential first, because the others cannot be verified without it. What is held
   * after that is dropped.
   */
  takeAll(recordsAtATime: number): SignedRecord[][] {
    this.#drops = true;
    const portions: SignedRecord[][] = [];
    let portion: SignedRecord[] = [];
    for (const slots of this.#records) {
      const credential = slots.get(credentialSlot);
      if (credential !== undefined) portion.push(credential);
      for (const [slot, record] of slots) if (slot !== credentialSlot) portion.push(record);
      if (portion.length < recordsAtATime) continue;
      portions.push(portion);
      portion = [];
    }
    if (portion.length > 0) portions.push(portion);
    return portions;
  }

  /** A message of this router with these records; undefined if it has not told anything. */
  messageOf(router: number, records: readonly SignedRecord[]): ControlMessage | undefined {
    const made = this.#made.get(router);
    return made === undefined ? undefined : { ...made, records };
  }
}
