import type { WeatherError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { HostLife, ServiceBackends, WantedRecord } from '../compiler/service-compiler.ts';
import { TenantCompiler, type ChangingCatalog, type TenantResources } from '../compiler/tenant-compiler.ts';
import { endpointCodec, endpointKeyCodec, endpointKind } from '../layout/endpoint.ts';
import type { RelayedEvent } from '../layout/event.ts';
import { maps } from '../layout/maps.ts';
import type { Labels } from '../resources/resource-types.ts';
import { hexOf, octetsOf, type AddressHex } from './address.ts';
import { noIdentity } from '../compiler/identity.ts';
import { Announcer } from './announcer.ts';
import { Calls } from './calls.ts';
import { DataPathMaps } from './data-path-maps.ts';
import type { DirectoryEntry } from './directory.ts';
import { usualDurations, type Durations } from './durations.ts';
import type { LocalEndpoint, SelfSpec } from './host-maps.ts';
import { LeaseGrantor } from './lease-grantor.ts';
import { LeaseHolder } from './lease-holder.ts';
import { LocalEndpoints, type AddRequest, type MoveTicket } from './local-endpoints.ts';
import type { MessageRecord } from './messages.ts';
import { OwnerRole } from './owner-role.ts';
import type { MapContents, MapWrite } from './plan.ts';
import type { LocalGateway } from './routes.ts';
import { specLimits, type HostSpec, type OverlaySpec } from './spec.ts';
import { Tables, type TableSource } from './tables.ts';

/**
 * The daemon of a host.
 *
 *   in   setSpec, setHostAlive          what there is
 *        add, delete, moveOut, moveIn   the users' requests; resolve
 *        receive                        messages of other hosts, checked by `parseMessage`
 *        relayed                        events of the data path
 *        catalogChanged                 services, policies, labels, the other hosts' backends
 *        handleTimeout                  time
 *   out  takeOutputs, in their order    records for the disk, map writes, messages, answers
 *        nextDeadlineMs                 when `handleTimeout` is due
 *
 * A `store` must be on disk before what comes after it is sent. Map writes come before the messages that tell of them.
 */
export type HostOutput =
  | { readonly kind: 'store'; readonly key: string; readonly value: unknown }
  | { readonly kind: 'map'; readonly write: MapWrite }
  /** For the catalog. */
  | { readonly kind: 'record'; readonly record: WantedRecord }
  | { readonly kind: 'send'; readonly to: number; readonly records: readonly MessageRecord[] }
  /** The endpoint has its addresses, and the data path knows it; its owners are being told. */
  | { readonly kind: 'placed'; readonly requestId: number; readonly endpoint: LocalEndpoint }
  | { readonly kind: 'done'; readonly requestId: number; readonly ticket: MoveTicket | undefined }
  | { readonly kind: 'failed'; readonly requestId: number; readonly error: WeatherError }
  /** The lease of an endpoint's address is over: its link is to be taken away. */
  | { readonly kind: 'cut'; readonly endpoint: LocalEndpoint }
  | { readonly kind: 'resolved'; readonly requestId: number; readonly entry: DirectoryEntry | undefined }
  /** An owner told where an endpoint is: a path for the data path. */
  | { readonly kind: 'path'; readonly entry: DirectoryEntry; readonly hostGeneration: number };

export interface HostControlOptions {
  readonly self: SelfSpec;
  readonly random: Random;
  /** Told by `store` in this host's life before. `nowMs` must be on one clock for all processes of one boot. */
  readonly stored: Iterable<readonly [key: string, value: unknown]>;
  /** Another one after each start of the machine. */
  readonly bootId: string;
  readonly durations?: Durations;
  readonly tableSource?: TableSource;
  /** Records that all hosts have alike; none when absent. */
  readonly catalog?: ChangingCatalog;
  /** What the resources say, another object whenever it is another; nothing when absent. */
  readonly resources?: () => TenantResources;
  /** The day since 1970, for records that grow old; 0 when absent: none does. */
  readonly today?: () => number;
}

const noCatalog: ChangingCatalog = { version: 0, get: () => undefined, entries: () => [], changedSince: () => [] };
const noResources: TenantResources = { vpcs: [], services: [], policies: [] };

/** Sequences that are taken from the disk at a time. */
const sequencesAtATime = 65_536;
/** So that a host that lost its disk is not behind: its generation is higher. */
const sequencesOfGeneration = 1_048_576;

export class HostControl {
  readonly self: SelfSpec;
  readonly calls: Calls;
  readonly #durations: Durations;
  readonly #random: Random;
  readonly #bootId: string;
  readonly #tableSource: TableSource | undefined;
  readonly #holder: LeaseHolder;
  readonly #grantor: LeaseGrantor;
  readonly #owner: OwnerRole;
  readonly #endpoints: LocalEndpoints;
  readonly #announcer: Announcer;
  readonly #maps: DataPathMaps;
  readonly #tenants: TenantCompiler;
  readonly #catalog: ChangingCatalog;
  readonly #resources: () => TenantResources;
  #resourcesRead: TenantResources | undefined;
  readonly #believedDead = new Set<number>();
  /** When connections to backends at a host that is believed dead are given up, the earliest first. */
  readonly #lostAtMs = new Map<number, number>();
  readonly #hosts = new Map<number, HostSpec>();
  #stored: readonly (readonly [key: string, value: unknown])[];
  #outputs: HostOutput[] = [];
  #tables: Tables | undefined;
  #roundAtMs = Infinity;
  #sequence: number;
  #sequencesEnd: number;
  #lowestEpoch: number;

  constructor(options: HostControlOptions) {
    this.self = options.self;
    this.#durations = options.durations ?? usualDurations;
    this.#random = options.random;
    this.#bootId = options.bootId;
    this.#tableSource = options.tableSource;
    this.#stored = [...options.stored];
    const { hostId } = options.self;
    const stored = new Map(this.#stored);
    this.#lowestEpoch = numberIn(stored.get('epoch'));
    this.#sequence = Math.max(numberIn(stored.get('sequence')), options.self.generation * sequencesOfGeneration);
    this.#sequencesEnd = this.#sequence;
    const durations = this.#durations;
    this.calls = new Calls(durations, Math.floor(options.random.number() * 0x1_0000_0000));
    const { calls } = this;
    const store = (key: string, value: unknown): void => void this.#outputs.push({ kind: 'store', key, value });
    const nextSequence = (): number => this.#nextSequence();
    const changed = (vni: number, address: AddressHex): void => {
      this.#maps.endpointChanged(vni, address);
      this.#tenants.leftChanged(vni);
    };
    this.#grantor = new LeaseGrantor({ hostId, durations, calls, store });
    this.#owner = new OwnerRole({ hostId, durations, calls, changed });
    this.#holder = new LeaseHolder({
      durations,
      calls,
      random: options.random,
      nextSequence,
      store,
      granted: (nowMs) => this.#endpoints.placeWaiting(nowMs),
      lost: (vni, address, nowMs) => {
        const endpoint = this.#endpoints.lost(vni, address, nowMs);
        if (endpoint !== undefined) this.#outputs.push({ kind: 'cut', endpoint });
      },
    });
    this.#catalog = options.catalog ?? noCatalog;
    this.#resources = options.resources ?? (() => noResources);
    this.#tenants = new TenantCompiler({
      hostId,
      catalog: this.#catalog,
      lifeOf: (otherId) => this.#lifeOf(otherId),
      isHost: (otherId) => this.#hosts.has(otherId),
      hasLeft: (vni, address) => this.#endpoints.tombstoneAt(vni, address) !== undefined,
      today: options.today ?? (() => 0),
    });
    const tenants = this.#tenants;
    const record = (wanted: WantedRecord): void => void this.#outputs.push({ kind: 'record', record: wanted });
    this.#maps = new DataPathMaps({
      self: options.self,
      durations,
      endpoints: () => this.#endpoints,
      directory: this.#owner.directory,
      isAlive: (otherId) => this.#isAlive(otherId),
      write: (write) => this.#outputs.push({ kind: 'map', write }),
      tenants,
      record,
    });
    this.#announcer = new Announcer({ hostId, calls, nextSequence, endpoints: () => this.#endpoints.all() });
    this.#endpoints = new LocalEndpoints({
      hostId,
      durations,
      calls,
      holder: this.#holder,
      announcer: this.#announcer,
      store,
      written: (endpoint) => {
        tenants.endpointWritten(endpoint);
        this.#maps.portWritten(endpoint);
      },
      removed: (endpoint) => {
        tenants.endpointRemoved(endpoint.ifindex);
        this.#maps.portRemoved(endpoint);
      },
      changed,
      placed: (requestId, endpoint) => this.#outputs.push({ kind: 'placed', requestId, endpoint }),
      done: (requestId, ticket) => this.#outputs.push({ kind: 'done', requestId, ticket }),
      failed: (requestId, error) => this.#outputs.push({ kind: 'failed', requestId, error }),
    });
  }

  get epoch(): number {
    return this.#tables?.epoch ?? this.#lowestEpoch;
  }

  get endpoints(): Iterable<LocalEndpoint> {
    return this.#endpoints.all();
  }

  /** Whether the endpoint at `ifindex` goes to another host, which may have its addresses already. */
  isLeaving(ifindex: number): boolean {
    return this.#endpoints.isLeaving(ifindex);
  }

  /** Entries that this host keeps as owner. */
  get directory(): Iterable<DirectoryEntry> {
    return this.#owner.directory.entries();
  }

  /** Owners of an address, as this host knows them. */
  ownersOf(vni: number, address: AddressHex): readonly number[] {
    return this.#tables?.ownersOf(vni, address) ?? [];
  }

  /** Addresses that this host may use now. */
  leased(nowMs: number): ReturnType<LeaseHolder['held']> {
    return this.#holder.held(nowMs);
  }

  /** How much there is of everything that has a limit. */
  get sizes(): Readonly<Record<'calls' | 'directory' | 'graves' | 'grants' | 'endpoints' | 'blocks', number>> {
    const { directory } = this.#owner;
    return {
      calls: this.calls.size,
      directory: directory.size,
      graves: directory.graves,
      grants: this.#grantor.size,
      endpoints: this.#endpoints.size,
      blocks: this.#holder.blocks,
    };
  }

  /** What there is, from whoever decides. A spec of an epoch before one that this host has known is not taken: false. */
  setSpec(spec: OverlaySpec, nowMs: number): boolean {
    const epoch = spec.epochs.at(-1)?.epoch ?? 0;
    const isTooLarge =
      spec.hosts.length > specLimits.hosts || spec.subnets.length > specLimits.subnets || spec.epochs.length > specLimits.epochs;
    if (epoch < this.epoch || isTooLarge) return false;
    const before = this.#tables;
    const livesBefore = new Map(Array.from(this.#hosts.keys(), (hostId) => [hostId, this.#lifeOf(hostId)]));
    const tables = new Tables(spec, this.#tableSource, before);
    const restarted = new Set<number>();
    for (const host of spec.hosts) {
      const known = this.#hosts.get(host.hostId);
      if (known === undefined || known.generation === host.generation) continue;
      restarted.add(host.hostId);
      this.#believedDead.delete(host.hostId);
      this.#lostAtMs.delete(host.hostId);
    }
    this.#hosts.clear();
    for (const host of spec.hosts) this.#hosts.set(host.hostId, host);
    const either = new Set([...livesBefore.keys(), ...this.#hosts.keys()]);
    this.#tenants.hostsChanged([...either].filter((hostId) => (livesBefore.get(hostId) ?? 'lost') !== this.#lifeOf(hostId)));
    // From here on this host agrees to nothing of an older epoch, in this life and the next.
    if (epoch !== before?.epoch) this.#outputs.push({ kind: 'store', key: 'epoch', value: epoch });
    this.#tables = tables;
    this.#grantor.setTables(tables, (hostId) => !this.#hosts.has(hostId));
    this.#owner.setTables(tables, nowMs);
    this.#announcer.setTables(tables);
    this.#endpoints.setTables(tables);
    this.#holder.setTables(tables, nowMs);
    if (before === undefined) this.#begin(spec, nowMs);
    this.#maps.setTables(tables, nowMs);
    if (before !== undefined) {
      const isNew = (owner: number, vni: number, address: AddressHex): boolean =>
        restarted.has(owner) || (epoch !== before.epoch && !before.ownersOf(vni, address).includes(owner));
      if (restarted.size > 0 || epoch !== before.epoch) this.#announcer.putAll(isNew, nowMs);
    }
    this.#flush(nowMs);
    return true;
  }

  /** The gateways of VPCs at this host, all of them: before `reconcile`, and whenever they change. */
  setGateways(gateways: readonly LocalGateway[]): void {
    this.#maps.setGateways(gateways);
  }

  /** What the probes of the data path say about a host. */
  setHostAlive(hostId: number, isAlive: boolean, nowMs: number): void {
    if (isAlive ? !this.#believedDead.delete(hostId) : this.#believedDead.has(hostId) || !this.#hosts.has(hostId)) return;
    this.#lostAtMs.delete(hostId);
    if (!isAlive) {
      this.#believedDead.add(hostId);
      this.#lostAtMs.set(hostId, nowMs + this.#durations.deadHostResetAfterMs);
    }
    this.#maps.hostAliveChanged(hostId);
    this.#tenants.hostsChanged([hostId]);
    this.#flush(nowMs);
  }

  /** The catalog or the resources have changed: services, policies, labels, backends at other hosts. */
  catalogChanged(nowMs: number): void {
    this.#readResources();
    this.#flush(nowMs);
  }

  /** Says which labels are in use here, and forgets those that nobody has. To be called a few times a day. */
  sweepLabels(nowMs: number): void {
    this.#tenants.sweep();
    this.#flush(nowMs);
  }

  /** The number for labels in the VPC of this subnet, for `add`. A record for the catalog may come out of it. */
  identityFor(subnetId: number, labels: Labels): number {
    const subnet = this.#tables?.subnet(subnetId);
    const found = subnet === undefined ? undefined : this.#tenants.identityFor(subnet.vni, labels);
    if (found === undefined) return noIdentity;
    if (this.#catalog.get(found.record.key) === undefined) this.#outputs.push({ kind: 'record', record: found.record });
    return found.identity;
  }

  /** Labels of an endpoint here, as the catalog has them. */
  labelsOf({ vni, identity }: LocalEndpoint): Labels {
    return this.#tenants.labelsOf(vni, identity);
  }

  /** Services of all VPCs, with the backends that are alive as far as this host knows. */
  get services(): Iterable<ServiceBackends> {
    return this.#tenants.services();
  }

  /** Services and policies that have no room. */
  get tenantProblems(): readonly string[] {
    return this.#tenants.problems;
  }

  /** `placed` follows when it has addresses, then `done` when an owner knows it; or `failed`. */
  add(request: AddRequest, nowMs: number): void {
    this.#endpoints.add(request, nowMs);
    this.#flush(nowMs);
  }

  delete(ifindex: number, nowMs: number): void {
    this.#endpoints.delete(ifindex, nowMs);
    this.#flush(nowMs);
  }

  /** The endpoint keeps its addresses and its connections, as far as policies allow. */
  relabel(ifindex: number, labels: Labels, nowMs: number): void {
    const endpoint = this.#endpoints.get(ifindex);
    if (endpoint !== undefined) this.#endpoints.relabel(ifindex, this.identityFor(endpoint.subnetId, labels), nowMs);
    this.#flush(nowMs);
  }

  /** `done` follows with the ticket for the other host. */
  moveOut(requestId: number, ifindex: number, nowMs: number): void {
    this.#endpoints.moveOut(requestId, ifindex, nowMs);
    this.#flush(nowMs);
  }

  /** As `add`, with the addresses that the endpoint had. */
  moveIn(requestId: number, ifindex: number, ticket: MoveTicket, nowMs: number): void {
    const { subnetId, mac, identity, flags, addresses } = ticket.endpoint;
    this.#endpoints.add({ requestId, subnetId, ifindex, mac, identity, flags, fixed: addresses }, nowMs, ticket);
    this.#flush(nowMs);
  }

  /** Asks where an endpoint is; `resolved` follows. */
  resolve(requestId: number, vni: number, address: AddressHex, nowMs: number): void {
    const entry = this.#known(vni, address);
    const tables = this.#tables;
    if (entry !== undefined || tables === undefined) this.#outputs.push({ kind: 'resolved', requestId, entry });
    else {
      const owners = [...tables.ownersOf(vni, address), ...tables.ownersOf(vni, address, tables.epoch - 1)];
      const asked = [...new Set(owners)].filter((owner) => owner !== this.self.hostId && this.#isAlive(owner));
      this.#askOwners(requestId, vni, address, asked, nowMs);
    }
    this.#flush(nowMs);
  }

  /** A message of another host, as `parseMessage` gives it; who it is from says the transport. */
  receive(from: number, records: readonly MessageRecord[], nowMs: number): void {
    if (!this.#hosts.has(from)) return;
    for (const record of records) this.#receive(from, record, nowMs);
    this.#flush(nowMs);
  }

  relayed(event: RelayedEvent, nowMs: number): void {
    if (this.#hosts.has(event.sourceHostId)) this.#owner.relayed(event, nowMs);
    this.#flush(nowMs);
  }

  handleTimeout(nowMs: number): void {
    this.calls.handleTimeout(nowMs);
    this.#holder.handleTimeout(nowMs);
    this.#endpoints.handleTimeout(nowMs);
    this.#giveUpHosts(nowMs);
    this.#maps.handleTimeout(nowMs);
    if (nowMs >= this.#roundAtMs) {
      this.#roundAtMs = nowMs + this.#durations.digestEveryMs;
      this.#grantor.sweep(nowMs);
      this.#owner.handleRound((hostId) => this.#isPart(hostId), nowMs);
      this.#announcer.sendDigests();
    }
    this.#flush(nowMs);
  }

  nextDeadlineMs(nowMs: number): number {
    return Math.min(
      this.calls.nextDeadlineMs(),
      this.#holder.nextDeadlineMs(nowMs),
      this.#endpoints.nextDeadlineMs(nowMs),
      this.#maps.nextDeadlineMs(),
      this.#lostAtMs.values().next().value ?? Infinity,
      this.#roundAtMs,
    );
  }

  takeOutputs(): HostOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  /** All that the maps should hold. */
  desired(): MapContents {
    return this.#maps.desired();
  }

  /** Call it once, after the first `setSpec`, with a dump of the maps: what to write. What the maps know as owner is kept. */
  reconcile(observed: MapContents, nowMs: number): MapWrite[] {
    for (const [keyHex, valueHex] of observed.get(maps.endpoints.name) ?? []) {
      const { vni, address } = endpointKeyCodec.decode(octetsOf(keyHex));
      const { kind, hostId, generation, identity, flags, mac } = endpointCodec.decode(octetsOf(valueHex));
      const entry = { vni, address: hexOf(address), hostId, generation, identity, flags, mac: hexOf(mac) };
      const isOwned = kind === endpointKind.directory && this.#owner.owns(vni, entry.address) && this.#isPart(hostId);
      if (isOwned) this.#owner.directory.put(entry, 0, nowMs);
    }
    this.#readResources();
    return this.#maps.reconcile(observed);
  }

  /** What to write when the maps could not be written as they should be. */
  repairs(observed: MapContents): MapWrite[] {
    return this.#maps.repairs(observed);
  }

  #readResources(): void {
    const resources = this.#resources();
    if (resources === this.#resourcesRead) return;
    this.#resourcesRead = resources;
    this.#tenants.setResources(resources);
  }

  #begin(spec: OverlaySpec, nowMs: number): void {
    const stored = this.#stored;
    this.#stored = [];
    const isSameBoot = new Map(stored).get('boot') === this.#bootId;
    this.#outputs.push({ kind: 'store', key: 'boot', value: this.#bootId });
    for (const [key, value] of stored) this.#grantor.restore(key, value, isSameBoot, nowMs);
    if (isSameBoot) {
      for (const [key, value] of stored) this.#holder.restore(key, value, nowMs);
      for (const [key, value] of stored) this.#endpoints.restore(key, value, nowMs);
      for (const endpoint of this.#endpoints.all()) this.#tenants.endpointWritten(endpoint);
    } else {
      for (const [key, value] of stored) {
        this.#holder.giveBack(key, value, nowMs);
        if (/^(?:endpoint|tombstone)\//.test(key)) this.#outputs.push({ kind: 'store', key, value: undefined });
      }
    }
    // A machine that comes anew into an overlay that goes on is told first what it owns now.
    const isJoining = !isSameBoot && (this.self.generation > 1 || spec.epochs.length > 1);
    if (isJoining) this.#endpoints.waitUntil(nowMs + this.#durations.graceMs);
    this.#roundAtMs = nowMs + this.#random.number() * (isSameBoot ? this.#durations.graceMs : this.#durations.digestEveryMs);
    // Owners became others while this process was not there.
    if (this.#lowestEpoch !== this.epoch) this.#announcer.putAll(() => true, nowMs);
  }

  #receive(from: number, record: MessageRecord, nowMs: number): void {
    switch (record.type) {
      case 'put':
        return this.calls.answer(from, this.#owner.put(from, record, nowMs));
      case 'delete':
        return this.calls.answer(from, this.#owner.delete(record, nowMs));
      case 'get':
        return this.calls.answer(from, this.#owner.get(record));
      case 'lease':
        return this.calls.answer(from, this.#grantor.ask(from, record, nowMs));
      case 'handover':
        return this.calls.answer(from, this.#grantor.handOver(record, nowMs));
      case 'list':
        return this.calls.answer(from, this.#owner.list(from, record, nowMs));
      case 'moved':
        this.#endpoints.moved(from, record.vni, record.address, record.generation, nowMs);
        return this.calls.answer(from, { type: 'done', id: record.id });
      case 'digest':
        return this.#owner.digest(from, record, nowMs);
      case 'ask':
        return this.#announcer.asked(from, record.vni, record.isList, nowMs);
      case 'located':
        return this.#located(from, record);
      default:
        return this.calls.answered(from, record, nowMs);
    }
  }

  /** Believed of an owner of the key only, and only about hosts that there are. */
  #located(from: number, { type: _, ...entry }: { readonly type: 'located' } & DirectoryEntry): void {
    const tables = this.#tables;
    const host = this.#hosts.get(entry.hostId);
    if (tables === undefined || host === undefined || entry.hostId === this.self.hostId) return;
    const { vni, address } = entry;
    const isOwner = tables.ownersOf(vni, address).includes(from) || tables.ownersOf(vni, address, tables.epoch - 1).includes(from);
    if (!isOwner || this.#endpoints.at(vni, address) !== undefined) return;
    this.#outputs.push({ kind: 'path', entry, hostGeneration: host.generation });
  }

  #askOwners(requestId: number, vni: number, address: AddressHex, owners: readonly number[], nowMs: number): void {
    const [first, ...rest] = owners;
    if (first === undefined) {
      this.#outputs.push({ kind: 'resolved', requestId, entry: undefined });
      return;
    }
    this.calls.call(first, { type: 'get', vni, address }, nowMs, (answer, answeredMs) => {
      const entry = answer?.type === 'getAnswer' ? answer.entries[0] : undefined;
      if (entry !== undefined && entry.vni === vni && entry.address === address) this.#outputs.push({ kind: 'resolved', requestId, entry });
      else this.#askOwners(requestId, vni, address, rest, answeredMs);
    });
  }

  #known(vni: number, address: AddressHex): DirectoryEntry | undefined {
    const local = this.#endpoints.at(vni, address);
    if (local === undefined) return this.#owner.directory.get(vni, address);
    const { generation, identity, flags, mac } = local;
    return { vni, address, hostId: this.self.hostId, generation, identity, flags, mac };
  }

  #isAlive(hostId: number): boolean {
    return this.#hosts.get(hostId)?.alive === true && !this.#believedDead.has(hostId);
  }

  #lifeOf(hostId: number): HostLife {
    if (this.#hosts.get(hostId)?.alive !== true) return 'lost';
    if (!this.#believedDead.has(hostId)) return 'alive';
    return this.#lostAtMs.has(hostId) ? 'silent' : 'lost';
  }

  #giveUpHosts(nowMs: number): void {
    const lost: number[] = [];
    for (const [hostId, atMs] of this.#lostAtMs) {
      if (nowMs < atMs) break;
      this.#lostAtMs.delete(hostId);
      lost.push(hostId);
    }
    if (lost.length > 0) this.#tenants.hostsChanged(lost);
  }

  /** Entries of a host are kept while it lives or owns; after that it tells them anew. */
  #isPart(hostId: number): boolean {
    const host = this.#hosts.get(hostId);
    return host !== undefined && (host.alive || this.#tables?.spec.epochs.at(-1)?.members.includes(hostId) === true);
  }

  #nextSequence(): number {
    this.#sequence++;
    if (this.#sequence > this.#sequencesEnd) {
      this.#sequencesEnd = this.#sequence + sequencesAtATime;
      this.#outputs.push({ kind: 'store', key: 'sequence', value: this.#sequencesEnd });
    }
    return this.#sequence;
  }

  /** Calls to itself are answered here; the rest is sent. */
  #flush(nowMs: number): void {
    for (let outgoing = this.calls.take(); outgoing.length > 0; outgoing = this.calls.take()) {
      for (const { to, records } of outgoing) {
        if (to !== this.self.hostId) this.#outputs.push({ kind: 'send', to, records });
        else for (const record of records) this.#receive(to, record, nowMs);
      }
    }
    this.#maps.tenantsChanged(nowMs);
  }
}

function numberIn(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
