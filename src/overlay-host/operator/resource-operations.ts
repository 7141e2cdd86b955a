import { setTimeout as sleep } from 'node:timers/promises';
import { InputError } from '../../base/errors.ts';
import { SchemaProblem } from '../../management/schema.ts';
import type { ResourceBook, ResourceName, ResourceOutcome } from '../../overlay/catalog/resource-book.ts';
import type { CatalogView } from '../../overlay/catalog/catalog-view.ts';
import type { ServiceBackends } from '../../overlay/compiler/service-compiler.ts';
import { objectOf } from '../../overlay/control/json-reader.ts';
import {
  overlayApiVersion,
  overlayKinds,
  placedByName,
  readOverlayResource,
  type PlacedResource,
} from '../../overlay/resources/resources.ts';
import type { OverlayResource } from '../../overlay/resources/resource-types.ts';
import type { CatalogLoop } from '../catalog-loop.ts';
import { placedKey } from '../pods/endpoint-keeper.ts';
import type { StateStore } from '../store/state-store.ts';

export interface ResourceOperationsOptions {
  readonly hostName: string;
  /** Of all hosts. */
  readonly hostNames: () => readonly string[];
  readonly book: ResourceBook;
  readonly catalog: CatalogView;
  /** Services with the backends that this host knows to be alive. */
  readonly services: () => Iterable<ServiceBackends>;
  readonly loop: CatalogLoop;
  readonly store: StateStore;
  /** Of the wall clock. */
  readonly nowMs: () => number;
}

/** What an operator is told of a resource, beside what its user wrote. */
export interface ResourceReport {
  readonly apiVersion: string;
  readonly kind: OverlayResource['kind'];
  readonly metadata: OverlayResource['metadata'];
  readonly spec: OverlayResource['spec'];
  readonly status: {
    readonly origin: 'catalog' | 'file';
    /** Of a VPC. */
    readonly vni?: number;
    /** Of a subnet. */
    readonly id?: number;
    /** Of a subnet: hosts that have endpoints in it. Of an endpoint: the one that it is at. */
    readonly hosts?: readonly string[];
    /** Of an endpoint, when it has been made. */
    readonly addresses?: readonly string[];
    readonly mac?: string;
    /** Of a service: addresses of endpoints that are behind it and alive, and of those that only keep their connections. */
    readonly backends?: number;
    readonly draining?: number;
    /** Why it has no effect, or not all of it. */
    readonly problem?: string;
  };
}

/** Endpoints that are deleted together with their subnet are gone after so long, or it stays. */
const endpointsGoneMs = 10_000;
const lookEveryMs = 50;
/** Hosts that an error names. */
const namedLimit = 10;
/** Kinds in the order in which they are deleted: what refers to others first. */
const deletionOrder = overlayKinds.toReversed();

/** What operators do with resources. */
export class ResourceOperations {
  readonly #options: ResourceOperationsOptions;

  constructor(options: ResourceOperationsOptions) {
    this.#options = options;
  }

