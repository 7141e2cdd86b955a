import { InputError } from '../../base/errors.ts';
import type { Path } from '../../management/schema.ts';
import { objectOf } from '../control/json-reader.ts';
import { overlayKinds, placedByName, type PlacedResource } from '../resources/resources.ts';
import type { OverlayKind, OverlayResource } from '../resources/resource-types.ts';
import { fittingNetworks, type FittingNetworks } from '../resources/tenant-network.ts';
import type { Catalog } from './catalog.ts';
import { noNetworks, type ListedResource, type Networks, type NumberedSubnet, type NumberedVpc } from './networks.ts';
import { nextNumber } from './number-range.ts';
import {
  formatResourceRecord,
  parseResourceRecord,
  resourceKey,
  resourcePrefix,
  type ResourceRecord,
  type ResourceStatus,
} from './resource-record.ts';

/** A resource of the configuration, with its number: all hosts have the same. */
export interface FileResource extends PlacedResource {
  /** Of a subnet. */
  readonly subnetId: number | undefined;
}

export interface ResourceBookOptions {
  readonly catalog: Catalog;
  readonly hostId: number;
  readonly files: readonly FileResource[];
  /** Now. */
  readonly epoch: () => number;
  /** Whether a host is one of the overlay's. */
  readonly isHost: (hostId: number) => boolean;
}

export interface ResourceName {
  readonly kind: OverlayKind;
  readonly name: string;
}

export type Outcome = 'created' | 'changed' | 'unchanged' | 'deleted' | 'absent';

export interface ResourceOutcome extends ResourceName {
  readonly outcome: Outcome;
}

/** What a change of a resource cannot touch: pods and numbers hang on it. */
const fixedFields: Partial<Readonly<Record<OverlayKind, readonly string[]>>> = {
  VPC: ['vni'],
  Subnet: ['vpc', 'prefixes', 'gateways', 'fixed'],
};
/** A number rests for as long as a host that was away may still use it for what is deleted. */
const restMs = 86_400_000;
const hourMs = 3_600_000;
const restingPrefix = 'resting/';
const useStart = 'use/';
/** Dependants that an error names. */
const namedLimit = 3;

/** VNIs, and ids of subnets. */
interface NumbersInUse {
  readonly VPC: Set<number | undefined>;
  readonly Subnet: Set<number | undefined>;
}

/** A candidate for the networks: of the catalog, of a file, or about to be written. */
interface Candidate extends PlacedResource {
  readonly vni: number | undefined;
  readonly subnetId: number | undefined;
  readonly createdEpoch: number;
}

interface Reading {
  readonly candidates: readonly Candidate[];
  readonly networks: Networks;
  /** By key. */
  readonly problems: ReadonlyMap<string, InputError>;
  /** Keys of those that are left out. A VPC that cannot have a peer is not. */
  readonly missing: ReadonlySet<string>;
}

/**
 * The resources of the catalog and of files: what they say together, and their changes, which are checked before they are written. Another host
 * may write at the same moment; then the earlier one counts, and the other has a problem.
 */
export class ResourceBook {
  readonly #options: ResourceBookOptions;
  readonly #parsed = new WeakMap<object, { readonly record: ResourceRecord | undefined }>();
  #reading: Reading = { candidates: [], networks: noNetworks, problems: new Map(), missing: new Set() };
  #version = -1;
  #files: readonly FileResource[];

  constructor(options: ResourceBookOptions) {
    this.#options = options;
    this.#files = options.files;
  }

  /** The files say something else now. */
  setFiles(files: readonly FileResource[]): void {
    this.#files = files;
    this.#version = -1;
  }

  /** Another object exactly when something has changed. */
  networks(): Networks {
    return this.#read().networks;
  }

