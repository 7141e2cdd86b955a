import { blockKey, type BlockHex } from './address.ts';
import type { Calls } from './calls.ts';
import type { Durations } from './durations.ts';
import { LeaseBook, type BlockRecord } from './lease-book.ts';
import {
  messageLimits,
  parseBlockRecord,
  type HandedBlock,
  type HandoverAnswer,
  type HandoverCall,
  type LeaseCall,
  type LeaseCallAnswer,
} from './messages.ts';
import { hostsOf, slotOf, type Tables } from './tables.ts';

export interface LeaseGrantorOptions {
  readonly hostId: number;
  readonly durations: Durations;
  readonly calls: Calls;
  /** A record that must be on disk before what follows is sent; undefined = it is no more. */
  readonly store: (key: string, value: unknown) => void;
}

/** Slots that a grantor remembers to be informed of, at most: 4,096 subnets of which it has 2 / n of the slots. */
const slotsLimit = 65_536;
const inquiriesLimit = 1024;

/**
 * Grantor of the blocks whose keys this host owns.
 *
 * A block is leased when both its owners agree, in the same epoch, and each of them is informed: it knows all leases of the slot from earlier
 * epochs. Since both must agree, one owner of an earlier epoch that knows of the new one (and so agrees to nothing of the earlier any more) is
 * enough to learn all leases of that epoch from; one that was never informed then is proof that there were none, and the epoch before that is
 * asked about. So no two hosts get an address, however hosts are cut off from each other.
 */
export class LeaseGrantor {
  readonly #options: LeaseGrantorOptions;
  readonly #book: LeaseBook;
  /** By `subnet/slot`: the last epoch of which this host is informed. */
  readonly #informed = new Map<string, number>();
  readonly #inquiries = new Set<string>();
  /** Slots whose owners of before are all off for good, and since when that is known. */
  readonly #orphans = new Map<string, number>();
  /** Hosts that no spec names any more. */
  #isGone: (hostId: number) => boolean = () => false;
  #tables: Tables | undefined;

  constructor(options: LeaseGrantorOptions) {
    this.#options = options;
    this.#book = new LeaseBook(options.durations);
  }

  get size(): number {
    return this.#book.size + this.#informed.size;
  }

  get book(): LeaseBook {
    return this.#book;
  }

  /** A record of `store`, from this host's life before. `isSameBoot`: its times are on the same clock; otherwise all leases begin anew. */
  restore(key: string, value: unknown, isSameBoot: boolean, nowMs: number): void {
    const [kind, first = '', second = ''] = key.split('/');
    if (kind === 'slot' && typeof value === 'number') this.#informed.set(`${first}/${second}`, value);
    const record = kind === 'grant' ? parseBlockRecord(value) : undefined;
    if (record === undefined) return;
    const { leaseMs, graveMs } = this.#options.durations;
    const expiresMs = Math.ceil(nowMs + leaseMs);
    const anew = { ...record, leases: record.leases.map((lease) => ({ ...lease, expiresMs })), forgetAtMs: Math.ceil(expiresMs + graveMs) };
    this.#book.merge(`${first}/${second}`, isSameBoot ? record : anew);
  }

  setTables(tables: Tables, isGone: (hostId: number) => boolean): void {
    const before = this.#tables;
    this.#tables = tables;
    this.#isGone = isGone;
    if (before?.spec.subnets.some(({ subnetId }) => tables.subnet(subnetId) === undefined) === true) this.#forgetSubnets(before, tables);
  }

