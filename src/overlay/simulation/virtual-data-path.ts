import { addressHex, octetsOf } from '../control/address.ts';
import type { DirectoryEntry } from '../control/directory.ts';
import { maps, ownerTables, type MapLayout } from '../layout/maps.ts';
import type { EndpointKey } from '../layout/endpoint.ts';
import type { Owners } from '../layout/owners.ts';
import type { Path } from '../layout/path.ts';
import type { MemoryMaps } from '../memory-maps.ts';
import { agent } from '../model/agent.ts';
import { pathLifetimeNs } from '../model/learn.ts';
import type { Outcome } from '../model/run.ts';
import { endpointName, isValid, type Tables } from '../model/tables.ts';
import { transit } from '../model/transit.ts';
import { formatAddress, mappedIpv4 } from '../packet/address.ts';
import { ethernetHeaderBytes } from '../packet/ethernet.ts';
import type { Cluster } from './cluster.ts';
import type { Draws } from './draws.ts';
import type { VirtualHost } from './virtual-host.ts';

export interface VirtualDataPathOptions {
  readonly cluster: Cluster;
  readonly draws: Draws;
  /** Of packets between hosts. */
  readonly lossShare: number;
  readonly doubleShare: number;
  /** A frame goes out of this interface. */
  readonly delivered: (host: VirtualHost, ifindex: number, frame: Uint8Array) => void;
  /** A program has run. */
  readonly counted: (host: VirtualHost, outcome: Outcome) => void;
}

/** Of a packet between two hosts, in milliseconds. */
const delayMs = [0.1, 2] as const;
const nsOfMs = 1_000_000;
/** Where the destination stands in an IPv4 header. */
const destinationAt: number = ethernetHeaderBytes + 16;

/** What the programs do, as the model has it, on the maps of the hosts of a cluster; paths that were learnt stand in those maps. */
export class VirtualDataPath {
  readonly #options: VirtualDataPathOptions;
  readonly #owners = new WeakMap<readonly Uint8Array[], readonly Owners[]>();

  constructor(options: VirtualDataPathOptions) {
    this.#options = options;
  }

  /** A frame of the pod behind this interface. */
  send(host: VirtualHost, ifindex: number, frame: Uint8Array): void {
    this.#follow(host, agent(this.#tables(host), { ifindex, frame }, this.#nowNs));
  }

  /** The path that packets to an address take from this host; undefined: they go by an owner. */
  path(host: VirtualHost, key: EndpointKey): Path | undefined {
    const tables = this.#tables(host);
    const path = tables.paths.get(endpointName(key));
    return path !== undefined && isValid(tables, path, this.#nowNs) ? path : undefined;
  }

  /** A path that an owner told its daemon. */
  learn(host: VirtualHost, entry: DirectoryEntry, hostGeneration: number): void {
    const key = { vni: entry.vni, address: octetsOf(entry.address) };
    const known = this.path(host, key);
    if (known !== undefined && known.endpointGeneration >= entry.generation) return;
    const { hostId, generation, identity, mac } = entry;
    const place = { hostId, hostGeneration, endpointGeneration: generation, identity, mac: octetsOf(mac) };
    put(host.maps, maps.paths, key, { ...place, told: 0, expiresNs: this.#nowNs + pathLifetimeNs, previousHostId: known?.hostId ?? 0 });
  }

  get #nowNs(): bigint {
    return BigInt(Math.round(this.#options.cluster.time.nowMs * nsOfMs));
  }

  #follow(host: VirtualHost, outcome: Outcome): void {
    const { cluster, delivered, counted } = this.#options;
    counted(host, outcome);
    for (const [name, path] of outcome.paths) {
      const [vni = '', address = ''] = name.split(' ');
      put(host.maps, maps.paths, { vni: Number(vni), address: octetsOf(addressHex(address)) }, path);
    }
    for (const event of outcome.events) {
      host.control?.relayed(event, host.nowMs);
      host.drive();
    }
    const { verdict, frame } = outcome;
    if (verdict.kind === 'redirect' && verdict.ifindex !== uplinkOf(host.maps)) delivered(host, verdict.ifindex, frame);
    else if (verdict.kind === 'redirect' || verdict.kind === 'transmit') {
      const hostId = this.#tables(host).hostIds.get(formatAddress(mappedIpv4(frame, destinationAt)));
      const to = cluster.hosts.get(hostId ?? 0);
      if (to !== undefined) this.#carry(to, frame);
    }
  }

  #carry(to: VirtualHost, frame: Uint8Array): void {
    const { cluster, draws, lossShare, doubleShare } = this.#options;
    const copies = draws.chance(lossShare) ? 0 : draws.chance(doubleShare) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      cluster.time.at(cluster.time.nowMs + draws.between(...delayMs), () => {
        if (to.isOn) this.#follow(to, transit(this.#tables(to), frame, this.#nowNs, 'tc'));
      });
    }
  }

  #tables({ maps: held }: VirtualHost): Tables {
    const tables = new Map<number, readonly Owners[]>();
    const subnets = records(held, maps.subnets).map(([key, subnet]) => ({ key, subnet }));
    for (const { subnet } of subnets) {
      const slots = held.mapOfMaps(ownerTables.name).get(subnet.tableId);
      if (slots !== undefined) tables.set(subnet.tableId, this.#ownersOf(slots));
    }
    return {
      settings: records(held, maps.settings)[0]![1],
      ports: new Map(records(held, maps.ports).map(([{ index }, port]) => [index, port])),
      endpoints: new Map(records(held, maps.endpoints).map(([key, endpoint]) => [endpointName(key), endpoint])),
      hosts: new Map(records(held, maps.hosts).map(([{ index }, host]) => [index, host])),
      hostIds: new Map(records(held, maps.hostIds).map(([{ address }, { index }]) => [formatAddress(address), index])),
      paths: new Map(records(held, maps.paths).map(([key, path]) => [endpointName(key), path])),
      subnets,
      ownerTables: tables,
      devices: new Set(records(held, maps.devices).map(([{ index }]) => index)),
    };
  }

  /** Tables are replaced as a whole. */
  #ownersOf(slots: readonly Uint8Array[]): readonly Owners[] {
    let owners = this.#owners.get(slots);
    if (owners === undefined) {
      owners = slots.map((slot) => ownerTables.value.decode(slot));
      this.#owners.set(slots, owners);
    }
    return owners;
  }
}

function records<K, V>(held: MemoryMaps, { name, key, value }: MapLayout<K, V>): (readonly [K, V])[] {
  return Array.from(held.map(name).entries(), ([keyOctets, octets]) => [key.decode(keyOctets), value.decode(octets)] as const);
}

function put<K, V>(held: MemoryMaps, { name, key, value }: MapLayout<K, V>, at: K, record: V): void {
  held.map(name).put(key.encode(at), value.encode(record));
}

function uplinkOf(held: MemoryMaps): number {
  return records(held, maps.settings)[0]![1].uplinkIfindex;
}
