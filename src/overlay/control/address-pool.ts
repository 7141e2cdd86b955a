import { addressIn, bitOf, bitsIn, blockAddresses, blockAt, blockCount, blockKey, blockOf, isInPrefix, usableMask } from './address.ts';
import type { AddressHex, BlockHex } from './address.ts';
import { dnsAddressOf } from '../dns/dns-address.ts';
import type { Durations } from './durations.ts';
import type { SubnetPrefix, SubnetSpec } from './spec.ts';

/** A block, or a part of one, that this host has leased. */
export interface HeldBlock {
  readonly block: BlockHex;
  /** Addresses that endpoints may have. */
  mask: number;
  token: number;
  /** On this host's clock, with the margin taken off. */
  expiresMs: number;
  renewAtMs: number;
  /** Addresses that endpoints have. */
  used: number;
  idleSinceMs: number;
  /** By index: when its last endpoint went, and the last generation that it had. */
  readonly freedMs: Float64Array;
  readonly generations: Float64Array;
}

export interface Placement {
  readonly address: AddressHex;
  readonly generation: number;
}

/** Generations of one address under one fencing token; a block has 65,535 tokens. */
const generationsOfToken = 65_536;
/** Fewer free addresses than this and the next block is asked for, so that no endpoint waits for one. */
const spareAddresses = 8;
/** A host has 4,096 ports at most (the map's limit), and blocks may be half used. */
const heldBlocksLimit = 512;
/** Blocks that were refused and are remembered, at most. */
const refusedLimit = 4096;
const blockTries = 16;

/** Addresses of one prefix of one subnet that this host may give to its endpoints. */
export class AddressPool {
  readonly subnet: SubnetSpec;
  readonly prefix: SubnetPrefix;
  readonly blocks: Map<BlockHex, HeldBlock> = new Map<BlockHex, HeldBlock>();
  readonly #durations: Durations;
  readonly #dnsAddress: AddressHex | undefined;
  readonly #refused = new Map<BlockHex, number>();

  constructor(subnet: SubnetSpec, prefix: SubnetPrefix, durations: Durations) {
    this.subnet = subnet;
    this.prefix = prefix;
    this.#durations = durations;
    this.#dnsAddress = dnsAddressOf(prefix);
  }

