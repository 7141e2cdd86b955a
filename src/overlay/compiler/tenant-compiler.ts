import type { AddressHex } from '../control/address.ts';
import type { MapBuilder } from '../control/map-builder.ts';
import { plan, type MapContents, type MapWrite } from '../control/plan.ts';
import type { CatalogView } from '../catalog/catalog-view.ts';
import { backendTables } from '../layout/maps.ts';
import { policyPeer } from '../layout/policy.ts';
import { subnetFlag } from '../layout/subnet.ts';
import type { Labels } from '../resources/resource-types.ts';
import type { Policy, Service } from '../resources/tenant-network.ts';
import { identityRecord, LabelBook } from './label-book.ts';
import { LocalMembers, type Member } from './local-members.ts';
import { PolicyCompiler, type PolicyVpc } from './policy-compiler.ts';
import { ServiceCompiler, type HostLife, type ServiceBackends, type WantedRecord } from './service-compiler.ts';
import type { ServiceTable } from './service-records.ts';

/** What the compiler reads of resources: VPCs with their numbers, and what is in them. */
export interface TenantResources {
  readonly vpcs: readonly PolicyVpc[];
  readonly services: readonly Service[];
  readonly policies: readonly Policy[];
}

/** The catalog, and which of its keys have changed since a version; undefined when that is too long ago to tell. */
export interface ChangingCatalog extends CatalogView {
  changedSince(version: number): readonly string[] | undefined;
}

export interface TenantCompilerOptions {
  readonly hostId: number;
  readonly catalog: ChangingCatalog;
  readonly lifeOf: (hostId: number) => HostLife;
  /** Whether an endpoint with this address was here until a moment ago, and is at another host now. */
  readonly hasLeft: (vni: number, address: AddressHex) => boolean;
  /** Whether it is one of the overlay's at all. */
  readonly isHost: (hostId: number) => boolean;
  /** The day since 1970. */
  readonly today: () => number;
}

export interface TenantChanges {
  /** For the catalog: what this host says of its endpoints. */
  readonly records: readonly WantedRecord[];
  /** For the maps, in this order. */
  readonly writes: readonly MapWrite[];
  /** VPCs whose flags in subnets, ports and endpoints are others now; they are written after `writes`. */
  readonly flagged: readonly number[];
}

/** An identity that no host has named for so many days is nobody's. */
const keptDays = 7;

/** Services and policies as records of the data path, and what this host tells the others for that. Works on what has changed only. */
export class TenantCompiler {
  readonly #options: TenantCompilerOptions;
  readonly #members = new LocalMembers();
  readonly #book = new LabelBook();
  readonly #services: ServiceCompiler;
  readonly #policies: PolicyCompiler;
  #vniOf: ReadonlyMap<string, number> = new Map<string, number>();
  #vpcOf: ReadonlyMap<number, string> = new Map<number, string>();
  #flags: ReadonlyMap<number, number> = new Map<number, number>();
  #version: number | undefined;
  #areResourcesNew = false;
  /** Of a life before. */
  #staleTables: readonly number[] = [];
  #wanted: WantedRecord[] = [];
  #isUrgent = false;

  constructor(options: TenantCompilerOptions) {
    this.#options = options;
    const { hostId, lifeOf, hasLeft } = options;
    const book = this.#book;
    const members = this.#members;
    this.#services = new ServiceCompiler({ hostId, members, lifeOf, hasLeft, labelsOf: (vpc, identity) => book.labelsOf(vpc, identity) });
    this.#policies = new PolicyCompiler(members, book);
  }

  get isDirty(): boolean {
    return this.areRulesDirty || this.areServicesDirty;
  }

  /** `compileRules` has something to do. */
  get areRulesDirty(): boolean {
    const isCatalogNew = this.#version !== this.#options.catalog.version;
    return isCatalogNew || this.#wanted.length > 0 || this.#areResourcesNew || this.#policies.isDirty;
  }

  /** `compileServices` has something to do. */
  get areServicesDirty(): boolean {
    return this.#services.isDirty;
  }

  /** More has changed of services than that this host has endpoints that it had not: that may wait a moment. */
  get areServicesUrgent(): boolean {
    return this.#isUrgent;
  }