  /** Resources as JSON; all of them or none are written. Throws InputError or WeatherError. */
  async apply(resources: readonly unknown[], isNew: boolean): Promise<{ readonly outcomes: readonly ResourceOutcome[] }> {
    const { book, loop, store, nowMs } = this.#options;
    const placed = resources.map((value) => placedByName(this.#atHost(read(value))));
    for (const one of placed) this.#checkHosts(one);
    const outcomes = book.apply(placed, isNew, nowMs());
    loop.act();
    await store.saved();
    return { outcomes };
  }

  async delete(names: readonly ResourceName[]): Promise<{ readonly outcomes: readonly ResourceOutcome[] }> {
    const { book, loop, store, nowMs } = this.#options;
    book.checkDelete(names);
    for (const name of names) this.#checkUse(name, names);
    const outcomes: ResourceOutcome[] = [];
    for (const kind of deletionOrder) {
      for (const name of names) {
        if (name.kind !== kind) continue;
        if (kind === 'Subnet') await this.#unused(name);
        outcomes.push(book.delete(name, nowMs()));
        if (kind === 'Endpoint') loop.delete(placedKey(name.name));
        loop.act();
      }
    }
    await store.saved();
    return { outcomes };
  }

  list(): { readonly resources: readonly ResourceReport[] } {
    const { book, catalog } = this.#options;
    const users = book.users();
    const services = new Map(Array.from(this.#options.services(), (service) => [service.name, service]));
    const resources = book.list().map(({ resource, origin, vni, subnetId, problem }): ResourceReport => {
      const { kind, metadata, spec } = resource;
      const placed = kind === 'Endpoint' ? (objectOf(catalog.get(placedKey(metadata.name))) ?? {}) : {};
      const { addresses, mac, problem: failure } = placed as { addresses?: string[]; mac?: string; problem?: string };
      const why = problem?.message ?? failure;
      const hosts = kind === 'Subnet' && subnetId !== undefined ? (users.get(subnetId) ?? []) : undefined;
      const service = kind === 'OverlayService' ? services.get(metadata.name) : undefined;
      return {
        apiVersion: overlayApiVersion,
        kind,
        metadata,
        spec,
        status: {
          origin,
          ...(kind === 'VPC' && vni !== undefined ? { vni } : {}),
          ...(kind === 'Subnet' && subnetId !== undefined ? { id: subnetId } : {}),
          ...(hosts === undefined ? {} : { hosts }),
          ...(service === undefined ? {} : { backends: service.ready.length, draining: service.draining.length }),
          ...(addresses === undefined || addresses.length === 0 ? {} : { addresses }),
          ...(mac === undefined || mac === '' ? {} : { mac }),
          ...(why === undefined ? {} : { problem: why }),
        },
      };
    });
    return { resources };
  }

  /** An endpoint that names no host is at the one that is asked. */
  #atHost(resource: OverlayResource): OverlayResource {
    if (resource.kind !== 'Endpoint' || resource.spec.host !== undefined) return resource;
    return { ...resource, spec: { ...resource.spec, host: this.#options.hostName } };
  }

  /** A name that is no host's would wait for ever. */
  #checkHosts({ resource: { kind, spec }, place }: PlacedResource): void {
    const hosts = this.#options.hostNames();
    const check = (name: string, path: readonly (string | number)[]): void => {
      if (hosts.includes(name)) return;
      const remedy = `hosts are ${hosts.slice(0, namedLimit).join(', ')}${hosts.length > namedLimit ? ' and others' : ''}`;
      throw new InputError('resource-reference', place(path), `there is no host '${name}'`, { remedy });
    };
    if (kind === 'Endpoint' && spec.host !== undefined) check(spec.host, ['spec', 'host']);
    if (kind === 'VPC') for (const [index, name] of spec.egress?.hosts.entries() ?? []) check(name, ['spec', 'egress', 'hosts', index]);
  }

  /** Pods in a subnet keep it; endpoints that are deleted with it go first. */
  #checkUse(name: ResourceName, names: readonly ResourceName[]): void {
    const { book } = this.#options;
    const subnet = name.kind === 'Subnet' ? book.networks().subnets.find((one) => one.name === name.name) : undefined;
    const hosts = subnet === undefined ? [] : book.usersOf(subnet.subnetId);
    const goes = book
      .networks()
      .endpoints.some(
        (endpoint) => endpoint.subnet === subnet?.name && names.some((one) => one.kind === 'Endpoint' && one.name === endpoint.name),
      );
    if (hosts.length > 0 && !goes) throw inUse(name, hosts);
  }

  async #unused(name: ResourceName): Promise<void> {
    const { book, nowMs } = this.#options;
    const subnet = book.networks().subnets.find((one) => one.name === name.name);
    if (subnet === undefined) return;
    const untilMs = nowMs() + endpointsGoneMs;
    for (let hosts = book.usersOf(subnet.subnetId); hosts.length > 0; hosts = book.usersOf(subnet.subnetId)) {
      if (nowMs() >= untilMs) throw inUse(name, hosts);
      await sleep(lookEveryMs);
    }
  }
}

function read(value: unknown): OverlayResource {
  try {
    return readOverlayResource(value);
  } catch (error) {
    if (!(error instanceof SchemaProblem)) throw error;
    const { kind, path, message, remedy } = error;
    throw new InputError(`resource-${kind}`, path.join('.'), message, remedy === undefined ? {} : { remedy });
  }
}

function inUse({ kind, name }: ResourceName, hosts: readonly string[]): InputError {
  return new InputError('resource-in-use', `${kind} ${name}`, `pods are in it, at ${hosts.join(', ')}`, {
    remedy: 'delete the pods first; a host that is gone for good is taken out of the list of hosts',
  });
}
