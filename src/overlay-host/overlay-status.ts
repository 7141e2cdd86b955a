import { reason as reasons } from '../overlay/layout/counter.ts';
import type { LocalEndpoint } from '../overlay/control/host-maps.ts';
import { octetsOf } from '../overlay/control/address.ts';
import type { HostControl } from '../overlay/control/host-control.ts';
import { formatAddress } from '../overlay/packet/address.ts';
import type { Labels } from '../overlay/resources/resource-types.ts';
import type { DataPath } from './data-path/data-path.ts';
import type { TransitPlace } from './data-path/uplink-transit.ts';

/** What the daemon says of its host, as JSON. */
export interface OverlayStatus {
  readonly host: string;
  readonly hostId: number;
  readonly generation: number;
  readonly epoch: number;
  readonly uplink: { readonly name: string; readonly mtu: number; readonly transit: TransitPlace };
  /** Ids of the hosts whose daemons are connected. */
  readonly connected: readonly number[];
  readonly sizes: HostControl['sizes'];
  /** Calls made to other hosts, by type. */
  readonly calls: Readonly<Record<string, number>>;
  /** Addresses as text. */
  readonly endpoints: readonly (LocalEndpoint & { readonly labels: Labels })[];
  /** How many backends they have at all hosts that live. */
  readonly services: readonly { readonly vpc: string; readonly name: string; readonly ready: number; readonly draining: number }[];
  /** Services and policies that have no room in the maps. */
  readonly problems: readonly string[];
  readonly counters: readonly { readonly vni: number; readonly reason: string; readonly packets: number; readonly bytes: number }[];
}

export interface StatusSources {
  readonly host: string;
  readonly generation: number;
  readonly uplink: OverlayStatus['uplink'];
  readonly connected: readonly number[];
  readonly control: HostControl;
  readonly dataPath: DataPath;
}

export function overlayStatus({ host, generation, uplink, connected, control, dataPath }: StatusSources): OverlayStatus {
  return {
    host,
    hostId: control.self.hostId,
    generation,
    epoch: control.epoch,
    uplink,
    connected,
    sizes: control.sizes,
    calls: Object.fromEntries(control.calls.counts),
    endpoints: [...control.endpoints].map((endpoint) => ({
      ...endpoint,
      addresses: endpoint.addresses.map((address) => formatAddress(octetsOf(address))),
      labels: control.labelsOf(endpoint),
    })),
    services: Array.from(control.services, ({ vpc, name, ready, draining }) => ({
      vpc,
      name,
      ready: ready.length,
      draining: draining.length,
    })),
    problems: control.tenantProblems,
    counters: dataPath
      .counters()
      .map(({ vni, reason, packets, bytes }) => ({ vni, reason: reasonName(reason), packets: Number(packets), bytes: Number(bytes) }))
      .toSorted((one, other) => one.vni - other.vni || one.reason.localeCompare(other.reason)),
  };
}

function reasonName(code: number): string {
  return Object.entries(reasons).find(([, known]) => known === code)?.[0] ?? String(code);
}
