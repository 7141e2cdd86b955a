import {
  backendCodec,
  backendKeyCodec,
  backendSlots,
  backendStateCodec,
  serviceCodec,
  serviceKeyCodec,
  type Backend,
  type BackendKey,
  type BackendState,
  type Service,
  type ServiceKey,
} from './service.ts';
import { fragmentCodec, fragmentKeyCodec, type Fragment, type FragmentKey } from './fragment.ts';
import { flowKeyCodec, translationCodec, type FlowKey, type Translation } from './translation.ts';
import { counterCodec, counterKeyCodec, type Counter, type CounterKey } from './counter.ts';
import { endpointCodec, endpointKeyCodec, type Endpoint, type EndpointKey } from './endpoint.ts';
import { hostAddressCodec, hostCodec, type Host, type HostAddress } from './host.ts';
import { indexCodec, type Index } from './index-key.ts';
import { ownerSlots, ownersCodec, type Owners } from './owners.ts';
import { pathCodec, type Path } from './path.ts';
import {
  flowStateCodec,
  policyClassCodec,
  policyKeyCodec,
  policyPrefixKeyCodec,
  policyScopeCodec,
  policyScopeKeyCodec,
  policyVerdictCodec,
  type FlowState,
  type PolicyClass,
  type PolicyKey,
  type PolicyPrefixKey,
  type PolicyScope,
  type PolicyScopeKey,
  type PolicyVerdict,
} from './policy.ts';
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
  readonly fragments: MapLayout<FragmentKey, Fragment>;
  readonly services: MapLayout<ServiceKey, Service>;
  readonly backends: MapLayout<BackendKey, BackendState>;
  readonly translations: MapLayout<FlowKey, Translation>;
  readonly policies: MapLayout<PolicyKey, PolicyVerdict>;
  readonly policyPrefixes: MapLayout<PolicyPrefixKey, PolicyClass>;
  readonly policyScopes: MapLayout<PolicyScopeKey, PolicyScope>;
  readonly flows: MapLayout<FlowKey, FlowState>;
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
  fragments: { name: 'fragments', key: fragmentKeyCodec, value: fragmentCodec, maxEntries: 8192 },
  services: { name: 'services', key: serviceKeyCodec, value: serviceCodec, maxEntries: 65536 },
  backends: { name: 'backends', key: backendKeyCodec, value: backendStateCodec, maxEntries: 262144 },
  translations: { name: 'translations', key: flowKeyCodec, value: translationCodec, maxEntries: 131072 },
  policies: { name: 'policies', key: policyKeyCodec, value: policyVerdictCodec, maxEntries: 262144 },
  policyPrefixes: { name: 'policy_prefixes', key: policyPrefixKeyCodec, value: policyClassCodec, maxEntries: 65536 },
  policyScopes: { name: 'policy_scopes', key: policyScopeKeyCodec, value: policyScopeCodec, maxEntries: 16384 },
  flows: { name: 'flows', key: flowKeyCodec, value: flowStateCodec, maxEntries: 131072 },
};

/** An array of tables: an inner array of `slots` values for each table id. */
export interface TablesLayout<T> {
  readonly name: string;
  readonly maxEntries: number;
  readonly slots: number;
  readonly value: RecordCodec<T>;
}

/** The owners of each subnet. */
export const ownerTables: TablesLayout<Owners> = { name: 'owner_tables', maxEntries: 4096, slots: ownerSlots, value: ownersCodec };

/** The backends of each service. */
export const backendTables: TablesLayout<Backend> = { name: 'backend_tables', maxEntries: 4096, slots: backendSlots, value: backendCodec };

/** The ring buffer of `RelayedEvent`. */
export const events: { readonly name: string; readonly byteLength: number } = { name: 'events', byteLength: 262144 };
