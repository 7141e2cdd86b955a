import { octetsOf, type AddressHex } from '../control/address.ts';
import { addRecords, type MapBuilder } from '../control/map-builder.ts';
import type { MapContents } from '../control/plan.ts';
import { backendTables, maps } from '../layout/maps.ts';
import { serviceCodec, serviceKeyCodec } from '../layout/service.ts';
import type { Labels } from '../resources/resource-types.ts';
import type { Service } from '../resources/tenant-network.ts';
import { isSameSlice, nextSlice, readSlice, sliceKey, sliceRecord, type BackendSlice } from './backend-slice.ts';
import { doesSelect } from './labels.ts';
import type { LocalMembers } from './local-members.ts';
import {
  isPortKey,
  portKeysOf,
  serviceRecords,
  tableOf,
  type Backends,
  type ServiceRecords,
  type ServiceTable,
} from './service-records.ts';

export interface ServiceCompilerOptions {
  readonly hostId: number;
  readonly members: LocalMembers;
  readonly labelsOf: (vpc: string, identity: number) => Labels;
  /** Whether an endpoint with this address was here until a moment ago, and is at another host now. */
  readonly hasLeft: (vni: number, address: AddressHex) => boolean;
  readonly lifeOf: (hostId: number) => HostLife;
}

/**
 * How the data path finds a host: `alive`; `silent`, which may be for a moment, so its backends drain; `lost`, so it has no backends: their
 * connections are reset.
 */
export type HostLife = 'alive' | 'silent' | 'lost';

/** A record of the catalog that this host wants; undefined deletes it. */
export interface WantedRecord {
  readonly key: string;
  readonly value: unknown;
}

/** For those who look. */
export interface ServiceBackends extends Backends {
  readonly vpc: string;
  readonly name: string;
}

/** Records of services that have changed, and those in their place. */
export interface ServiceChanges {
  readonly before: MapContents;
  readonly after: MapContents;
  readonly swaps: ReadonlyMap<number, ServiceTable>;
  readonly cleared: readonly number[];
}

interface Known {
  readonly service: Service;
  readonly vni: number;
  /** Tells whether it is another one. */
  readonly text: string;
  /** Keys of its ports; those that an earlier service has are not among them. */
  readonly portKeys: ReadonlySet<string>;
  compiled: ServiceRecords | undefined;
}

/** Of one service: more than slots, so that none is without need. */
const backendsLimit = 4096;
const prefix = 'slice/';

/** Services of all VPCs, their backends at all hosts, and what the maps are to say of them. Works on what has changed only. */
export class ServiceCompiler {
  readonly #options: ServiceCompilerOptions;
  /** By VPC and name, `nameOf`. */
  #services = new Map<string, Known>();
  /** Of VPCs that have services. */
  #vnis: ReadonlySet<number> = new Set<number>();
  readonly #slices = new Map<string, Map<number, BackendSlice>>();
  /** Numbers by the key of the port: kept over restarts, since translations name them. */
  readonly #ids = new Map<string, number>();
  readonly #usedIds = new Set<number>();
  readonly #dirty = new Set<string>();
  /** Services whose backends at this host may have changed. */
  readonly #dirtySlices = new Set<string>();
  /** Services from which endpoints of this host drain. */
  readonly #draining = new Set<string>();
  /** Records of services that are gone. */
  #gone: Known[] = [];
  /** Services that have ports without a table, for want of room. */
  readonly withoutRoom: Set<string> = new Set<string>();

  constructor(options: ServiceCompilerOptions) {
    this.#options = options;
  }

  static isKey(key: string): boolean {
    return key.startsWith(prefix);
  }

  get isDirty(): boolean {
    return this.#dirty.size + this.#dirtySlices.size + this.#gone.length > 0;
  }

  hasServices(vni: number): boolean {
    return this.#vnis.has(vni);
  }

