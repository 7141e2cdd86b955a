import type { AddressHex } from './address.ts';
import type { Calls } from './calls.ts';
import { digestOf, type Digest, type DirectoryEntry } from './directory.ts';
import type { LocalEndpoint } from './host-maps.ts';
import { messageLimits } from './messages.ts';
import type { Tables } from './tables.ts';

export interface AnnouncerOptions {
  readonly hostId: number;
  readonly calls: Calls;
  readonly nextSequence: () => number;
  /** All endpoints at this host. */
  readonly endpoints: () => Iterable<LocalEndpoint>;
}

/** Gets whether the owner took it, and the newest generation that it knows; 0 when it did not answer. */
export type Told = (isAccepted: boolean, newest: number, nowMs: number) => void;

/** Tells owners of the endpoints here. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #lists = new Set<string>();
  /** Entries of the endpoints by `owner/vni`; made when they are asked for. */
  #entries: Map<string, DirectoryEntry[]> | undefined;
  #tables: Tables | undefined;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  setTables(tables: Tables): void {
    this.#tables = tables;
    this.#entries = undefined;
  }

  /** The endpoints here are others. */
  changed(): void {
    this.#entries = undefined;
  }

  ownersOf(vni: number, address: AddressHex): number[] {
    return this.#tables?.ownersOf(vni, address) ?? [];
  }

  /** One call. */
  put(owner: number, endpoint: LocalEndpoint, address: AddressHex, nowMs: number, told: Told): void {
    const { vni, generation, identity, flags, mac } = endpoint;
    const sequence = this.#options.nextSequence();
    const epoch = this.#tables?.epoch ?? 0;
    const call = { type: 'put', vni, address, generation, identity, flags, mac, sequence, epoch } as const;
    this.#options.calls.call(owner, call, nowMs, (answer, answeredMs) => {
      if (answer?.type === 'putAnswer') told(answer.isAccepted, answer.generation, answeredMs);
      else told(false, 0, answeredMs);
    });
  }

  /** One call for each owner. */
  delete({ vni, addresses, generation }: LocalEndpoint, nowMs: number): void {
    for (const address of addresses) {
      for (const owner of this.ownersOf(vni, address)) {
        this.#options.calls.call(owner, { type: 'delete', vni, address, generation }, nowMs, () => {});
      }
    }
  }

  /** Tells the owners that `isNew` picks: they have become owners, or have forgotten all. */
  putAll(isNew: (owner: number, vni: number, address: AddressHex) => boolean, nowMs: number): void {
    for (const endpoint of this.#options.endpoints()) {
      for (const address of endpoint.addresses) {
        for (const owner of this.ownersOf(endpoint.vni, address)) {
          if (isNew(owner, endpoint.vni, address)) this.put(owner, endpoint, address, nowMs, () => {});
        }
      }
    }
  }

  /** Tells each owner the digest of what it should have of this host. */
  sendDigests(): void {
    for (const [key, entries] of this.#byOwner()) {
      const [owner = '', vni = ''] = key.split('/');
      this.#sendDigest(Number(owner), Number(vni), digestOf(entries));
    }
  }

  /** An owner asks what it should have. */
  asked(owner: number, vni: number, isList: boolean, nowMs: number): void {
    const key = `${owner}/${vni}`;
    const entries = this.#byOwner().get(key) ?? [];
    if (!isList) this.#sendDigest(owner, vni, digestOf(entries));
    else if (!this.#lists.has(key) && this.#tables !== undefined) this.#sendList(owner, vni, entries, this.#tables.epoch, nowMs);
  }

  /** All entries in as many calls as it takes, each for a range of addresses. */
  #sendList(owner: number, vni: number, entries: readonly DirectoryEntry[], epoch: number, nowMs: number): void {
    const key = `${owner}/${vni}`;
    this.#lists.add(key);
    const sorted = entries.toSorted((left, right) => (left.address < right.address ? -1 : 1));
    const sequence = this.#options.nextSequence();
    let waiting = 0;
    for (let at = 0; at === 0 || at < sorted.length; at += messageLimits.entries) {
      const from = at === 0 ? '0'.repeat(32) : sorted[at]!.address;
      const to = sorted[at + messageLimits.entries]?.address ?? '';
      const named = sorted
        .slice(at, at + messageLimits.entries)
        .map(({ address, generation, identity, flags, mac }) => ({ address, generation, identity, flags, mac }));
      waiting++;
      this.#options.calls.call(owner, { type: 'list', vni, epoch, from, to, sequence, entries: named }, nowMs, () => {
        waiting--;
        if (waiting === 0) this.#lists.delete(key);
      });
    }
  }

  #sendDigest(owner: number, vni: number, { count, high, low }: Digest): void {
    this.#options.calls.notify(owner, { type: 'digest', vni, epoch: this.#tables?.epoch ?? 0, count, high, low });
  }

  #byOwner(): Map<string, DirectoryEntry[]> {
    if (this.#entries !== undefined) return this.#entries;
    const byOwner = new Map<string, DirectoryEntry[]>();
    for (const { vni, addresses, generation, identity, flags, mac } of this.#options.endpoints()) {
      for (const address of addresses) {
        const entry: DirectoryEntry = { vni, address, hostId: this.#options.hostId, generation, identity, flags, mac };
        for (const owner of this.ownersOf(vni, address)) {
          const key = `${owner}/${vni}`;
          const entries = byOwner.get(key);
          if (entries === undefined) byOwner.set(key, [entry]);
          else entries.push(entry);
        }
      }
    }
    this.#entries = byOwner;
    return byOwner;
  }
}
