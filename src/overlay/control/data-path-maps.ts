import type { WantedRecord } from '../compiler/service-compiler.ts';
import type { TenantCompiler } from '../compiler/tenant-compiler.ts';
import type { Endpoint } from '../layout/endpoint.ts';
import type { AddressHex } from './address.ts';
import type { Directory } from './directory.ts';
import type { Durations } from './durations.ts';
import {
  addEndpoint,
  addHost,
  addPort,
  endpointWrite,
  localRecord,
  pathDeletes,
  portDeletes,
  remoteRecord,
  specMaps,
} from './host-maps.ts';
import type { LocalEndpoint, SelfSpec } from './host-maps.ts';
import type { LocalEndpoints } from './local-endpoints.ts';
import { addRecords, type MapBuilder } from './map-builder.ts';
import type { OwnerTable } from './owner-table.ts';
import { plan, planTables, type MapContents, type MapWrite } from './plan.ts';
import { GatewayTables, leastMtus, type LocalGateway } from './routes.ts';
import type { SubnetSpec } from './spec.ts';
import type { Tables } from './tables.ts';

export interface DataPathMapsOptions {
  readonly self: SelfSpec;
  readonly durations: Durations;
  readonly endpoints: () => LocalEndpoints;
  readonly directory: Directory;
  readonly isAlive: (hostId: number) => boolean;
  /** Services and policies. */
  readonly tenants: TenantCompiler;
  readonly write: (write: MapWrite) => void;
  /** For the catalog. */
  readonly record: (record: WantedRecord) => void;
}

/**
 * A table costs a wait of some 10 ms in the kernel, which is not to be that of the pods that are added: new ones are behind their services when
 * none has come for so long, and after the longer time at the latest.
 */
const newBackendMs = 50;
const newBackendsMs = 250;
/** Services that are compiled at a time, so that messages and dead hosts never wait long for them. */
const servicesAtATime = 64;

/** What the maps of the data path are to hold, as this host knows things, and the writes that follow from each change. */
export class DataPathMaps {
  readonly #options: DataPathMapsOptions;
  #tables: Tables | undefined;
  /** Of the subnets that the endpoints of a VPC reach, by VNI. */
  #leastMtus: ReadonlyMap<number, number> = new Map();
  #specMaps: MapBuilder = new Map();
  /** Owner tables as the data path has them. */
  #tablesInUse = new Map<number, OwnerTable>();
  readonly #gatewayTables = new GatewayTables();
  #gateways: readonly LocalGateway[] = [];
  #swapAtMs = Infinity;
  #servicesAtMs = Infinity;
  #servicesByMs = Infinity;
  /** The maps are as they should be; from then on changes are told one by one. */
  #isReconciled = false;

  constructor(options: DataPathMapsOptions) {
    this.#options = options;
  }

