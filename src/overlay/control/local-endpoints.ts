import { WeatherError } from '../../base/errors.ts';
import { isInPrefix, type AddressHex, type MacHex } from './address.ts';
import type { AddressPool, Placement } from './address-pool.ts';
import type { Announcer } from './announcer.ts';
import type { Calls } from './calls.ts';
import type { Durations } from './durations.ts';
import type { LocalEndpoint, Tombstone } from './host-maps.ts';
import type { LeaseHolder } from './lease-holder.ts';
import { parseStoredEndpoint, parseStoredTombstone } from './stored-endpoint.ts';
import type { Tables } from './tables.ts';

/** An endpoint that is to be placed here. */
export interface AddRequest {
  /** The caller's, for the answer. */
  readonly requestId: number;
  readonly subnetId: number;
  /** The root side of its veth. */
  readonly ifindex: number;
  readonly mac: MacHex;
  readonly identity: number;
  readonly flags: number;
  /** Addresses that the user has chosen; for prefixes without one a free address is taken. */
  readonly fixed: readonly AddressHex[];
}

/** What an endpoint takes along to another host. */
export interface MoveTicket {
  readonly hostId: number;
  readonly endpoint: LocalEndpoint;
}

export interface LocalEndpointsOptions {
  readonly hostId: number;
  readonly durations: Durations;
  readonly calls: Calls;
  readonly holder: LeaseHolder;
  readonly announcer: Announcer;
  readonly store: (key: string, value: unknown) => void;
  /** The endpoint is here with these addresses and this generation: its port and addresses are to be written. */
  readonly written: (endpoint: LocalEndpoint) => void;
  /** Its port is to be deleted, its addresses to be written anew. */
  readonly removed: (endpoint: LocalEndpoint) => void;
  readonly changed: (vni: number, address: AddressHex) => void;
  /** The addresses are there; its owners are being told. */
  readonly placed: (requestId: number, endpoint: LocalEndpoint) => void;
  readonly done: (requestId: number, ticket?: MoveTicket) => void;
  readonly failed: (requestId: number, error: WeatherError) => void;
}

/** A request whose addresses are not there yet. */
interface Waiting {
  readonly request: AddRequest;
  readonly deadlineMs: number;
  readonly ticket: MoveTicket | undefined;
}

/** An endpoint whose owners have not all answered. */
interface Placing {
  readonly requestId: number;
  readonly ticket: MoveTicket | undefined;
  readonly startedMs: number;
  /** By address: owners that have it, and owners that have not answered. */
  readonly told: Map<AddressHex, { accepted: number; waiting: number }>;
  raises: number;
}

/** Endpoints of a host: as many as the map of ports holds. */
const endpointsLimit = 4096;
const tombstonesLimit = 4096;
/** A generation that an owner knows a newer one of is raised so often: more means that another host has the address. */
const raisesLimit = 3;
/** Requests that wait are tried again after so long, and whenever a block comes. */
const tryAgainMs = 200;

/** Endpoints at this host, from the request to the word of their owners, and those that left. */
export class LocalEndpoints {
  readonly #options: LocalEndpointsOptions;
  readonly #endpoints = new Map<number, LocalEndpoint>();
  readonly #byAddress = new Map<string, LocalEndpoint>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #placing = new Map<number, Placing>();
  /** Endpoints that go to another host, and until when they are served here at most. */
  readonly #leaving = new Map<number, number>();
  readonly #tombstones = new Map<string, Tombstone & { readonly vni: number; readonly address: AddressHex }>();
  #tables: Tables | undefined;
  #tryAtMs = Infinity;
  #notBeforeMs = -Infinity;

  constructor(options: LocalEndpointsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#endpoints.size + this.#waiting.size + this.#tombstones.size;
  }

  all(): Iterable<LocalEndpoint> {
    return this.#endpoints.values();
  }

  tombstones(): Iterable<Tombstone & { readonly vni: number; readonly address: AddressHex }> {
    return this.#tombstones.values();
  }

  /** Whether it goes to another host, which may have its addresses already. */
  isLeaving(ifindex: number): boolean {
    return this.#leaving.has(ifindex);
  }

