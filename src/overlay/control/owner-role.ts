import type { RelayedEvent } from '../layout/event.ts';
import { hexOf, type AddressHex } from './address.ts';
import type { Calls } from './calls.ts';
import { Directory, isSameDigest, type DirectoryEntry } from './directory.ts';
import type { Durations } from './durations.ts';
import type { DeleteCall, DigestNotice, DoneAnswer, GetAnswer, GetCall, ListCall, PutAnswer, PutCall } from './messages.ts';
import type { Tables } from './tables.ts';

export interface OwnerRoleOptions {
  readonly hostId: number;
  readonly durations: Durations;
  readonly calls: Calls;
  /** What this host knows of an address has changed: the map is to be written. */
  readonly changed: (vni: number, address: AddressHex) => void;
}

/** Senders that were told a way, and when: each is told once in `tellEveryMs` about one destination. */
const toldLimit = 4096;
const tellEveryMs = 1000;
/** A host that has said nothing of its entries for so many rounds is asked. */
const roundsUntilAsked = 2.5;
/** In graces: hosts learn of a new epoch at different times, and those that have not yet ask its former owners. */
const gracesUntilForgotten = 3;

/** This host as one of the two owners of keys: keeps where their endpoints are, and sees to it that this is what their hosts say. */
export class OwnerRole {
  readonly directory: Directory;
  readonly #options: OwnerRoleOptions;
  readonly #told = new Map<string, number>();
  #tables: Tables | undefined;
  /** Entries are compared with their hosts' again, and those that this host owns no more are forgotten. */
  #settledMs = -Infinity;
  #sweepAtMs = Infinity;

  constructor(options: OwnerRoleOptions) {
    this.#options = options;
    this.directory = new Directory(options.durations);
  }

  setTables(tables: Tables, nowMs: number): void {
    const isNewEpoch = tables.epoch !== this.#tables?.epoch;
    this.#tables = tables;
    if (!isNewEpoch) return;
    this.#settledMs = nowMs + gracesUntilForgotten * this.#options.durations.graceMs;
    this.#sweepAtMs = this.#settledMs;
  }

  owns(vni: number, address: AddressHex): boolean {
    return this.#tables?.ownersOf(vni, address).includes(this.#options.hostId) ?? false;
  }

  put(from: number, call: PutCall, nowMs: number): PutAnswer {
    const { id, sequence, epoch, vni, address, generation: given, identity, flags, mac } = call;
    const entry = { vni, address, hostId: from, generation: given, identity, flags, mac };
    const tables = this.#tables;
    const isKnown = tables?.subnetOf(entry.vni, entry.address) !== undefined;
    // A caller that knows a newer epoch knows better who the owners are; what was wrong is forgotten in the next sweep.
    const isEarly = epoch > (tables?.epoch ?? 0);
    if (!isKnown || !(isEarly || this.owns(entry.vni, entry.address))) return { type: 'putAnswer', id, isAccepted: false, generation: 0 };
    if (isEarly) this.#sweepAtMs = Math.min(this.#sweepAtMs, nowMs + gracesUntilForgotten * this.#options.durations.graceMs);
    const { isAccepted, isChanged, generation } = this.directory.put(entry, sequence, nowMs);
    if (isChanged) this.#options.changed(entry.vni, entry.address);
    return { type: 'putAnswer', id, isAccepted, generation };
  }

  delete({ id, vni, address, generation }: DeleteCall, nowMs: number): DoneAnswer {
    if (this.#tables?.subnetOf(vni, address) !== undefined && this.directory.delete(vni, address, generation, nowMs).isChanged) {
      this.#options.changed(vni, address);
    }
    return { type: 'done', id };
  }

  get({ id, vni, address }: GetCall): GetAnswer {
    const entry = this.directory.get(vni, address);
    return { type: 'getAnswer', id, entries: entry === undefined ? [] : [entry] };
  }

  /** A host says what it has under a VNI. */
  digest(from: number, notice: DigestNotice, nowMs: number): void {
    if (notice.epoch !== this.#tables?.epoch || nowMs < this.#settledMs) return;
    if (isSameDigest(notice, this.directory.digest(from, notice.vni))) this.directory.confirm(from, notice.vni, nowMs);
    else this.#options.calls.notify(from, { type: 'ask', vni: notice.vni, isList: true });
  }

  /** All that a host has in a range: what it does not name is gone. */
  list(from: number, call: ListCall, nowMs: number): DoneAnswer {
    const { id, vni, epoch, sequence } = call;
    if (epoch === this.#tables?.epoch) {
      const named = new Set(call.entries.map(({ address }) => address));
      const range = { hostId: from, vni, from: call.from, to: call.to === '' ? undefined : call.to, sequence };
      for (const { address, generation } of this.directory.missingIn(range, named)) {
        this.directory.delete(vni, address, generation, nowMs);
        this.#options.changed(vni, address);
      }
      for (const entry of call.entries) {
        if (!this.owns(vni, entry.address)) continue;
        const { isChanged } = this.directory.put({ ...entry, vni, hostId: from }, sequence, nowMs);
        if (isChanged) this.#options.changed(vni, entry.address);
      }
    }
    return { type: 'done', id };
  }

  /** The data path sent a packet on: its sender is told the way. */
  relayed(event: RelayedEvent, nowMs: number): void {
    const address = hexOf(event.destination);
    const entry = this.directory.get(event.vni, address);
    if (entry === undefined) return;
    const key = `${event.sourceHostId}/${event.vni}/${address}`;
    if (nowMs < (this.#told.get(key) ?? -Infinity) + tellEveryMs) return;
    this.#told.delete(key);
    this.#told.set(key, nowMs);
    if (this.#told.size > toldLimit) this.#told.delete(this.#told.keys().next().value ?? '');
    this.#options.calls.notify(event.sourceHostId, { type: 'located', ...entry });
  }

  /** Each digest round: asks hosts that were silent, and forgets those that are no part of the overlay. */
  handleRound(isPart: (hostId: number) => boolean, nowMs: number): void {
    this.directory.sweep(nowMs);
    const silentMs = nowMs - this.#options.durations.digestEveryMs * roundsUntilAsked;
    const gone: DirectoryEntry[] = [];
    for (const hostId of this.directory.hosts()) if (!isPart(hostId)) gone.push(...this.directory.entriesOf(hostId));
    if (nowMs >= this.#sweepAtMs) {
      this.#sweepAtMs = Infinity;
      for (const entry of this.directory.entries()) if (!this.owns(entry.vni, entry.address)) gone.push(entry);
    }
    for (const { vni, address } of gone) {
      this.directory.forget(vni, address);
      this.#options.changed(vni, address);
    }
    if (nowMs < this.#settledMs) return;
    for (const { hostId, vni } of this.directory.unconfirmed(silentMs))
      this.#options.calls.notify(hostId, { type: 'ask', vni, isList: false });
  }
}
