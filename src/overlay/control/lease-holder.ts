import type { Random } from '../../base/random.ts';
import { bitOf, blockKey, blockOf, isInPrefix, wholeBlock, type AddressHex, type BlockHex } from './address.ts';
import { AddressPool, type HeldBlock, type Placement } from './address-pool.ts';
import type { Calls } from './calls.ts';
import type { Durations } from './durations.ts';
import { numberOf, shapeOf, u32Of } from './json-reader.ts';
import type { LeaseRequest } from './lease-book.ts';
import type { SubnetSpec } from './spec.ts';
import type { Tables } from './tables.ts';

export interface LeaseHolderOptions {
  readonly durations: Durations;
  readonly calls: Calls;
  readonly random: Random;
  readonly nextSequence: () => number;
  readonly store: (key: string, value: unknown) => void;
  /** Addresses have come; endpoints that wait may be placed. */
  readonly granted: (nowMs: number) => void;
  /** The lease of an address that an endpoint has is over: the endpoint must go now. */
  readonly lost: (vni: number, address: AddressHex, nowMs: number) => void;
}

/** A question to the grantors of a block that has not been answered. */
interface Inquiry {
  readonly pool: AddressPool;
  readonly kind: LeaseRequest['kind'];
  readonly block: BlockHex;
  readonly wanted: number;
  readonly askedMs: number;
  readonly grantors: readonly number[];
  waiting: number;
  mask: number;
  token: number;
  outcome: 'agreed' | 'held' | 'later';
  readonly agreed: number[];
}

interface StoredBlock {
  readonly mask: number;
  readonly token: number;
  readonly expiresMs: number;
}

/** Inquiries under way for one pool: a refusal costs a round trip only. */
const inquiriesOfPool = 2;
const laterMs = 500;
/** Releases that could not be told are not repeated: the lease runs out. */
const releaseTries = 3;

/** Leases of blocks that this host has, for all subnets with endpoints here. */
export class LeaseHolder {
  readonly #options: LeaseHolderOptions;
  /** By subnet id and number of the prefix. */
  readonly #pools = new Map<string, AddressPool>();
  readonly #inquiries = new Map<string, Inquiry>();
  readonly #notBeforeMs = new Map<AddressPool, number>();
  #tables: Tables | undefined;

  constructor(options: LeaseHolderOptions) {
    this.#options = options;
  }