  ask(from: number, call: LeaseCall, nowMs: number): LeaseCallAnswer {
    const later = { type: 'leaseAnswer', id: call.id, outcome: 'later', mask: 0, token: 0 } as const;
    const tables = this.#tables;
    const subnet = tables?.subnetOf(call.vni, blockKey(call.block));
    if (tables === undefined || subnet === undefined || call.epoch !== tables.epoch) return later;
    const slot = slotOf(call.vni, blockKey(call.block));
    if (!this.#owns(subnet.subnetId, tables.epoch, slot)) return later;
    if (!this.#isInformed(subnet.subnetId, slot)) {
      this.#inquire(subnet.subnetId, slot, tables.epoch, nowMs);
      return later;
    }
    const { mask, token } = this.#book.ask(from, call, nowMs, this.#isGone);
    this.#keep(`${call.vni}/${call.block}`);
    return { type: 'leaseAnswer', id: call.id, outcome: mask === 0 && call.kind !== 'release' ? 'held' : 'agreed', mask, token };
  }

  handOver(call: HandoverCall, nowMs: number): HandoverAnswer {
    const tables = this.#tables;
    const answer = { type: 'handoverAnswer', id: call.id, blocks: [] } as const;
    if (tables === undefined || tables.epoch < call.newEpoch) return { ...answer, outcome: 'later' };
    this.#isInformed(call.subnetId, call.slot);
    if ((this.#informed.get(`${call.subnetId}/${call.slot}`) ?? -1) < call.epoch) return { ...answer, outcome: 'uninformed' };
    const blocks: HandedBlock[] = [];
    for (const [key, record] of this.#book.entries()) {
      const [vni, block] = splitKey(key);
      if (tables.subnetOf(vni, blockKey(block))?.subnetId !== call.subnetId || slotOf(vni, blockKey(block)) !== call.slot) continue;
      // More than fit are not given at all: the slot's blocks wait until some are given back.
      if (blocks.length >= messageLimits.blocks) return { ...answer, outcome: 'later' };
      blocks.push({ vni, block, record: shifted(record, -nowMs) });
    }
    return { ...answer, outcome: 'informed', blocks };
  }

  sweep(nowMs: number): void {
    for (const key of this.#book.sweep(nowMs)) this.#options.store(`grant/${key}`, undefined);
  }

  /** A subnet that comes later is another one, also where its addresses are the same: what was leased in one that is gone is free. */
  #forgetSubnets(before: Tables, tables: Tables): void {
    for (const key of this.#informed.keys()) {
      if (tables.subnet(splitKey(key)[0]) !== undefined) continue;
      this.#informed.delete(key);
      this.#orphans.delete(key);
      this.#options.store(`slot/${key}`, undefined);
    }
    for (const [key] of this.#book.entries()) {
      const [vni, block] = splitKey(key);
      const subnet = before.subnetOf(vni, blockKey(block));
      if (subnet === undefined || tables.subnet(subnet.subnetId) !== undefined) continue;
      this.#book.forget(key);
      this.#options.store(`grant/${key}`, undefined);
    }
  }

  /** Whether this host knows all leases of the slot; learns it when it has been an owner since it last did. */
  #isInformed(subnetId: number, slot: number): boolean {
    const tables = this.#tables;
    const subnet = tables?.subnet(subnetId);
    if (tables === undefined || subnet === undefined) return false;
    const key = `${subnetId}/${slot}`;
    let informed = this.#informed.get(key) ?? subnet.createdEpoch - 1;
    const known = informed;
    // Nobody had a lease before the subnet came. From then on its owners agreed to all, so one that stayed an owner knows all.
    while (informed < tables.epoch && this.#owns(subnetId, informed + 1, slot)) informed++;
    if (informed > known) this.#setInformed(key, informed);
    return informed >= tables.epoch;
  }

  #owns(subnetId: number, epoch: number, slot: number): boolean {
    const owners = this.#tables?.table(subnetId, epoch)?.[slot];
    return owners !== undefined && hostsOf(owners).includes(this.#options.hostId);
  }

  #inquire(subnetId: number, slot: number, epoch: number, nowMs: number): void {
    const key = `${subnetId}/${slot}`;
    if (this.#inquiries.has(key) || this.#inquiries.size >= inquiriesLimit) return;
    this.#inquiries.add(key);
    this.#askAbout(subnetId, slot, epoch - 1, epoch, nowMs);
  }

  /** Asks both owners of a past epoch; the first useful answer decides. */
  #askAbout(subnetId: number, slot: number, epoch: number, newEpoch: number, nowMs: number): void {
    const key = `${subnetId}/${slot}`;
    const tables = this.#tables;
    const subnet = tables?.subnet(subnetId);
    if (tables === undefined || subnet === undefined || tables.epoch !== newEpoch) {
      this.#inquiries.delete(key);
      return;
    }
    // Of epochs that the spec names no more all leases have run out.
    if (epoch < Math.max(subnet.createdEpoch, tables.firstEpoch)) {
      this.#inquiries.delete(key);
      this.#orphans.delete(key);
      this.#setInformed(key, newEpoch);
      return;
    }
    const owners = tables.table(subnetId, epoch)?.[slot];
    const asked = owners === undefined ? [] : hostsOf(owners).filter((hostId) => !this.#isGone(hostId));
    let waiting = asked.length;
    let isDecided = false;
    if (waiting === 0) {
      if (this.#haveRunOut(key, nowMs)) this.#askAbout(subnetId, slot, epoch - 1, newEpoch, nowMs);
      else this.#inquiries.delete(key);
    }
    for (const to of asked) {
      this.#options.calls.call(to, { type: 'handover', subnetId, slot, epoch, newEpoch }, nowMs, (answer, answeredMs) => {
        waiting--;
        if (isDecided) return;
        if (answer?.type === 'handoverAnswer' && answer.outcome !== 'later' && this.#tables?.epoch === newEpoch) {
          isDecided = true;
          if (answer.outcome === 'uninformed') this.#askAbout(subnetId, slot, epoch - 1, newEpoch, answeredMs);
          else this.#learn(key, newEpoch, answer.blocks, answeredMs);
        } else if (waiting === 0) this.#inquiries.delete(key);
      });
    }
  }

  /** Both owners of an epoch are off for good, and what they knew is lost: the leases of that time have run out after the time of one. */
  #haveRunOut(key: string, nowMs: number): boolean {
    const sinceMs = this.#orphans.get(key);
    if (sinceMs === undefined && this.#orphans.size < inquiriesLimit) this.#orphans.set(key, nowMs);
    return sinceMs !== undefined && nowMs >= sinceMs + this.#options.durations.leaseMs;
  }

  #learn(key: string, epoch: number, blocks: readonly HandedBlock[], nowMs: number): void {
    this.#inquiries.delete(key);
    this.#orphans.delete(key);
    for (const { vni, block, record } of blocks) {
      this.#book.merge(`${vni}/${block}`, shifted(record, nowMs));
      this.#keep(`${vni}/${block}`);
    }
    this.#setInformed(key, epoch);
  }

  #setInformed(key: string, epoch: number): void {
    if (!this.#informed.has(key) && this.#informed.size >= slotsLimit) return;
    this.#informed.set(key, epoch);
    this.#options.store(`slot/${key}`, epoch);
  }

  #keep(key: string): void {
    const [vni, block] = splitKey(key);
    this.#options.store(`grant/${key}`, this.#book.get(vni, block));
  }
}

function splitKey(key: string): [vni: number, block: BlockHex] {
  const [vni = '', block = ''] = key.split('/');
  return [Number(vni), block];
}

/** The record with its times on another clock: what is left of them, or when that is. */
function shifted(record: BlockRecord, byMs: number): BlockRecord {
  const shift = (timeMs: number): number => Math.max(0, Math.ceil(timeMs + byMs));
  return {
    ...record,
    leases: record.leases.map((lease) => ({ ...lease, expiresMs: shift(lease.expiresMs) })),
    forgetAtMs: shift(record.forgetAtMs),
  };
}