  list(): readonly ListedResource[] {
    const { candidates, problems } = this.#read();
    const files = new Set<OverlayResource>(this.#files.map(({ resource }) => resource));
    return candidates.map(({ resource, vni, subnetId }) => ({
      resource,
      origin: files.has(resource) ? 'file' : 'catalog',
      vni,
      subnetId,
      problem: problems.get(keyOf(resource)),
    }));
  }

  /** Names of the hosts that have endpoints in a subnet, as they say. */
  usersOf(subnetId: number): readonly string[] {
    return this.users(usePrefix(subnetId)).get(subnetId) ?? [];
  }

  /** The same of all subnets that have any, by their ids. */
  users(prefix: string = useStart): ReadonlyMap<number, readonly string[]> {
    const found = new Map<number, string[]>();
    for (const [key, value] of this.#options.catalog.entries(prefix)) {
      const { host } = objectOf(value) ?? {};
      const [, subnetId = '', hostId = ''] = key.split('/');
      if (!this.#options.isHost(Number(hostId)) || typeof host !== 'string') continue;
      const known = found.get(Number(subnetId));
      if (known === undefined) found.set(Number(subnetId), [host]);
      else known.push(host);
    }
    return found;
  }

  /**
   * Writes resources, all of them or, when one cannot be, none. Throws InputError `resource-conflict`, `-reference`, `-duplicate`, `-limit`,
   * `-exists` (`isNew`: none of them may be there), `-resting` (the VNI), `-fixed` (what cannot be changed) or `-in-file`; WeatherError of the catalog.
   */
  apply(placed: readonly PlacedResource[], isNew: boolean, nowMs: number): readonly ResourceOutcome[] {
    const before = this.#read();
    const numbers = numbersOf(before.candidates);
    const drafts = new Map<string, { readonly draft: ResourceRecord; readonly place: (path: Path) => string; readonly outcome: Outcome }>();
    for (const one of inOrder(placed)) {
      const key = keyOf(one.resource);
      if (drafts.has(key)) throw wrong('duplicate', one, ['metadata', 'name'], 'stands there twice');
      drafts.set(key, { ...this.#draft(one, isNew, nowMs, numbers), place: (path) => one.place(path) });
    }
    const kept = before.candidates.map((candidate) => drafts.get(keyOf(candidate.resource)) ?? candidate);
    const known = new Set(before.candidates.map(({ resource }) => keyOf(resource)));
    const added = [...drafts].flatMap(([key, draft]) => (known.has(key) ? [] : [draft]));
    const after = readAll([...kept, ...added].map((item) => ('draft' in item ? candidateOf(item.draft, item.place) : item)));
    for (const key of drafts.keys()) {
      const problem = after.problems.get(key);
      if (problem !== undefined) throw problem;
    }
    const [first] = placed;
    const broken = [...after.missing].find((key) => !before.missing.has(key));
    if (broken !== undefined && first !== undefined) {
      const message = after.problems.get(broken)?.message ?? broken;
      throw new InputError('resource-conflict', first.place([]), `another one could not be there any more: ${message}`);
    }
    for (const [key, { draft, outcome }] of drafts) {
      if (outcome !== 'unchanged') this.#options.catalog.set(key, formatResourceRecord(draft), nowMs);
    }
    return [...drafts.values()].map(({ draft: { resource }, outcome }) => ({ ...nameOf(resource), outcome }));
  }

  /**
   * Whether these can be deleted: nothing that stays needs them. Throws InputError `resource-in-file` or `resource-in-use`. Those that are not
   * there are no obstacle.
   */
  checkDelete(names: readonly ResourceName[]): void {
    const before = this.#read();
    const keys = new Set(names.map(resourceKey));
    for (const { resource } of this.#files) {
      if (keys.has(keyOf(resource))) throw inFile(placedByName(resource));
    }
    const after = readAll(before.candidates.filter(({ resource }) => !keys.has(keyOf(resource))));
    const broken = [...after.missing].filter((key) => !before.missing.has(key));
    if (broken.length === 0) return;
    const [name] = names;
    const named = broken.slice(0, namedLimit).map((key) => key.slice(resourcePrefix.length).replace('/', ' '));
    const rest = broken.length > named.length ? ` and ${broken.length - named.length} more` : '';
    throw new InputError('resource-in-use', `${name?.kind} ${name?.name}`, `${named.join(', ')}${rest} would be left without it`, {
      remedy: 'delete what needs it first',
    });
  }

  /** Throws WeatherError of the catalog. */
  delete({ kind, name }: ResourceName, nowMs: number): ResourceOutcome {
    const { catalog } = this.#options;
    const key = resourceKey({ kind, name });
    const found = this.#read().candidates.find(({ resource }) => keyOf(resource) === key);
    if (catalog.get(key) === undefined) return { kind, name, outcome: 'absent' };
    const number = kind === 'VPC' ? found?.vni : found?.subnetId;
    if (number !== undefined) catalog.set(restingKey(kind, number), { until: nowMs + restMs, name }, nowMs);
    catalog.delete(key, nowMs);
    return { kind, name, outcome: 'deleted' };
  }

  /** Forgets numbers that have rested: this host's own, and those that no host gives. */
  sweep(nowMs: number): void {
    const { catalog, hostId, isHost } = this.#options;
    for (const [key, value] of catalog.entries(restingPrefix)) {
      const { until } = objectOf(value) ?? {};
      const giver = Number(key.split('/')[2]) >> 12;
      if ((giver === hostId || !isHost(giver)) && typeof until === 'number' && nowMs >= until) catalog.delete(key, nowMs);
    }
  }

  #draft(
    placed: PlacedResource,
    isNew: boolean,
    nowMs: number,
    numbers: NumbersInUse,
  ): { readonly draft: ResourceRecord; readonly outcome: Outcome } {
    const { resource } = placed;
    const { kind } = resource;
    const { catalog, epoch } = this.#options;
    const key = keyOf(resource);
    if (this.#files.some((file) => keyOf(file.resource) === key)) throw inFile(placed);
    const known = this.#recordOf(key);
    if (known === undefined) {
      const status: ResourceStatus = { created: nowMs };
      if (kind === 'VPC') {
        const { vni = this.#newNumber(kind, numbers, nowMs) } = resource.spec;
        this.#checkRested(vni, placed, nowMs);
        return { draft: { resource, status: { ...status, vni } }, outcome: 'created' };
      }
      if (kind === 'Subnet') {
        return {
          draft: { resource, status: { ...status, id: this.#newNumber(kind, numbers, nowMs), epoch: epoch() } },
          outcome: 'created',
        };
      }
      return { draft: { resource, status }, outcome: 'created' };
    }
    if (isNew) {
      throw wrong('exists', placed, ['metadata', 'name'], 'is there already', `choose another name, or change it with van overlay apply`);
    }
    for (const field of fixedFields[kind] ?? []) {
      const given = objectOf(resource.spec)?.[field];
      const old = field === 'vni' ? known.status.vni : objectOf(known.resource.spec)?.[field];
      if (field === 'vni' && given === undefined) continue;
      if (JSON.stringify(given) !== JSON.stringify(old)) {
        throw wrong('fixed', placed, ['spec', field], `cannot be changed from ${JSON.stringify(old)}`, 'delete it and create it anew');
      }
    }
    const draft = { resource, status: known.status };
    const isSame = JSON.stringify(formatResourceRecord(draft)) === JSON.stringify(catalog.get(key));
    return { draft, outcome: isSame ? 'unchanged' : 'changed' };
  }

  /** A VNI that rests is for a VPC of the same name alone. */
  #checkRested(vni: number, placed: PlacedResource, nowMs: number): void {
    const { until, name } = objectOf(this.#options.catalog.get(restingKey('VPC', vni))) ?? {};
    if (typeof until !== 'number' || nowMs >= until || name === placed.resource.metadata.name) return;
    const hours = Math.ceil((until - nowMs) / hourMs);
    const message = `${vni} was another VPC's, of which a host that was away may still have pods, and rests for ${hours} h more`;
    throw wrong('resting', placed, ['spec', 'vni'], message, 'choose another number, or none');
  }

  /** A number of this host's own that nobody has or has had within a day. */
  #newNumber(kind: keyof NumbersInUse, numbers: NumbersInUse, nowMs: number): number {
    const { catalog, hostId } = this.#options;
    const used = numbers[kind];
    const lastKey = `number/${kind}/${hostId}`;
    const { last } = objectOf(catalog.get(lastKey)) ?? {};
    const number = nextNumber(
      hostId,
      typeof last === 'number' ? last : 0,
      (candidate) => used.has(candidate) || catalog.get(restingKey(kind, candidate)) !== undefined,
    );
    used.add(number);
    catalog.set(lastKey, { last: number }, nowMs);
    return number;
  }

  #read(): Reading {
    const { catalog } = this.#options;
    const isFirst = this.#version === -1;
    const changed = isFirst ? undefined : catalog.changedSince(this.#version);
    this.#version = catalog.version;
    if (changed !== undefined && !changed.some((key) => key.startsWith(resourcePrefix))) return this.#reading;
    const records: ResourceRecord[] = [];
    for (const [key] of catalog.entries(resourcePrefix)) {
      const record = this.#recordOf(key);
      if (record !== undefined) records.push(record);
    }
    // What came at one moment is told apart by its key.
    const sorted = records.toSorted(
      (one, other) => one.status.created - other.status.created || (keyOf(one.resource) < keyOf(other.resource) ? -1 : 1),
    );
    this.#reading = readAll([...this.#files.map(fileCandidate), ...sorted.map((record) => candidateOf(record))]);
    return this.#reading;
  }

  #recordOf(key: string): ResourceRecord | undefined {
    const value = objectOf(this.#options.catalog.get(key));
    if (value === undefined) return undefined;
    let parsed = this.#parsed.get(value);
    if (parsed === undefined) {
      const record = parseResourceRecord(value);
      parsed = { record: record === undefined || keyOf(record.resource) !== key ? undefined : record };
      this.#parsed.set(value, parsed);
    }
    return parsed.record;
  }
}

/** Records that a host keeps there while it has endpoints in a subnet, by its id. */
export function usePrefix(subnetId: number): string {
  return `${useStart}${subnetId}/`;
}

function readAll(candidates: readonly Candidate[]): Reading {
  // The number that a VPC has been given counts as if its user had said it.
  const withVni = candidates.map(({ resource, vni, place }): PlacedResource => ({
    resource: resource.kind === 'VPC' && vni !== undefined ? { ...resource, spec: { ...resource.spec, vni } } : resource,
    place: (path) => place(path),
  }));
  const fitting = fittingNetworks(withVni);
  const problems = new Map<string, InputError>();
  for (const [resource, problem] of fitting.problems) problems.set(keyOf(resource), problem);
  const networks = numbered(candidates, fitting, problems);
  const vpcs = new Set(networks.vpcs.map(({ name }) => resourceKey({ kind: 'VPC', name })));
  return { candidates, networks, problems, missing: new Set([...problems.keys()].filter((key) => !vpcs.has(key))) };
}

function numbered(candidates: readonly Candidate[], { networks }: FittingNetworks, problems: Map<string, InputError>): Networks {
  const vpcs = networks.vpcs.flatMap((vpc): NumberedVpc[] => (vpc.vni === undefined ? [] : [{ ...vpc, vni: vpc.vni }]));
  const vniOf = new Map(vpcs.map(({ name, vni }) => [name, vni]));
  const subnetNames = new Map(networks.subnets.map((subnet) => [subnet.name, subnet]));
  const ids = new Map<number, string>();
  const subnets: NumberedSubnet[] = [];
  // In the order of the candidates: of two with one number the first one has it.
  for (const { resource, subnetId, createdEpoch, place } of candidates) {
    const { name } = resource.metadata;
    const subnet = resource.kind === 'Subnet' && !problems.has(keyOf(resource)) ? subnetNames.get(name) : undefined;
    if (subnet === undefined) continue;
    const vni = vniOf.get(subnet.vpc);
    const other = subnetId === undefined ? undefined : ids.get(subnetId);
    if (vni === undefined || subnetId === undefined || other !== undefined) {
      const reason = vni === undefined ? `VPC '${subnet.vpc}' has no VNI` : `subnet '${other ?? ''}' has its number`;
      problems.set(keyOf(resource), new InputError('resource-conflict', place([]), reason));
      continue;
    }
    ids.set(subnetId, name);
    subnets.push({ ...subnet, vni, subnetId, createdEpoch });
  }
  const known = new Set(subnets.map(({ name }) => name));
  return {
    vpcs,
    subnets: subnets.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    endpoints: networks.endpoints.filter(({ subnet }) => known.has(subnet)),
    services: networks.services.filter(({ vpc }) => vniOf.has(vpc)),
    policies: networks.policies.filter(({ vpc }) => vniOf.has(vpc)),
  };
}

function candidateOf({ resource, status }: ResourceRecord, place?: (path: Path) => string): Candidate {
  const placed = placedByName(resource);
  const { vni, id, epoch = 1 } = status;
  return { resource, place: place ?? ((path) => placed.place(path)), vni, subnetId: id, createdEpoch: epoch };
}

function fileCandidate({ resource, subnetId, place }: FileResource): Candidate {
  const vni = resource.kind === 'VPC' ? resource.spec.vni : undefined;
  return { resource, place: (path) => place(path), vni, subnetId, createdEpoch: 1 };
}

function numbersOf(candidates: readonly Candidate[]): NumbersInUse {
  const numbers: NumbersInUse = { VPC: new Set(), Subnet: new Set() };
  for (const { resource, vni, subnetId } of candidates) {
    if (resource.kind === 'VPC') numbers.VPC.add(vni);
    else if (resource.kind === 'Subnet') numbers.Subnet.add(subnetId);
  }
  return numbers;
}

function inOrder(placed: readonly PlacedResource[]): readonly PlacedResource[] {
  return placed.toSorted((one, other) => overlayKinds.indexOf(one.resource.kind) - overlayKinds.indexOf(other.resource.kind));
}

function nameOf({ kind, metadata: { name } }: OverlayResource): ResourceName {
  return { kind, name };
}

function keyOf(resource: OverlayResource): string {
  return resourceKey(nameOf(resource));
}

function restingKey(kind: OverlayKind, number: number): string {
  return `${restingPrefix}${kind}/${number}`;
}

function wrong(code: string, placed: PlacedResource, path: Path, message: string, remedy?: string): InputError {
  return new InputError(`resource-${code}`, placed.place(path), message, remedy === undefined ? {} : { remedy });
}

function inFile(placed: PlacedResource): InputError {
  return wrong(
    'in-file',
    placed,
    [],
    "is one of the hosts' configurations",
    'change it there, and let the daemons read it: van overlay reload',
  );
}