  get blocks(): number {
    let count = 0;
    for (const pool of this.#pools.values()) count += pool.blocks.size;
    return count;
  }

  /** Addresses that this host may give to endpoints now, used or not. */
  *held(nowMs: number): Iterable<{ readonly vni: number; readonly block: BlockHex; readonly mask: number }> {
    for (const pool of this.#pools.values()) {
      for (const { block, mask, expiresMs } of pool.blocks.values()) if (nowMs < expiresMs) yield { vni: pool.subnet.vni, block, mask };
    }
  }

  setTables(tables: Tables, nowMs: number): void {
    this.#tables = tables;
    for (const [key, pool] of this.#pools) {
      if (tables.subnet(pool.subnet.subnetId) !== undefined) continue;
      for (const held of pool.blocks.values()) this.#drop(pool, held, nowMs);
      this.#pools.delete(key);
      this.#notBeforeMs.delete(pool);
    }
    // New grantors hear of a lease soon, each at a time of its own.
    for (const pool of this.#pools.values()) {
      for (const held of pool.blocks.values()) held.renewAtMs = Math.min(held.renewAtMs, nowMs + this.#options.random.number() * laterMs);
    }
  }

  /** A record of `store` of this boot. Its subnet must be in the tables. */
  restore(key: string, value: unknown, nowMs: number): void {
    const [kind, vni = '', block = ''] = key.split('/');
    const stored = kind === 'block' ? parseStored(value) : undefined;
    const pool = this.poolOf(Number(vni), blockKey(block));
    if (stored === undefined || pool === undefined) return;
    pool.hold(block, stored.mask, stored.token, stored.expiresMs, nowMs).renewAtMs = nowMs;
  }

  /** A lease of a boot before: nothing here uses it. */
  giveBack(key: string, value: unknown, nowMs: number): void {
    const [kind, vni = '', block = ''] = key.split('/');
    const stored = kind === 'block' ? parseStored(value) : undefined;
    const pool = this.poolOf(Number(vni), blockKey(block));
    if (stored === undefined) return;
    this.#options.store(key, undefined);
    if (pool !== undefined) this.#release(pool, block, wholeBlock, undefined, nowMs);
  }

  /** The pool of an address; made when it is asked for first, and with it the wish for blocks. */
  poolOf(vni: number, address: AddressHex): AddressPool | undefined {
    const subnet = this.#tables?.subnetOf(vni, address);
    const at = subnet?.prefixes.findIndex((prefix) => isInPrefix(address, prefix)) ?? -1;
    return subnet === undefined || at < 0 ? undefined : this.#pool(subnet, at);
  }

  /** One pool for each prefix of the subnet. */
  poolsOf(subnet: SubnetSpec): AddressPool[] {
    return subnet.prefixes.map((_, at) => this.#pool(subnet, at));
  }

  /** A free address. Undefined: not now; a block is asked for, and `granted` tells when it comes. */
  take(pool: AddressPool, nowMs: number): Placement | undefined {
    const placement = pool.take(nowMs);
    this.#wish(pool, nowMs);
    return placement;
  }

  /** An address that the user has chosen; undefined as with `take`. */
  takeFixed(pool: AddressPool, address: AddressHex, nowMs: number): Placement | undefined {
    const placement = pool.takeFixed(address, nowMs);
    if (placement !== undefined) return placement;
    const held = pool.blocks.get(blockOf(address));
    if (((held?.mask ?? 0) & bitOf(address)) === 0) this.#inquire(pool, 'grant', blockOf(address), bitOf(address), 0, nowMs);
    return undefined;
  }

  /** True when no block of the pool can be asked for: all are held or were refused. */
  isExhausted(pool: AddressPool, nowMs: number): boolean {
    const isAsking = [...this.#inquiries.values()].some((inquiry) => inquiry.pool === pool);
    return !isAsking && pool.candidate(0, nowMs) === undefined;
  }

  /** An address goes to another host, which asks the same grantors for it once `done` is told. False when it is not leased. */
  letGo(pool: AddressPool, address: AddressHex, nowMs: number, done: (isDone: boolean, nowMs: number) => void): boolean {
    if (!pool.letGo(address)) return false;
    this.#keep(pool, blockOf(address));
    this.#release(pool, blockOf(address), bitOf(address), done, nowMs);
    return true;
  }

  handleTimeout(nowMs: number): void {
    for (const pool of this.#pools.values()) {
      for (const held of pool.blocks.values()) {
        if (nowMs >= held.expiresMs) this.#drop(pool, held, nowMs);
        else if (nowMs >= held.renewAtMs) {
          held.renewAtMs = nowMs + laterMs;
          this.#inquire(pool, 'renew', held.block, held.mask, held.token, nowMs);
        }
      }
      const idle = pool.idleBlock(nowMs);
      if (idle !== undefined) {
        this.#drop(pool, idle, nowMs);
        this.#release(pool, idle.block, wholeBlock, undefined, nowMs);
      }
      this.#wish(pool, nowMs);
    }
  }

  nextDeadlineMs(nowMs: number): number {
    let dueMs = Infinity;
    for (const pool of this.#pools.values()) {
      for (const held of pool.blocks.values()) dueMs = Math.min(dueMs, held.expiresMs, held.renewAtMs);
      if (pool.needsBlock(nowMs)) dueMs = Math.min(dueMs, Math.max(nowMs + 1, this.#notBeforeMs.get(pool) ?? nowMs + laterMs));
    }
    return dueMs;
  }

  #pool(subnet: SubnetSpec, at: number): AddressPool {
    const key = `${subnet.subnetId}/${at}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = new AddressPool(subnet, subnet.prefixes[at]!, this.#options.durations);
      this.#pools.set(key, pool);
    }
    return pool;
  }

  #wish(pool: AddressPool, nowMs: number): void {
    if (nowMs < (this.#notBeforeMs.get(pool) ?? -Infinity) || !pool.needsBlock(nowMs)) return;
    const asking = [...this.#inquiries.values()].filter((inquiry) => inquiry.pool === pool && inquiry.kind === 'grant');
    this.#notBeforeMs.set(pool, nowMs + laterMs);
    if (asking.length >= inquiriesOfPool) return;
    const block = pool.candidate(this.#options.random.number(), nowMs);
    if (block === undefined || this.#inquiries.has(keyOf(pool, block))) return;
    this.#inquire(pool, 'grant', block, wholeBlock, 0, nowMs);
  }

  #inquire(pool: AddressPool, kind: 'grant' | 'renew', block: BlockHex, mask: number, token: number, nowMs: number): void {
    const key = keyOf(pool, block);
    const tables = this.#tables;
    const { vni } = pool.subnet;
    const grantors = tables?.ownersOf(vni, blockKey(block)) ?? [];
    if (tables === undefined || this.#inquiries.has(key) || grantors.length === 0) return;
    const inquiry: Inquiry = {
      pool,
      kind,
      block,
      wanted: mask,
      askedMs: nowMs,
      grantors,
      waiting: grantors.length,
      mask: wholeBlock,
      token: 0,
      outcome: 'agreed',
      agreed: [],
    };
    this.#inquiries.set(key, inquiry);
    const sequence = this.#options.nextSequence();
    for (const to of grantors) {
      const call = { type: 'lease', kind, vni, block, mask, token, sequence, epoch: tables.epoch } as const;
      this.#options.calls.call(to, call, nowMs, (answer, answeredMs) => {
        inquiry.waiting--;
        if (answer?.type !== 'leaseAnswer' || answer.outcome === 'later') {
          if (inquiry.outcome === 'agreed') inquiry.outcome = 'later';
        } else if (answer.outcome === 'held') inquiry.outcome = 'held';
        else {
          inquiry.agreed.push(to);
          inquiry.mask &= answer.mask;
          inquiry.token = Math.max(inquiry.token, answer.token);
        }
        if (inquiry.waiting === 0) this.#settle(key, inquiry, answeredMs);
      });
    }
  }

  #settle(key: string, inquiry: Inquiry, nowMs: number): void {
    this.#inquiries.delete(key);
    const { pool, kind, block } = inquiry;
    // Its subnet is gone, and so are its leases.
    if (this.#tables?.subnet(pool.subnet.subnetId) === undefined) return;
    const { durations } = this.#options;
    const held = pool.blocks.get(block);
    if (inquiry.outcome === 'agreed' && inquiry.mask !== 0) {
      if (kind === 'renew' && held === undefined) return;
      const lastsMs = (kind === 'renew' ? durations.leaseMs : durations.firstLeaseMs) * (1 - durations.leaseMargin);
      const expiresMs = Math.max(held?.expiresMs ?? 0, inquiry.askedMs + lastsMs);
      if (nowMs >= expiresMs) return;
      // An address that was let go while this was asked stays away.
      const mask = kind === 'renew' ? inquiry.mask & (held?.mask ?? 0) : (inquiry.mask & inquiry.wanted) | (held?.mask ?? 0);
      const now = pool.hold(block, mask, inquiry.token, expiresMs, nowMs);
      now.renewAtMs = kind === 'renew' ? nowMs + durations.renewEveryMs * (0.9 + 0.2 * this.#options.random.number()) : nowMs;
      this.#notBeforeMs.delete(pool);
      this.#keep(pool, block);
      this.#options.granted(nowMs);
      return;
    }
    if (kind === 'renew') return;
    // What one grantor alone has agreed to is given back, and another block is asked for.
    if (held === undefined && inquiry.agreed.length > 0) this.#release(pool, block, wholeBlock, undefined, nowMs, inquiry.agreed);
    if (inquiry.outcome === 'held') {
      pool.refused(block, nowMs + durations.refusedBlockMs);
      this.#notBeforeMs.delete(pool);
    } else this.#notBeforeMs.set(pool, nowMs + laterMs * this.#options.random.number());
    this.#wish(pool, nowMs);
  }

  /** Gives addresses back to the grantors. */
  #release(
    pool: AddressPool,
    block: BlockHex,
    mask: number,
    done: ((isDone: boolean, nowMs: number) => void) | undefined,
    nowMs: number,
    grantors?: readonly number[],
    tries: number = releaseTries,
  ): void {
    const tables = this.#tables;
    if (tables === undefined) return;
    const { vni } = pool.subnet;
    const asked = grantors ?? tables.ownersOf(vni, blockKey(block));
    const sequence = this.#options.nextSequence();
    let waiting = asked.length;
    const refusing: number[] = [];
    for (const to of asked) {
      const call = { type: 'lease', kind: 'release', vni, block, mask, token: 0, sequence, epoch: tables.epoch } as const;
      this.#options.calls.call(to, call, nowMs, (answer, answeredMs) => {
        waiting--;
        if (answer?.type !== 'leaseAnswer' || answer.outcome === 'later') refusing.push(to);
        if (waiting > 0) return;
        // What has been leased anew meanwhile is not given back.
        const isHeld = ((pool.blocks.get(block)?.mask ?? 0) & mask) !== 0;
        if (refusing.length === 0 || tries <= 1 || isHeld) done?.(refusing.length === 0, answeredMs);
        else this.#release(pool, block, mask, done, answeredMs, grantors === undefined ? undefined : refusing, tries - 1);
      });
    }
  }

  /** The host has the block no more. */
  #drop(pool: AddressPool, held: HeldBlock, nowMs: number): void {
    pool.blocks.delete(held.block);
    this.#options.store(`block/${pool.subnet.vni}/${held.block}`, undefined);
    for (let index = 0; index < 16; index++) {
      if ((held.used & (1 << index)) !== 0) this.#options.lost(pool.subnet.vni, held.block + index.toString(16), nowMs);
    }
  }

  #keep(pool: AddressPool, block: BlockHex): void {
    const held = pool.blocks.get(block);
    if (held === undefined) return;
    const { mask, token, expiresMs } = held;
    this.#options.store(`block/${pool.subnet.vni}/${block}`, { mask, token, expiresMs: Math.floor(expiresMs) } satisfies StoredBlock);
  }
}

function keyOf(pool: AddressPool, block: BlockHex): string {
  return `${pool.subnet.subnetId}/${block}`;
}

function parseStored(value: unknown): StoredBlock | undefined {
  return shapeOf<StoredBlock>(value, {
    mask: (mask) => numberOf(mask, wholeBlock),
    token: u32Of,
    expiresMs: (expiresMs) => numberOf(expiresMs, Number.MAX_SAFE_INTEGER),
  });
}
