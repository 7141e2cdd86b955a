import { InputError } from '../../base/errors.ts';
import type { Path } from '../../management/schema.ts';
import { isInPrefix, type AddressHex, type Prefix } from '../control/address.ts';
import type { SubnetPrefix } from '../control/spec.ts';
import { dnsAddressOf } from '../dns/dns-address.ts';
import { addressBehind, addressOf, contains, isIpv4Text, lastOf, overlap, prefixOf } from './address-types.ts';
import type { PlacedResource } from './resources.ts';
import type {
  EndpointForward,
  EndpointOffer,
  Labels,
  OverlayKind,
  OverlayResource,
  OverlayResourceOf,
  PolicyPeer,
  PolicyPort,
  ServicePort,
  VpcEgress,
  VpcSpec,
} from './resource-types.ts';

/**
 * What a set of resources says together, as plain records in the order of their names. Which numbers and owners things get, and what is
 * where, is the control's: here is only what users said.
 */
export interface TenantNetworks {
  readonly vpcs: readonly Vpc[];
  readonly subnets: readonly Subnet[];
  readonly endpoints: readonly Endpoint[];
  readonly services: readonly Service[];
  readonly policies: readonly Policy[];
}

export interface Vpc {
  readonly name: string;
  /** Undefined: the control chooses one. */
  readonly vni: number | undefined;
  readonly prefixes: readonly Prefix[];
  readonly peers: readonly string[];
  readonly egress: VpcEgress | undefined;
  readonly dns: VpcSpec['dns'];
}

export interface Subnet {
  readonly name: string;
  readonly vpc: string;
  /** At most one of IPv4 and one of IPv6, each with its gateway. */
  readonly prefixes: readonly SubnetPrefix[];
  /** Undefined: what the underlay has room for. */
  readonly mtu: number | undefined;
}

export interface Endpoint {
  readonly name: string;
  readonly vpc: string;
  readonly subnet: string;
  readonly addresses: readonly AddressHex[];
  /** 12 hex digits. */
  readonly mac: string | undefined;
  readonly host: string | undefined;
  readonly netns: string | undefined;
  readonly ifname: string;
  readonly forward: readonly EndpointForward[];
  readonly offer: readonly EndpointOffer[];
  readonly labels: Labels;
}

export interface Service {
  readonly name: string;
  readonly vpc: string;
  readonly addresses: readonly AddressHex[];
  readonly ports: readonly (ServicePort & { readonly targetPort: number })[];
  readonly selector: Labels;
  readonly affinity: 'none' | 'client';
}

/** Whom a rule is about: endpoints by labels, or addresses of one family. */
export type Peer =
  | { readonly kind: 'selector'; readonly selector: Labels }
  | { readonly kind: 'prefix'; readonly family: 'IPv4' | 'IPv6'; readonly prefix: Prefix; readonly except: readonly Prefix[] };

export interface Rule {
  /** Everybody when empty. */
  readonly peers: readonly Peer[];
  /** Everything when empty. */
  readonly ports: readonly PolicyPort[];
}

export interface Policy {
  readonly name: string;
  readonly vpc: string;
  readonly selector: Labels;
  /** Undefined: this policy says nothing of the direction. */
  readonly ingress: readonly Rule[] | undefined;
  readonly egress: readonly Rule[] | undefined;
}

/** Most resources of a kind: the control has room for as many subnets and VNIs, the directory for as many endpoints. */
const limits: Readonly<Record<OverlayKind, number>> = {
  VPC: 16_384,
  Subnet: 4096,
  Endpoint: 262_144,
  OverlayService: 4096,
  OverlayPolicy: 4096,
};

/**
 * The networks of a set of resources, the whole of it: what one refers to must be there. Throws InputError: `resource-duplicate`,
 * `resource-reference` (what is named is not there), `resource-conflict` (two of them cannot be together) or `resource-limit`.
 */
export function tenantNetworks(resources: readonly PlacedResource[]): TenantNetworks {
  const failed = (_: OverlayResource, error: InputError): void => {
    throw error;
  };
  return new Reading(resources, { failed, hasWaitingPeers: false }).read();
}

/** What of a set of resources can be together, and why the rest cannot. */
export interface FittingNetworks {
  readonly networks: TenantNetworks;
  readonly problems: ReadonlyMap<OverlayResource, InputError>;
}

/**
 * The networks of resources that several hosts have written: of two that cannot be together the one that is given first counts. Peers that do
 * not name each other wait for it. A VPC that cannot have one of its peers is there without it, and has a problem all the same.
 */
export function fittingNetworks(resources: readonly PlacedResource[]): FittingNetworks {
  const problems = new Map<OverlayResource, InputError>();
  const failed = (resource: OverlayResource, error: InputError): void => void problems.set(resource, error);
  return { networks: new Reading(resources, { failed, hasWaitingPeers: true }).read(), problems };
}