  /** The tables of a new epoch are used after the grace, when their owners know; the tables of new subnets at once. */
  setTables(tables: Tables, nowMs: number): void {
    const before = this.#tables;
    const leastBefore = this.#leastMtus;
    const isNewEpoch = before !== undefined && before.epoch !== tables.epoch;
    this.#tables = tables;
    this.#leastMtus = leastMtus(tables.spec);
    this.hostsChanged();
    for (const endpoint of this.#options.endpoints().all()) {
      const { vni, subnetId } = endpoint;
      const hasOtherMtu = before?.subnet(subnetId)?.mtu !== tables.subnet(subnetId)?.mtu;
      if (hasOtherMtu || leastBefore.get(vni) !== this.#leastMtus.get(vni)) this.#writePort(endpoint);
    }
    if (isNewEpoch) this.#swapAtMs = Math.min(this.#swapAtMs, nowMs + this.#options.durations.graceMs);
    this.#useTables();
  }

  /** All of this host. */
  setGateways(gateways: readonly LocalGateway[]): void {
    this.#gateways = gateways;
    this.hostsChanged();
  }

  hostsChanged(): void {
    if (!this.#isReconciled) return;
    const before = this.#specMaps;
    this.#specMaps = this.#makeSpecMaps();
    this.#write(plan(this.#specMaps, before));
  }

  /** One host lives or does not: of a large overlay many may change in one moment, so nothing else is looked at. */
  hostAliveChanged(hostId: number): void {
    const host = this.#tables?.spec.hosts.find((candidate) => candidate.hostId === hostId);
    if (!this.#isReconciled || host === undefined) return;
    const builder: MapBuilder = new Map();
    addHost(builder, host, this.#options.isAlive(hostId));
    this.#write(plan(builder, new Map()));
    addRecords(this.#specMaps, builder);
  }

  endpointChanged(vni: number, address: AddressHex): void {
    if (this.#isReconciled) this.#write([endpointWrite(vni, address, this.#record(vni, address))]);
  }

  /** Its rules are there before its port is. A path to where it was before would lead there again once it has left. */
  portWritten(endpoint: LocalEndpoint): void {
    this.#writeRules();
    this.#writePort(endpoint);
    if (this.#isReconciled) this.#write(pathDeletes(endpoint));
  }

  portRemoved(endpoint: LocalEndpoint): void {
    if (this.#isReconciled) this.#write(portDeletes(endpoint.ifindex));
    for (const address of endpoint.addresses) this.endpointChanged(endpoint.vni, address);
  }

  /** What follows for policies from what their compiler was told; services come with the next time. */
  tenantsChanged(nowMs: number): void {
    const { tenants } = this.#options;
    this.#writeRules();
    if (!this.#isReconciled || !tenants.areServicesDirty) return;
    if (this.#servicesAtMs === Infinity) this.#servicesByMs = nowMs + newBackendsMs;
    this.#servicesAtMs = tenants.areServicesUrgent ? nowMs : Math.min(this.#servicesByMs, nowMs + newBackendMs);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= this.#servicesAtMs) this.#writeServices(nowMs);
    if (nowMs < this.#swapAtMs) return;
    this.#swapAtMs = Infinity;
    this.#useTables();
  }

  nextDeadlineMs(): number {
    return Math.min(this.#swapAtMs, this.#servicesAtMs);
  }

  /** All that the maps should hold. */
  desired(): MapContents {
    const { endpoints, directory, tenants } = this.#options;
    const desired = this.#makeSpecMaps();
    tenants.addContents(desired);
    for (const { vni, address } of endpoints().tombstones()) this.#addKnown(desired, vni, address);
    for (const { vni, address } of directory.entries()) this.#addKnown(desired, vni, address);
    for (const endpoint of endpoints().all()) {
      const subnet = this.#tables?.subnet(endpoint.subnetId);
      if (subnet !== undefined) this.#addPort(desired, endpoint, subnet);
      for (const address of endpoint.addresses) this.#addKnown(desired, endpoint.vni, address);
    }
    return desired;
  }

  /** What to write so that the maps are right; afterwards changes are told one by one. */
  reconcile(observed: MapContents): MapWrite[] {
    const { tenants, record } = this.#options;
    tenants.adopt(observed);
    for (const wanted of tenants.compile().records) record(wanted);
    this.#specMaps = this.#makeSpecMaps();
    this.#isReconciled = true;
    return this.repairs(observed);
  }

  /** What differs from `observed`, and all tables, since nobody can see what is in those. */
  repairs(observed: MapContents): MapWrite[] {
    const { swaps, clears } = this.#options.tenants.tableWrites();
    return [...swaps, ...plan(this.desired(), observed), ...planTables(this.#tablesInUse, new Map()), ...clears];
  }

  #writeRules(): void {
    const { tenants, record, endpoints } = this.#options;
    if (!this.#isReconciled || !tenants.areRulesDirty) return;
    const { records, writes, flagged } = tenants.compileRules();
    for (const wanted of records) record(wanted);
    this.#write(writes);
    if (flagged.length === 0) return;
    this.hostsChanged();
    for (const endpoint of endpoints().all()) if (flagged.includes(endpoint.vni)) this.#writePort(endpoint);
  }

  #writeServices(nowMs: number): void {
    const { tenants, record } = this.#options;
    const { records, writes } = tenants.compileServices(servicesAtATime);
    for (const wanted of records) record(wanted);
    this.#write(writes);
    this.#servicesAtMs = tenants.areServicesDirty ? nowMs : Infinity;
  }

  #flagsOf = (vni: number): number => this.#options.tenants.flagsOf(vni);

  #writePort(endpoint: LocalEndpoint): void {
    const subnet = this.#tables?.subnet(endpoint.subnetId);
    if (!this.#isReconciled || subnet === undefined) return;
    const builder: MapBuilder = new Map();
    this.#addPort(builder, endpoint, subnet);
    for (const address of endpoint.addresses) this.#addKnown(builder, endpoint.vni, address);
    this.#write(plan(builder, new Map()));
  }

  #addPort(builder: MapBuilder, endpoint: LocalEndpoint, subnet: SubnetSpec): void {
    addPort(builder, endpoint, subnet, this.#leastMtus.get(endpoint.vni) ?? subnet.mtu, this.#flagsOf);
  }

  #makeSpecMaps(): MapBuilder {
    const { self, isAlive } = this.#options;
    if (this.#tables === undefined) return new Map();
    return specMaps(self, this.#tables.spec, ({ hostId }) => isAlive(hostId), this.#flagsOf, this.#gateways);
  }

  #useTables(): void {
    const tables = this.#tables;
    if (tables === undefined) return;
    const isWaiting = this.#swapAtMs !== Infinity;
    const desired = new Map(this.#gatewayTables.of(tables.spec));
    for (const { subnetId, tableId } of tables.spec.subnets) {
      const table = (isWaiting ? this.#tablesInUse.get(tableId) : undefined) ?? tables.table(subnetId);
      if (table !== undefined) desired.set(tableId, table);
    }
    if (this.#isReconciled) this.#write(planTables(desired, this.#tablesInUse));
    this.#tablesInUse = desired;
  }

  /** What the data path is to know of an address: an endpoint here, else what this host knows as owner, else where it went. */
  #record(vni: number, address: AddressHex): Endpoint | undefined {
    const { self, endpoints, directory } = this.#options;
    const local = endpoints().at(vni, address);
    if (local !== undefined) return localRecord(self, local, this.#flagsOf);
    const entry = directory.get(vni, address);
    // Its own host knows better: here it is not, or not any more.
    if (entry !== undefined && entry.hostId !== self.hostId) return remoteRecord('directory', entry);
    const tombstone = endpoints().tombstoneAt(vni, address);
    return tombstone === undefined ? undefined : remoteRecord('tombstone', tombstone);
  }

  #addKnown(builder: MapBuilder, vni: number, address: AddressHex): void {
    const record = this.#record(vni, address);
    if (record !== undefined) addEndpoint(builder, vni, address, record);
  }

  #write(writes: readonly MapWrite[]): void {
    for (const write of writes) this.#options.write(write);
  }
}