  get(ifindex: number): LocalEndpoint | undefined {
    return this.#endpoints.get(ifindex);
  }

  at(vni: number, address: AddressHex): LocalEndpoint | undefined {
    return this.#byAddress.get(keyOf(vni, address));
  }

  tombstoneAt(vni: number, address: AddressHex): Tombstone | undefined {
    return this.#tombstones.get(keyOf(vni, address));
  }

  setTables(tables: Tables): void {
    this.#tables = tables;
  }

  /** No endpoint is placed before: the data path would ask owners, this host among them, that do not know yet. */
  waitUntil(nowMs: number): void {
    this.#notBeforeMs = nowMs;
  }

  /** A record of `store` of this boot; its leases have been restored before. */
  restore(key: string, value: unknown, nowMs: number): void {
    const [kind, first = '', second = ''] = key.split('/');
    const endpoint = kind === 'endpoint' ? parseStoredEndpoint(value, Number(first)) : undefined;
    const tombstone = kind === 'tombstone' ? parseStoredTombstone(value) : undefined;
    if (tombstone !== undefined && nowMs < tombstone.untilMs) {
      this.#tombstones.set(`${first}/${second}`, { ...tombstone, vni: Number(first), address: second });
    }
    if (endpoint === undefined) return;
    // Without a lease of its address the endpoint has no right to be here, and none either when its VNI has become another tenant's.
    const isLeased =
      this.#tables?.subnet(endpoint.subnetId)?.vni === endpoint.vni &&
      endpoint.addresses.every(
        (address) => this.#options.holder.poolOf(endpoint.vni, address)?.restore(address, endpoint.generation) === true,
      );
    if (isLeased) this.#insert(endpoint);
    else this.#options.store(key, undefined);
  }