  /** What has no room in the maps, for those who look. */
  get problems(): readonly string[] {
    const services = Array.from(this.#services.withoutRoom, (name) => `service ${name}: there is no table left for some of its ports`);
    const policies = Array.from(
      this.#policies.closed,
      (name) => `policies of ${name}: there is no room for the rules, so nothing is allowed`,
    );
    return [...services, ...policies];
  }

  services(): Iterable<ServiceBackends> {
    return this.#services.backends();
  }

  /** Bits of `subnetFlag`: whether the VPC has services and policies. */
  flagsOf(vni: number): number {
    return this.#flags.get(vni) ?? 0;
  }

  setResources({ vpcs, services, policies }: TenantResources): void {
    this.#vniOf = new Map(vpcs.map(({ name, vni }) => [name, vni]));
    this.#vpcOf = new Map(vpcs.map(({ name, vni }) => [vni, name]));
    this.#services.setServices(services, (vpc) => this.#vniOf.get(vpc));
    this.#policies.setPolicies(policies, vpcs);
    this.#areResourcesNew = true;
    this.#isUrgent ||= this.#services.isDirty;
  }

  /** The number for the labels of a new endpoint, and the record that must be in the catalog first; undefined when its VPC is not known. */
  identityFor(vni: number, labels: Labels): { readonly identity: number; readonly record: WantedRecord } | undefined {
    this.#readCatalog();
    const vpc = this.#vpcOf.get(vni);
    const found = vpc === undefined ? undefined : this.#book.identityFor(vpc, labels, this.#options.today());
    // The endpoint's rules are compiled before its port is written, which is sooner than the catalog has it.
    if (found !== undefined) this.#recordChanged(found.record.key, found.record.value);
    return found;
  }

  /** Labels of an endpoint of this VPC. */
  labelsOf(vni: number, identity: number): Labels {
    const vpc = this.#vpcOf.get(vni);
    return vpc === undefined ? {} : this.#book.labelsOf(vpc, identity);
  }

  /** An endpoint of this host is there, or is another one. */
  endpointWritten(member: Member): void {
    // What the gateway of a VPC sends and gets is no tenant's.
    if (member.identity === policyPeer.gateway) return;
    const wasHere = this.#members.hasIdentity(member.vni, member.identity);
    const before = this.#members.delete(member.ifindex);
    this.#members.put(member);
    if (before !== undefined) this.#left(before);
    this.#services.memberChanged(member.vni, this.labelsOf(member.vni, member.identity));
    if (!wasHere) this.#policies.identitiesChanged(member.vni);
  }

  endpointRemoved(ifindex: number): void {
    const before = this.#members.delete(ifindex);
    if (before !== undefined) this.#left(before);
  }

  /** `hasLeft` may be another one for an address of this VPC. */
  leftChanged(vni: number): void {
    this.#services.leftChanged(vni);
  }

  hostsChanged(hostIds: Iterable<number>): void {
    this.#services.hostsChanged(hostIds);
    this.#isUrgent ||= this.#services.isDirty;
  }

  /** Says which identities are in use here, and takes away what nobody needs. To be called a few times a day. */
  sweep(): void {
    const { isHost, today } = this.#options;
    const day = today();
    for (const known of this.#book.all()) {
      const vni = this.#vniOf.get(known.vpc);
      const isUsed = vni !== undefined && this.#members.hasIdentity(vni, known.identity);
      const record = identityRecord({ ...known, day });
      if (isUsed && known.day < day) this.#wanted.push(record);
      else if (!isUsed && known.day < day - keptDays) this.#wanted.push({ key: record.key, value: undefined });
    }
    for (const { key, hostId } of this.#services.slices()) if (!isHost(hostId)) this.#wanted.push({ key, value: undefined });
  }

  /** With a dump of the maps, before the first `compile`: numbers that they have are kept. */
  adopt(observed: MapContents): void {
    this.#services.adopt(observed);
  }

  /** All that follows from what was told. */
  compile(): TenantChanges {
    const services = this.compileServices(Infinity);
    const rules = this.compileRules();
    return { records: [...rules.records, ...services.records], writes: [...services.writes, ...rules.writes], flagged: rules.flagged };
  }

  /** Policies, and which VPCs have services and policies. */
  compileRules(): TenantChanges {
    this.#readCatalog();
    const records = this.#wanted;
    this.#wanted = [];
    const { before, after } = this.#policies.compile();
    return { records, writes: plan(after, before), flagged: this.#changeFlags() };
  }

  /** Services, at most so many: `areServicesDirty` says whether there are more. */
  compileServices(limit: number): Omit<TenantChanges, 'flagged'> {
    const isFirst = this.#version === undefined;
    this.#readCatalog();
    const records = this.#services.takeSlices();
    const { before, after, swaps, cleared } = this.#services.compile(limit);
    this.#isUrgent &&= this.#services.isDirty;
    if (isFirst) this.#staleTables = this.#services.forgetOthers();
    return { records, writes: [...swapsOf(swaps), ...plan(after, before), ...cleared.map(clearOf)] };
  }

  /** Adds all records, as compiled last. */
  addContents(builder: MapBuilder): void {
    this.#services.addContents(builder);
    this.#policies.addContents(builder);
  }

  /** Writes for all tables, as compiled last: they cannot be read back. `clears` come after all that may still refer to them. */
  tableWrites(): { readonly swaps: readonly MapWrite[]; readonly clears: readonly MapWrite[] } {
    const tables = this.#services.tables();
    const stale = this.#staleTables.filter((index) => !tables.has(index));
    this.#staleTables = [];
    return { swaps: swapsOf(tables), clears: stale.map(clearOf) };
  }

  #left({ vni, identity }: Member): void {
    this.#services.memberChanged(vni, this.labelsOf(vni, identity));
    this.#isUrgent ||= this.#services.isDirty;
    if (!this.#members.hasIdentity(vni, identity)) this.#policies.identitiesChanged(vni);
  }

  #readCatalog(): void {
    const { catalog } = this.#options;
    const before = this.#version;
    if (before === catalog.version) return;
    this.#version = catalog.version;
    const changed = before === undefined ? undefined : catalog.changedSince(before);
    if (changed !== undefined) for (const key of new Set(changed)) this.#recordChanged(key, catalog.get(key));
    else this.#readAll();
  }

  /** What is not there any more has to be found too. */
  #readAll(): void {
    const { catalog } = this.#options;
    const found = new Set<string>();
    for (const prefix of ['identity/', 'slice/']) {
      for (const [key, value] of catalog.entries(prefix)) {
        found.add(key);
        this.#recordChanged(key, value);
      }
    }
    const known = [
      ...Array.from(this.#book.all(), (one) => identityRecord(one).key),
      ...Array.from(this.#services.slices(), ({ key }) => key),
    ];
    for (const key of known) if (!found.has(key)) this.#recordChanged(key, undefined);
  }

  #recordChanged(key: string, value: unknown): void {
    if (ServiceCompiler.isKey(key) && this.#services.sliceChanged(key, value)) this.#isUrgent = true;
    if (!LabelBook.isKey(key)) return;
    const change = this.#book.recordChanged(key, value);
    const vni = change === undefined ? undefined : this.#vniOf.get(change.vpc);
    if (change === undefined || vni === undefined) return;
    this.#policies.identitiesChanged(vni);
    if (!this.#members.hasIdentity(vni, change.identity)) return;
    for (const known of [change.before, change.after]) this.#services.memberChanged(vni, known?.labels ?? {});
    // Somebody took it for nobody's: it is in use here.
    if (change.after === undefined && change.before !== undefined) {
      const record = identityRecord({ ...change.before, day: this.#options.today() });
      this.#wanted.push(record);
      this.#book.recordChanged(record.key, record.value);
    }
  }

  #changeFlags(): number[] {
    if (!this.#areResourcesNew) return [];
    this.#areResourcesNew = false;
    const before = this.#flags;
    const flags = new Map<number, number>();
    for (const vni of this.#vniOf.values()) {
      const has =
        (this.#services.hasServices(vni) ? subnetFlag.hasServices : 0) | (this.#policies.hasPolicies(vni) ? subnetFlag.hasPolicies : 0);
      if (has !== 0) flags.set(vni, has);
    }
    this.#flags = flags;
    return [...new Set([...before.keys(), ...flags.keys()])].filter((vni) => before.get(vni) !== flags.get(vni));
  }
}

function swapsOf(tables: ReadonlyMap<number, ServiceTable>): MapWrite[] {
  return Array.from(tables, ([index, { values }]) => ({ kind: 'swap', map: backendTables.name, index, values }));
}

function clearOf(index: number): MapWrite {
  return { kind: 'clear', map: backendTables.name, index };
}
