import { counterCodec, counterKeyCodec, type Counter, type CounterKey } from './counter.ts';
import { endpointCodec, endpointKeyCodec, type Endpoint, type EndpointKey } from './endpoint.ts';
import { hostAddressCodec, hostCodec, type Host, type HostAddress } from './host.ts';
import { indexCodec, type Index } from './index-key.ts';
import { ownerSlots, ownersCodec, type Owners } from './owners.ts';
import { pathCodec, type Path } from './path.ts';
import { portCodec, type Port } from './port.ts';
import type { RecordCodec } from './record.ts';
import { settingsCodec, type Settings } from './settings.ts';
import { subnetCodec, subnetKeyCodec, type Subnet, type SubnetKey } from './subnet.ts';

/** A map of the data path: its name in the object, its records, and how many it holds at most (the reasons are in `bpf/maps.h`). */
export interface MapLayout<K, V> {
  readonly name: string;
  readonly key: RecordCodec<K>;
  readonly value: RecordCodec<V>;
  readonly maxEntries: number;
}

export interface MapLayouts {
  readonly ports: MapLayout<Index, Port>;
  readonly endpoints: MapLayout<EndpointKey, Endpoint>;
  readonly hosts: MapLayout<Index, Host>;
  readonly hostIds: MapLayout<HostAddress, Index>;
  readonly paths: MapLayout<EndpointKey, Path>;
  readonly subnets: MapLayout<SubnetKey, Subnet>;
  readonly settings: MapLayout<Index, Settings>;
  readonly devices: MapLayout<Index, Index>;
  readonly counters: MapLayout<CounterKey, Counter>;
}

export const maps: MapLayouts = {
  ports: { name: 'ports', key: indexCodec, value: portCodec, maxEntries: 4096 },
  endpoints: { name: 'endpoints', key: endpointKeyCodec, value: endpointCodec, maxEntries: 262144 },
  hosts: { name: 'hosts', key: indexCodec, value: hostCodec, maxEntries: 4096 },
  hostIds: { name: 'host_ids', key: hostAddressCodec, value: indexCodec, maxEntries: 4096 },
  paths: { name: 'paths', key: endpointKeyCodec, value: pathCodec, maxEntries: 65536 },
  subnets: { name: 'subnets', key: subnetKeyCodec, value: subnetCodec, maxEntries: 16384 },
  settings: { name: 'settings', key: indexCodec, value: settingsCodec, maxEntries: 1 },
  devices: { name: 'devices', key: indexCodec, value: indexCodec, maxEntries: 4096 },
  counters: { name: 'counters', key: counterKeyCodec, value: counterCodec, maxEntries: 65536 },
};

/** The array of owner tables: one inner array of `slots` owners for each table id. */
export const ownerTables: {
  readonly name: string;
  readonly maxEntries: number;
  readonly slots: number;
  readonly value: RecordCodec<Owners>;
} = { name: 'owner_tables', maxEntries: 4096, slots: ownerSlots, value: ownersCodec };

/** The ring buffer of `RelayedEvent`. */
export const events: { readonly name: string; readonly byteLength: number } = { name: 'events', byteLength: 262144 };