  /** Numbers that the maps have from a life before. Call it before the first `compile`. */
  adopt(observed: MapContents): void {
    for (const [key, value] of observed.get(maps.services.name) ?? []) {
      if (!isPortKey(serviceKeyCodec.decode(octetsOf(key)))) continue;
      const { serviceId } = serviceCodec.decode(octetsOf(value));
      if (serviceId === 0 || serviceId > backendTables.maxEntries || this.#usedIds.has(serviceId)) continue;
      this.#ids.set(key, serviceId);
      this.#usedIds.add(serviceId);
    }
  }

  /** Numbers of the life before that no service uses now are free: their tables, which nobody needs. Call it after the first `compile`. */
  forgetOthers(): number[] {
    const used = new Set(Array.from(this.#services.values()).flatMap(({ portKeys }) => [...portKeys]));
    const others = [...this.#ids].filter(([key]) => !used.has(key));
    for (const [key] of others) this.#freeId(key);
    return others.map(([, id]) => tableOf(id));
  }

  /** All services of all VPCs that have a VNI. Of two with one address and port the first by name has it. */
  setServices(services: readonly Service[], vniOf: (vpc: string) => number | undefined): void {
    const before = this.#services;
    this.#services = new Map();
    const taken = new Set<string>();
    const sorted = [...services].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
    for (const service of sorted) {
      const vni = vniOf(service.vpc);
      if (vni === undefined) continue;
      const name = nameOf(service);
      const portKeys = new Set(portKeysOf(vni, service).filter((key) => !taken.has(key)));
      for (const key of portKeys) taken.add(key);
      const text = JSON.stringify([vni, service, [...portKeys]]);
      const known = before.get(name);
      if (known?.text === text) {
        this.#services.set(name, known);
        continue;
      }
      this.#services.set(name, { service, vni, text, portKeys, compiled: undefined });
      this.#dirty.add(name);
      this.#dirtySlices.add(name);
    }
    this.#vnis = new Set(Array.from(this.#services.values(), ({ vni }) => vni));
    for (const [name, known] of before) {
      if (this.#services.get(name) === known) continue;
      this.#gone.push(known);
      // Its own slice goes too.
      if (!this.#services.has(name)) this.#dirtySlices.add(name);
    }
  }

  /** False when nothing has changed. */
  sliceChanged(key: string, value: unknown): boolean {
    const [, vpc = '', service = '', digits = ''] = key.split('/');
    const hostId = Number(digits);
    if (!/^\d{1,5}$/.test(digits)) return false;
    const name = `${vpc}/${service}`;
    const ofService = this.#slices.get(name) ?? new Map<number, BackendSlice>();
    const slice = value === undefined ? undefined : readSlice(value);
    if (isSameSlice(ofService.get(hostId), slice)) return false;
    if (slice === undefined) ofService.delete(hostId);
    else ofService.set(hostId, slice);
    if (ofService.size === 0) this.#slices.delete(name);
    else this.#slices.set(name, ofService);
    this.#dirty.add(name);
    if (hostId === this.#options.hostId) {
      if ((slice?.draining.length ?? 0) > 0) this.#draining.add(name);
      else this.#draining.delete(name);
      // What others, or this host in a life before, say in its name is put right.
      this.#dirtySlices.add(name);
    }
    return true;
  }

  /** Slices that are known, whosever they are. */
  *slices(): Iterable<{ readonly key: string; readonly hostId: number }> {
    for (const [name, slices] of this.#slices) for (const hostId of slices.keys()) yield { key: `${prefix}${name}/${hostId}`, hostId };
  }

  /** An endpoint of this host with these labels has come or gone. */
  memberChanged(vni: number, labels: Labels): void {
    for (const [name, known] of this.#services) {
      if (known.vni === vni && (doesSelect(known.service.selector, labels) || this.#draining.has(name))) this.#dirtySlices.add(name);
    }
  }

  /** `hasLeft` may be another one for an address of this VPC. */
  leftChanged(vni: number): void {
    for (const name of this.#draining) if (this.#services.get(name)?.vni === vni) this.#dirtySlices.add(name);
  }

  /** Hosts have another life: silent, lost, alive again. */
  hostsChanged(hostIds: Iterable<number>): void {
    const changed = new Set(hostIds);
    for (const [name, slices] of this.#slices) for (const hostId of slices.keys()) if (changed.has(hostId)) this.#dirty.add(name);
  }

  /** What this host has to say of its own endpoints now. */
  takeSlices(): WantedRecord[] {
    const { hostId } = this.#options;
    const wanted: WantedRecord[] = [];
    for (const name of this.#dirtySlices) {
      const before = this.#slices.get(name)?.get(hostId);
      const known = this.#services.get(name);
      const next = known === undefined ? undefined : this.#ownSlice(known, before);
      if (isSameSlice(before, next)) continue;
      const [vpc = '', service = ''] = name.split('/');
      const record = { key: sliceKey(vpc, service, hostId), value: next === undefined ? undefined : sliceRecord(next) };
      wanted.push(record);
      this.sliceChanged(record.key, record.value);
    }
    this.#dirtySlices.clear();
    return wanted;
  }

  /** Of at most `limit` services that have changed; the others stay dirty. */
  compile(limit: number): ServiceChanges {
    const before: MapBuilder = new Map();
    const after: MapBuilder = new Map();
    const swaps = new Map<number, ServiceTable>();
    const tablesBefore = new Map<number, ServiceTable>();
    const leave = (compiled: ServiceRecords | undefined): void => {
      if (compiled === undefined) return;
      addRecords(before, compiled.records);
      for (const [tableId, table] of compiled.tables) tablesBefore.set(tableId, table);
    };
    const keysGone = new Set<string>();
    for (const { compiled, portKeys } of this.#gone) {
      leave(compiled);
      for (const key of portKeys) keysGone.add(key);
    }
    this.#gone = [];
    const names = [...this.#dirty].slice(0, limit);
    for (const name of names) this.#dirty.delete(name);
    const changed = names.flatMap((name) => this.#services.get(name) ?? []);
    for (const { portKeys } of changed) for (const key of portKeys) keysGone.delete(key);
    for (const key of keysGone) this.#freeId(key);
    for (const known of changed) {
      leave(known.compiled);
      const { service, vni, portKeys } = known;
      let isWhole = true;
      known.compiled = serviceRecords(vni, service, this.#backendsOf(nameOf(service)), (key) => {
        const id = portKeys.has(key) ? this.#idFor(key) : undefined;
        if (id === undefined && portKeys.has(key)) isWhole = false;
        return id;
      });
      if (isWhole) this.withoutRoom.delete(nameOf(service));
      else this.withoutRoom.add(nameOf(service));
      addRecords(after, known.compiled.records);
      for (const [tableId, table] of known.compiled.tables) swaps.set(tableId, table);
    }
    const cleared = [...tablesBefore.keys()].filter((tableId) => !swaps.has(tableId));
    for (const [tableId, { revision }] of tablesBefore) if (swaps.get(tableId)?.revision === revision) swaps.delete(tableId);
    return { before, after, swaps, cleared };
  }

  /** Each service with the backends that this host believes in. */
  *backends(): Iterable<ServiceBackends> {
    for (const { service } of this.#services.values()) {
      yield { vpc: service.vpc, name: service.name, ...this.#backendsOf(nameOf(service)) };
    }
  }

  /** All records of all services, as compiled last. */
  addContents(builder: MapBuilder): void {
    for (const { compiled } of this.#services.values()) if (compiled !== undefined) addRecords(builder, compiled.records);
  }

  tables(): ReadonlyMap<number, ServiceTable> {
    const tables = new Map<number, ServiceTable>();
    for (const { compiled } of this.#services.values()) for (const [tableId, table] of compiled?.tables ?? []) tables.set(tableId, table);
    return tables;
  }

  #ownSlice({ service, vni }: Known, before: BackendSlice | undefined): BackendSlice | undefined {
    const { members, labelsOf, hasLeft } = this.#options;
    const addresses: AddressHex[] = [];
    for (const identity of members.identitiesOf(vni)) {
      if (!doesSelect(service.selector, labelsOf(service.vpc, identity))) continue;
      for (const member of members.membersOf(vni, identity)) addresses.push(...member.addresses);
    }
    // Hosts may hear of an endpoint's going before they hear of its coming elsewhere: its connections are to outlive that.
    return nextSlice(addresses, before, (address) => members.has(vni, address) || hasLeft(vni, address));
  }

  #backendsOf(name: string): Backends {
    const { hostId: self, lifeOf } = this.#options;
    const ready = new Set<AddressHex>();
    const draining = new Set<AddressHex>();
    for (const [hostId, slice] of this.#slices.get(name) ?? []) {
      const life = hostId === self ? 'alive' : lifeOf(hostId);
      if (life === 'lost') continue;
      for (const address of slice.ready) (life === 'alive' ? ready : draining).add(address);
      for (const address of slice.draining) draining.add(address);
    }
    const listed = (addresses: Iterable<AddressHex>): AddressHex[] => [...addresses].sort().slice(0, backendsLimit);
    return { ready: listed(ready), draining: listed(draining.difference(ready)) };
  }

  #idFor(key: string): number | undefined {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    for (let id = this.#ids.size + 1, tries = 0; tries < backendTables.maxEntries; id++, tries++) {
      const candidate = ((id - 1) % backendTables.maxEntries) + 1;
      if (this.#usedIds.has(candidate)) continue;
      this.#usedIds.add(candidate);
      this.#ids.set(key, candidate);
      return candidate;
    }
    return undefined;
  }

  #freeId(key: string): void {
    const id = this.#ids.get(key);
    if (id === undefined) return;
    this.#ids.delete(key);
    this.#usedIds.delete(id);
  }
}

function nameOf({ vpc, name }: Service): string {
  return `${vpc}/${name}`;
}