  /** A lease has been given or renewed: from now on these addresses and no others of the block. */
  hold(block: BlockHex, mask: number, token: number, expiresMs: number, nowMs: number): HeldBlock {
    let held = this.blocks.get(block);
    if (held === undefined) {
      held = {
        block,
        mask: 0,
        token,
        expiresMs,
        renewAtMs: nowMs,
        used: 0,
        idleSinceMs: nowMs,
        freedMs: new Float64Array(blockAddresses).fill(-Infinity),
        generations: new Float64Array(blockAddresses),
      };
      this.blocks.set(block, held);
    }
    held.mask = mask & usableMask(this.prefix, block, this.prefix.gateway, this.#dnsAddress);
    held.token = Math.max(held.token, token);
    held.expiresMs = expiresMs;
    return held;
  }

  /** The free address that has rested longest; undefined when no lease has one. */
  take(nowMs: number): Placement | undefined {
    let best: HeldBlock | undefined;
    let bestIndex = 0;
    let bestFreedMs = Infinity;
    for (const held of this.blocks.values()) {
      for (let index = 0; index < blockAddresses; index++) {
        const freedMs = held.freedMs[index]!;
        if (freedMs < bestFreedMs && this.#isFree(held, index, nowMs)) {
          best = held;
          bestIndex = index;
          bestFreedMs = freedMs;
        }
      }
    }
    return best === undefined ? undefined : place(best, bestIndex);
  }

  /** One address that the user has chosen, if this host has leased it and it is free. */
  takeFixed(address: AddressHex, nowMs: number): Placement | undefined {
    const held = this.blocks.get(blockOf(address));
    const index = indexOf(address);
    return held !== undefined && this.#isFree(held, index, nowMs) ? place(held, index) : undefined;
  }

  /** An endpoint that was there before this process. */
  restore(address: AddressHex, generation: number): boolean {
    const held = this.blocks.get(blockOf(address));
    if (held === undefined || (held.mask & bitOf(address)) === 0) return false;
    held.used |= bitOf(address);
    held.generations[indexOf(address)] = generation;
    return true;
  }

  /** The endpoint of an address is gone; it rests now. */
  free(address: AddressHex, nowMs: number): void {
    const held = this.blocks.get(blockOf(address));
    if (held === undefined) return;
    held.used &= ~bitOf(address);
    held.freedMs[indexOf(address)] = nowMs;
    held.idleSinceMs = nowMs;
  }

  /** An address that was taken in vain: it need not rest. */
  untake(address: AddressHex): void {
    const held = this.blocks.get(blockOf(address));
    if (held !== undefined) held.used &= ~bitOf(address);
  }

  /** The next generation of an address that an endpoint has, above the given one; undefined when it has none left. */
  raise(address: AddressHex, above: number): number | undefined {
    const held = this.blocks.get(blockOf(address));
    if (held === undefined || (held.used & bitOf(address)) === 0) return undefined;
    const generation = Math.max(held.generations[indexOf(address)]!, above) + 1;
    if (generation > 0xffffffff) return undefined;
    held.generations[indexOf(address)] = generation;
    return generation;
  }

  /** An address that goes to another host: this one never gives it away again. False when this host has not leased it. */
  letGo(address: AddressHex): boolean {
    const held = this.blocks.get(blockOf(address));
    if (held === undefined || (held.mask & bitOf(address)) === 0) return false;
    held.mask &= ~bitOf(address);
    held.used &= ~bitOf(address);
    return true;
  }

  needsBlock(nowMs: number): boolean {
    if (this.blocks.size >= heldBlocksLimit) return false;
    let free = 0;
    for (const held of this.blocks.values()) {
      for (let index = 0; index < blockAddresses; index++) if (this.#isFree(held, index, nowMs)) free++;
      if (free >= spareAddresses) return false;
    }
    return true;
  }

  /** A block that has been idle for long and is not missed. */
  idleBlock(nowMs: number): HeldBlock | undefined {
    let spare = 0;
    for (const held of this.blocks.values()) spare += bitsIn(held.mask & ~held.used);
    for (const held of this.blocks.values()) {
      const isIdle = held.used === 0 && nowMs >= held.idleSinceMs + this.#durations.idleBlockMs;
      if (isIdle && spare - bitsIn(held.mask) >= 2 * spareAddresses) return held;
    }
    return undefined;
  }

  /** A block to ask for, from a random place on: neither held nor refused of late. Undefined when there is none. */
  candidate(random: number, nowMs: number): BlockHex | undefined {
    const count = blockCount(this.prefix);
    const start = Math.floor(random * count);
    // In a small subnet every block is looked at; in a large one the first few free ones do.
    const { fixed } = this.prefix;
    const looks = Math.min(count, this.blocks.size + this.#refused.size + blockTries + (fixed === undefined ? 0 : blockCount(fixed)));
    for (let look = 0; look < looks; look++) {
      const block = blockAt(this.prefix, (start + look) % count);
      if (this.blocks.has(block) || usableMask(this.prefix, block, this.prefix.gateway, this.#dnsAddress) === 0) continue;
      if (fixed !== undefined && isInPrefix(blockKey(block), fixed)) continue;
      if (nowMs >= (this.#refused.get(block) ?? -Infinity)) return block;
    }
    return undefined;
  }

  refused(block: BlockHex, untilMs: number): void {
    this.#refused.delete(block);
    this.#refused.set(block, untilMs);
    if (this.#refused.size <= refusedLimit) return;
    for (const oldest of this.#refused.keys()) {
      this.#refused.delete(oldest);
      break;
    }
  }

  #isFree(held: HeldBlock, index: number, nowMs: number): boolean {
    const bit = 1 << index;
    return (
      (held.mask & ~held.used & bit) !== 0 &&
      nowMs < held.expiresMs &&
      nowMs >= held.freedMs[index]! + this.#durations.reuseAfterMs &&
      nextGeneration(held, index) < (held.token + 1) * generationsOfToken
    );
  }
}

function place(held: HeldBlock, index: number): Placement {
  const generation = nextGeneration(held, index);
  held.used |= 1 << index;
  held.generations[index] = generation;
  return { address: addressIn(held.block, index), generation };
}

/** Whoever leases the block later has a higher token, so its generations are newer than all that came before. */
function nextGeneration({ generations, token }: HeldBlock, index: number): number {
  return Math.max(generations[index]! + 1, token * generationsOfToken);
}

function indexOf(address: AddressHex): number {
  return Number.parseInt(address.at(-1)!, 16);
}