interface ReadingOptions {
  /** A resource that cannot be with those before it; when this returns, it is left out. */
  readonly failed: (resource: OverlayResource, error: InputError) => void;
  readonly hasWaitingPeers: boolean;
}

interface Placed<K extends OverlayKind> {
  readonly resource: OverlayResource;
  readonly name: string;
  readonly spec: OverlayResourceOf<K>['spec'];
  readonly labels: Labels;
  readonly place: (path: Path) => string;
}

class Reading {
  readonly #options: ReadingOptions;
  readonly #vpcs: Map<string, Placed<'VPC'>>;
  readonly #subnets: ReadonlyMap<string, Placed<'Subnet'>>;
  readonly #endpoints: ReadonlyMap<string, Placed<'Endpoint'>>;
  readonly #services: ReadonlyMap<string, Placed<'OverlayService'>>;
  readonly #policies: ReadonlyMap<string, Placed<'OverlayPolicy'>>;
  /** Of VPCs, read once. */
  readonly #vpcPrefixes = new Map<string, readonly Prefix[]>();
  /** Who has an address of a VPC already. */
  readonly #holders = new Map<string, string>();
  /** Ranges of each VPC's subnets by their first addresses, sorted. */
  readonly #ranges = new Map<string, Range[]>();

  constructor(resources: readonly PlacedResource[], options: ReadingOptions) {
    this.#options = options;
    this.#vpcs = this.#byName(resources, 'VPC');
    this.#subnets = this.#byName(resources, 'Subnet');
    this.#endpoints = this.#byName(resources, 'Endpoint');
    this.#services = this.#byName(resources, 'OverlayService');
    this.#policies = this.#byName(resources, 'OverlayPolicy');
  }

  read(): TenantNetworks {
    this.#checkVnis();
    const vpcs = this.#each(this.#vpcs.values(), (vpc) => this.#vpc(vpc));
    const subnets = this.#each(this.#subnets.values(), (subnet) => this.#subnet(subnet));
    const ofVpc = Map.groupBy(subnets, ({ vpc }) => vpc);
    const named = new Map(subnets.map((subnet) => [subnet.name, subnet]));
    return {
      vpcs: byNames(vpcs),
      subnets: byNames(subnets),
      endpoints: byNames(this.#each(this.#endpoints.values(), (endpoint) => this.#endpoint(endpoint, named))),
      services: byNames(this.#each(this.#services.values(), (service) => this.#service(service, ofVpc))),
      policies: byNames(this.#each(this.#policies.values(), (policy) => this.#policy(policy))),
    };
  }

  #each<K extends OverlayKind, T>(items: Iterable<Placed<K>>, read: (item: Placed<K>) => T): T[] {
    const made: T[] = [];
    for (const item of items) this.#attempt(item.resource, () => made.push(read(item)));
    return made;
  }

  #attempt(resource: OverlayResource, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.#options.failed(resource, error);
    }
  }