  add(request: AddRequest, nowMs: number, ticket?: MoveTicket): void {
    const { requestId, subnetId, ifindex } = request;
    const subnet = this.#tables?.subnet(subnetId);
    const refuse = (code: string, message: string): void => this.#options.failed(requestId, new WeatherError(code, message));
    if (subnet === undefined) return refuse('unknown-subnet', `there is no subnet ${subnetId}`);
    if (this.#endpoints.has(ifindex)) return refuse('port-in-use', `interface ${ifindex} has an endpoint`);
    if (this.#endpoints.size + this.#waiting.size >= endpointsLimit)
      return refuse('host-full', `this host has ${endpointsLimit} endpoints`);
    if (!request.fixed.every((address) => subnet.prefixes.some((prefix) => isInPrefix(address, prefix)))) {
      return refuse('address-not-in-subnet', 'a chosen address is not in the subnet');
    }
    const waiting: Waiting = { request, deadlineMs: nowMs + this.#options.durations.placeTimeoutMs, ticket };
    if (this.#tryPlace(waiting, nowMs)) return undefined;
    const exhausted = this.#options.holder.poolsOf(subnet).some((pool) => this.#isExhausted(pool, request, nowMs));
    if (exhausted) return refuse('subnet-exhausted', 'the subnet has no free address; one that was freed rests before it is used again');
    this.#waiting.set(requestId, waiting);
    this.#tryAtMs = Math.min(this.#tryAtMs, nowMs + tryAgainMs);
    return undefined;
  }

  /** The endpoint has other labels. Owners are told; other hosts hear of it with the next packets that tell where it is. */
  relabel(ifindex: number, identity: number, nowMs: number): void {
    const endpoint = this.#endpoints.get(ifindex);
    if (endpoint === undefined || endpoint.identity === identity || this.#leaving.has(ifindex)) return;
    const relabelled = { ...endpoint, identity };
    this.#write(relabelled);
    const { announcer } = this.#options;
    for (const address of endpoint.addresses) {
      for (const owner of announcer.ownersOf(endpoint.vni, address)) announcer.put(owner, relabelled, address, nowMs, () => {});
    }
  }

  /** The endpoint is gone. */
  delete(ifindex: number, nowMs: number): void {
    for (const [requestId, { request }] of this.#waiting) {
      if (request.ifindex !== ifindex) continue;
      this.#waiting.delete(requestId);
      this.#options.failed(requestId, new WeatherError('deleted', 'the endpoint was deleted before it was placed'));
    }
    const endpoint = this.#endpoints.get(ifindex);
    if (endpoint === undefined) return;
    const placing = this.#placing.get(ifindex);
    if (placing !== undefined)
      this.#options.failed(placing.requestId, new WeatherError('deleted', 'the endpoint was deleted before it was placed'));
    for (const address of endpoint.addresses) this.#free(endpoint.vni, address, nowMs);
    this.#remove(endpoint);
    this.#options.announcer.delete(endpoint, nowMs);
  }

  /** An address that a user has chosen may be wanted at another host at once: it goes back to its grantors. The others rest here. */
  #free(vni: number, address: AddressHex, nowMs: number): void {
    const { holder } = this.#options;
    const pool = holder.poolOf(vni, address);
    if (pool === undefined) return;
    const { fixed } = pool.prefix;
    const isChosen = fixed !== undefined && isInPrefix(address, fixed);
    if (!isChosen || !holder.letGo(pool, address, nowMs, () => {})) pool.free(address, nowMs);
  }

  /** Addresses come whose endpoints have waited for them. */
  placeWaiting(nowMs: number): void {
    this.#tryAtMs = Infinity;
    for (const [requestId, waiting] of this.#waiting) {
      if (this.#tryPlace(waiting, nowMs)) this.#waiting.delete(requestId);
      else if (nowMs >= waiting.deadlineMs) {
        this.#waiting.delete(requestId);
        const error =
          waiting.request.fixed.length > 0
            ? new WeatherError('address-in-use', 'another host has a chosen address')
            : new WeatherError('no-address', 'no address was leased in time');
        this.#options.failed(requestId, error);
      } else this.#tryAtMs = Math.min(nowMs + tryAgainMs, waiting.deadlineMs, this.#tryAtMs);
    }
  }

  /** The endpoint goes to another host: it is served here until that one says that it has come, and its addresses are free for it. */
  moveOut(requestId: number, ifindex: number, nowMs: number): void {
    const endpoint = this.#endpoints.get(ifindex);
    if (endpoint === undefined || this.#leaving.has(ifindex) || this.#placing.has(ifindex)) {
      this.#options.failed(requestId, new WeatherError('no-endpoint', `interface ${ifindex} has no endpoint that could move`));
      return;
    }
    this.#leaving.set(ifindex, nowMs + this.#options.durations.tombstoneMs);
    this.#options.store(`endpoint/${ifindex}`, undefined);
    let waiting = endpoint.addresses.length;
    let isFree = true;
    for (const address of endpoint.addresses) {
      const pool = this.#options.holder.poolOf(endpoint.vni, address);
      const released = (isReleased: boolean): void => {
        isFree &&= isReleased;
        waiting--;
        if (waiting > 0) return;
        if (isFree) this.#options.done(requestId, { hostId: this.#options.hostId, endpoint });
        else this.#options.failed(requestId, new WeatherError('owners-unreachable', 'the leases could not be given back'));
      };
      if (pool === undefined || !this.#options.holder.letGo(pool, address, nowMs, released)) released(true);
    }
  }

  /** An endpoint that was here has come to another host. */
  moved(from: number, vni: number, address: AddressHex, generation: number, nowMs: number): void {
    const { durations, store, changed } = this.#options;
    const endpoint = this.at(vni, address);
    if (endpoint !== undefined) {
      if (!this.#leaving.has(endpoint.ifindex) || endpoint.generation >= generation) return;
      this.#remove(endpoint);
    }
    const known = this.tombstoneAt(vni, address);
    if (this.#tombstones.size >= tombstonesLimit || (known !== undefined && known.generation >= generation)) return;
    const mac = endpoint?.mac ?? known?.mac;
    if (mac === undefined) return;
    const tombstone = { hostId: from, generation, mac, untilMs: nowMs + durations.tombstoneMs };
    this.#tombstones.delete(keyOf(vni, address));
    this.#tombstones.set(keyOf(vni, address), { ...tombstone, vni, address });
    store(`tombstone/${vni}/${address}`, { ...tombstone, untilMs: Math.ceil(tombstone.untilMs) });
    changed(vni, address);
  }

  /** The lease of an address is over: the endpoint goes, with all its addresses. It is returned. */
  lost(vni: number, address: AddressHex, nowMs: number): LocalEndpoint | undefined {
    const endpoint = this.at(vni, address);
    if (endpoint === undefined || this.#leaving.has(endpoint.ifindex)) return undefined;
    this.delete(endpoint.ifindex, nowMs);
    return endpoint;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= this.#tryAtMs) this.placeWaiting(nowMs);
    for (const ifindex of this.#placing.keys()) this.#settle(ifindex, nowMs);
    for (const [ifindex, untilMs] of this.#leaving) if (nowMs >= untilMs) this.delete(ifindex, nowMs);
    for (const [key, { untilMs, vni, address }] of this.#tombstones) {
      if (nowMs < untilMs) break;
      this.#tombstones.delete(key);
      this.#options.store(`tombstone/${key}`, undefined);
      this.#options.changed(vni, address);
    }
  }

  nextDeadlineMs(nowMs: number): number {
    const { secondOwnerMs, placeTimeoutMs } = this.#options.durations;
    let dueMs = this.#tryAtMs;
    for (const { startedMs } of this.#placing.values()) {
      dueMs = Math.min(dueMs, startedMs + (nowMs < startedMs + secondOwnerMs ? secondOwnerMs : placeTimeoutMs));
    }
    for (const untilMs of this.#leaving.values()) dueMs = Math.min(dueMs, untilMs);
    for (const { untilMs } of this.#tombstones.values()) return Math.min(dueMs, untilMs);
    return dueMs;
  }

  #isExhausted(pool: AddressPool, { fixed }: AddRequest, nowMs: number): boolean {
    return !fixed.some((address) => isInPrefix(address, pool.prefix)) && this.#options.holder.isExhausted(pool, nowMs);
  }

  #tryPlace({ request, ticket }: Waiting, nowMs: number): boolean {
    const { holder } = this.#options;
    const subnet = this.#tables?.subnet(request.subnetId);
    if (subnet === undefined || nowMs < this.#notBeforeMs) return false;
    const pools = holder.poolsOf(subnet);
    const placements: Placement[] = [];
    for (const pool of pools) {
      const chosen = request.fixed.find((address) => isInPrefix(address, pool.prefix));
      const placement = chosen === undefined ? holder.take(pool, nowMs) : holder.takeFixed(pool, chosen, nowMs);
      if (placement !== undefined) placements.push(placement);
    }
    if (placements.length < pools.length) {
      for (const { address } of placements) holder.poolOf(subnet.vni, address)?.untake(address);
      return false;
    }
    // One generation for all addresses of an endpoint, since its packets tell one.
    const generation = Math.max(...placements.map((placement) => placement.generation), (ticket?.endpoint.generation ?? 0) + 1);
    for (const [at, { address }] of placements.entries()) pools[at]?.raise(address, generation - 1);
    const { ifindex, subnetId, mac, identity, flags } = request;
    const addresses = placements.map(({ address }) => address);
    const endpoint: LocalEndpoint = { ifindex, subnetId, vni: subnet.vni, mac, identity, flags, addresses, generation };
    for (const address of addresses) this.#dropTombstone(subnet.vni, address);
    this.#write(endpoint);
    this.#options.placed(request.requestId, endpoint);
    this.#startPlacing(endpoint, { requestId: request.requestId, ticket, startedMs: nowMs, told: new Map(), raises: 0 }, nowMs);
    return true;
  }

  #startPlacing(endpoint: LocalEndpoint, placing: Placing, nowMs: number): void {
    const { ifindex, vni } = endpoint;
    this.#placing.set(ifindex, placing);
    placing.told.clear();
    for (const address of endpoint.addresses) {
      const owners = this.#options.announcer.ownersOf(vni, address);
      const told = { accepted: 0, waiting: owners.length };
      placing.told.set(address, told);
      for (const owner of owners) {
        this.#options.announcer.put(owner, endpoint, address, nowMs, (isAccepted, newest, answeredMs) => {
          told.waiting--;
          if (isAccepted) told.accepted++;
          if (this.#placing.get(ifindex) !== placing || this.#endpoints.get(ifindex) !== endpoint) return;
          if (!isAccepted && newest >= endpoint.generation) this.#raise(endpoint, placing, newest, answeredMs);
          else this.#settle(ifindex, answeredMs);
        });
      }
    }
  }

  /** An owner knows a newer generation of the address, from another time: this one must be newer still. */
  #raise(endpoint: LocalEndpoint, placing: Placing, newest: number, nowMs: number): void {
    const pools = endpoint.addresses.map((address) => this.#options.holder.poolOf(endpoint.vni, address));
    const raised = placing.raises < raisesLimit ? endpoint.addresses.map((address, at) => pools[at]?.raise(address, newest)) : [undefined];
    const generation = Math.max(...raised.map((value) => value ?? -1));
    if (raised.includes(undefined)) {
      this.#fail(endpoint, placing, new WeatherError('address-in-use', 'its owners know a newer endpoint of this address'), nowMs);
      return;
    }
    const newer = { ...endpoint, generation };
    this.#write(newer);
    this.#startPlacing(newer, { ...placing, told: new Map(), raises: placing.raises + 1 }, nowMs);
  }

  #settle(ifindex: number, nowMs: number): void {
    const placing = this.#placing.get(ifindex);
    const endpoint = this.#endpoints.get(ifindex);
    if (placing === undefined || endpoint === undefined) return;
    const { secondOwnerMs, placeTimeoutMs } = this.#options.durations;
    const told = [...placing.told.values()];
    const isKnown = told.every(({ accepted }) => accepted > 0);
    if (isKnown && (nowMs >= placing.startedMs + secondOwnerMs || told.every(({ waiting }) => waiting === 0))) {
      this.#placing.delete(ifindex);
      const { ticket } = placing;
      if (ticket !== undefined) this.#tellMoved(ticket, endpoint, nowMs);
      this.#options.done(placing.requestId);
    } else if (nowMs >= placing.startedMs + placeTimeoutMs) {
      this.#fail(endpoint, placing, new WeatherError('owners-unreachable', 'no owner of the address answers'), nowMs);
    }
  }

  #fail(endpoint: LocalEndpoint, placing: Placing, error: WeatherError, nowMs: number): void {
    this.#placing.delete(endpoint.ifindex);
    this.delete(endpoint.ifindex, nowMs);
    this.#options.failed(placing.requestId, error);
  }

  #tellMoved(ticket: MoveTicket, { vni, addresses, generation }: LocalEndpoint, nowMs: number): void {
    for (const address of addresses) this.#options.calls.call(ticket.hostId, { type: 'moved', vni, address, generation }, nowMs, () => {});
  }

  #write(endpoint: LocalEndpoint): void {
    this.#insert(endpoint);
    const { ifindex, ...stored } = endpoint;
    this.#options.store(`endpoint/${ifindex}`, stored);
    this.#options.written(endpoint);
  }

  #insert(endpoint: LocalEndpoint): void {
    this.#options.announcer.changed();
    this.#endpoints.set(endpoint.ifindex, endpoint);
    for (const address of endpoint.addresses) this.#byAddress.set(keyOf(endpoint.vni, address), endpoint);
  }

  #remove(endpoint: LocalEndpoint): void {
    this.#options.announcer.changed();
    this.#endpoints.delete(endpoint.ifindex);
    this.#leaving.delete(endpoint.ifindex);
    this.#placing.delete(endpoint.ifindex);
    for (const address of endpoint.addresses) this.#byAddress.delete(keyOf(endpoint.vni, address));
    this.#options.store(`endpoint/${endpoint.ifindex}`, undefined);
    this.#options.removed(endpoint);
  }

  #dropTombstone(vni: number, address: AddressHex): void {
    if (this.#tombstones.delete(keyOf(vni, address))) this.#options.store(`tombstone/${keyOf(vni, address)}`, undefined);
  }
}

function keyOf(vni: number, address: AddressHex): string {
  return `${vni}/${address}`;
}