  #byName<K extends OverlayKind>(resources: readonly PlacedResource[], kind: K): Map<string, Placed<K>> {
    const found = new Map<string, Placed<K>>();
    for (const { resource, place } of resources) {
      if (resource.kind !== kind) continue;
      const { name, labels = {} } = resource.metadata;
      this.#attempt(resource, () => {
        const other = found.get(name);
        if (other !== undefined) {
          throw new InputError('resource-duplicate', place(['metadata', 'name']), `${kind} '${name}' is already at ${other.place([])}`);
        }
        if (found.size === limits[kind])
          throw new InputError('resource-limit', place([]), `there are more than ${limits[kind]} of ${kind}`);
        found.set(name, { resource, name, spec: resource.spec as OverlayResourceOf<K>['spec'], labels, place: (path) => place(path) });
      });
    }
    return found;
  }

  #checkVnis(): void {
    const names = new Map<number, string>();
    for (const { name, spec, place, resource } of this.#vpcs.values()) {
      if (spec.vni === undefined) continue;
      const other = names.get(spec.vni);
      if (other === undefined) names.set(spec.vni, name);
      else {
        this.#vpcs.delete(name);
        this.#options.failed(resource, conflict(place(['spec', 'vni']), `VPC '${other}' has VNI ${spec.vni} already`));
      }
    }
  }

  #vpc({ name, spec, place, resource }: Placed<'VPC'>): Vpc {
    const prefixes = spec.prefixes.map(prefixOf);
    const peers: string[] = [];
    for (const [index, peerName] of spec.peers.entries()) {
      this.#attempt(resource, () => {
        if (this.#isPeer(name, spec, peerName, place(['spec', 'peers', index]))) peers.push(peerName);
      });
    }
    return { name, vni: spec.vni, prefixes, peers, egress: spec.egress, dns: spec.dns };
  }

  /** False while it is waited for. */
  #isPeer(name: string, spec: VpcSpec, peerName: string, path: string): boolean {
    if (peerName === name) throw conflict(path, 'a VPC is no peer of itself');
    if (this.#options.hasWaitingPeers && !this.#vpcs.has(peerName)) return false;
    const peer = this.#reference(this.#vpcs, 'VPC', peerName, path);
    const isMutual = peer.spec.peers.includes(name);
    if (!isMutual && !this.#options.hasWaitingPeers)
      throw new InputError('resource-reference', path, `VPC '${peerName}' does not name '${name}' as its peer`);
    const common = spec.prefixes.find((one) => peer.spec.prefixes.some((other) => overlap(prefixOf(one), prefixOf(other))));
    if (common !== undefined)
      throw conflict(path, `${common} overlaps an address range of VPC '${peerName}': peers cannot share addresses`);
    return isMutual;
  }

  #subnet({ name, spec, place }: Placed<'Subnet'>): Subnet {
    const vpc = this.#reference(this.#vpcs, 'VPC', spec.vpc, place(['spec', 'vpc']));
    const prefixes = spec.prefixes.map((written, index): SubnetPrefix => {
      const prefix = prefixOf(written);
      if (!this.#prefixesOf(vpc).some((outer) => contains(outer, prefix))) {
        throw conflict(
          place(['spec', 'prefixes', index]),
          `${written} is not inside of ${vpc.spec.prefixes.join(' or ')} of VPC '${spec.vpc}'`,
        );
      }
      const family = (other: string): boolean => isIpv4Text(other) === isIpv4Text(written);
      const at = spec.gateways.findIndex(family);
      const gateway = at === -1 ? addressBehind(prefix.address, 1n) : addressOf(spec.gateways[at] ?? '');
      if (at !== -1) checkInside(gateway, prefix, written, place(['spec', 'gateways', at]));
      const fixed = spec.fixed.find(family);
      return { ...prefix, gateway, fixed: fixed === undefined ? undefined : prefixOf(fixed) };
    });
    this.#addRanges(name, spec.vpc, prefixes, place);
    return { name, vpc: spec.vpc, prefixes, mtu: spec.mtu };
  }

  /** Of ranges that do not overlap, one that is added does only if it does with the one before it or behind it. */
  #addRanges(name: string, vpc: string, prefixes: readonly SubnetPrefix[], place: (path: Path) => string): void {
    const ranges = this.#ranges.get(vpc) ?? [];
    const places = prefixes.map((prefix, index) => {
      const at = placeIn(ranges, prefix.address);
      const other = [ranges[at - 1], ranges[at]].find((range) => range !== undefined && overlap(range.prefix, prefix));
      if (other !== undefined) throw conflict(place(['spec', 'prefixes', index]), `overlaps subnet '${other.name}' of the same VPC`);
      return prefix;
    });
    for (const prefix of places) ranges.splice(placeIn(ranges, prefix.address), 0, { name, prefix });
    this.#ranges.set(vpc, ranges);
  }

  #endpoint({ name, spec, labels, place }: Placed<'Endpoint'>, subnets: ReadonlyMap<string, Subnet>): Endpoint {
    const { name: subnet, vpc, prefixes } = subnetNamed(subnets, spec.subnet, place(['spec', 'subnet']));
    const addresses = spec.addresses.map((written, index) => {
      const path = place(['spec', 'addresses', index]);
      const address = addressOf(written);
      const prefix = prefixes.find((outer) => isInPrefix(address, outer));
      if (prefix === undefined) throw conflict(path, `${written} is not in subnet '${spec.subnet}'`);
      checkInside(address, prefix, `subnet '${spec.subnet}'`, path);
      checkFree(address, prefix, written, spec.subnet, path);
      this.#take(vpc, address, `Endpoint '${name}'`, path);
      return address;
    });
    const { mac, host, netns, ifname, forward, offer } = spec;
    return { name, vpc, subnet, addresses, mac: mac?.replaceAll(':', ''), host, netns, ifname, forward, offer, labels };
  }

  #service({ name, spec, place }: Placed<'OverlayService'>, subnets: ReadonlyMap<string, readonly Subnet[]>): Service {
    const vpc = this.#reference(this.#vpcs, 'VPC', spec.vpc, place(['spec', 'vpc']));
    const addresses = spec.addresses.map((written, index) => {
      const path = place(['spec', 'addresses', index]);
      const address = addressOf(written);
      if (!this.#prefixesOf(vpc).some((outer) => isInPrefix(address, outer)))
        throw conflict(path, `${written} is not in VPC '${spec.vpc}'`);
      for (const subnet of subnets.get(spec.vpc) ?? []) {
        const prefix = subnet.prefixes.find((outer) => isInPrefix(address, outer));
        if (prefix === undefined) continue;
        checkFree(address, prefix, written, subnet.name, path);
        if (prefix.fixed === undefined || !isInPrefix(address, prefix.fixed)) {
          throw conflict(
            path,
            `an endpoint of subnet '${subnet.name}' may get ${written}: choose one of its fixed range, or one of no subnet`,
          );
        }
      }
      this.#take(spec.vpc, address, `OverlayService '${name}'`, path);
      return address;
    });
    const ports = spec.ports.map((port) => ({ ...port, targetPort: port.targetPort ?? port.port }));
    return { name, vpc: spec.vpc, addresses, ports, selector: spec.selector, affinity: spec.affinity };
  }

  #policy({ name, spec, place }: Placed<'OverlayPolicy'>): Policy {
    this.#reference(this.#vpcs, 'VPC', spec.vpc, place(['spec', 'vpc']));
    const { vpc, selector, policyTypes } = spec;
    return {
      name,
      vpc,
      selector,
      ingress: policyTypes.includes('Ingress') ? rulesOf(spec.ingress.map(({ from, ports }) => ({ peers: from, ports }))) : undefined,
      egress: policyTypes.includes('Egress') ? rulesOf(spec.egress.map(({ to, ports }) => ({ peers: to, ports }))) : undefined,
    };
  }

  #prefixesOf({ name, spec }: Placed<'VPC'>): readonly Prefix[] {
    let prefixes = this.#vpcPrefixes.get(name);
    if (prefixes === undefined) {
      prefixes = spec.prefixes.map(prefixOf);
      this.#vpcPrefixes.set(name, prefixes);
    }
    return prefixes;
  }

  #take(vpc: string, address: AddressHex, holder: string, path: string): void {
    const key = `${vpc} ${address}`;
    const other = this.#holders.get(key);
    if (other !== undefined) throw conflict(path, `${other} has this address already`);
    this.#holders.set(key, holder);
  }

  #reference<T>(known: ReadonlyMap<string, T>, kind: OverlayKind, name: string, path: string): T {
    const found = known.get(name);
    if (found === undefined) throw new InputError('resource-reference', path, `there is no ${kind} '${name}'`);
    return found;
  }
}

interface Range {
  readonly name: string;
  readonly prefix: Prefix;
}

/** Of the first range that does not begin before the address. */
function placeIn(ranges: readonly Range[], address: AddressHex): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle]?.prefix.address ?? '') < address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Subnets that a configuration lists under their VPC are named VPC/SUBNET; the last part is enough where it is the only one. */
function subnetNamed(subnets: ReadonlyMap<string, Subnet>, name: string, path: string): Subnet {
  const exact = subnets.get(name);
  if (exact !== undefined) return exact;
  const found = [...subnets.values()].filter((subnet) => subnet.name.endsWith(`/${name}`));
  const [first] = found;
  if (first === undefined) throw new InputError('resource-reference', path, `there is no Subnet '${name}'`);
  if (found.length > 1) throw new InputError('resource-reference', path, `more than one subnet is named '${name}'`);
  return first;
}

function byNames<T extends { readonly name: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

/** Neither the address of the network nor, of IPv4, that of broadcast. */
function checkInside(address: AddressHex, prefix: Prefix, what: string, path: string): void {
  if (!isInPrefix(address, prefix)) throw conflict(path, `is not inside of ${what}`);
  if (address === prefix.address) throw conflict(path, `is the first address of ${what}, which is the network's own`);
  const isIpv4 = addressOf('0.0.0.0').slice(0, 24) === address.slice(0, 24);
  if (isIpv4 && address === lastOf(prefix)) throw conflict(path, `is the last address of ${what}, which is for broadcast`);
}

/** Neither the gateway's nor that of DNS. */
function checkFree(address: AddressHex, prefix: SubnetPrefix, written: string, subnet: string, path: string): void {
  if (address === prefix.gateway) throw conflict(path, `${written} is the gateway of subnet '${subnet}'`);
  if (address === dnsAddressOf(prefix)) throw conflict(path, `${written} is the address of DNS in subnet '${subnet}'`);
}

function rulesOf(rules: readonly { readonly peers: readonly PolicyPeer[]; readonly ports: readonly PolicyPort[] }[]): readonly Rule[] {
  return rules.map(({ peers, ports }) => ({ peers: peers.map(peerOf), ports }));
}

function peerOf({ selector, prefix, except }: PolicyPeer): Peer {
  if (prefix === undefined) return { kind: 'selector', selector: selector ?? {} };
  return { kind: 'prefix', family: isIpv4Text(prefix) ? 'IPv4' : 'IPv6', prefix: prefixOf(prefix), except: except.map(prefixOf) };
}

function conflict(path: string, message: string): InputError {
  return new InputError('resource-conflict', path, message);
}
