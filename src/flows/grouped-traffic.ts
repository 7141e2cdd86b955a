import type { Golden } from './network-snapshot.ts';
import type { SeriesLabels, SeriesNames } from './series-labels.ts';
import { TrafficTotal } from './traffic-total.ts';
import type { Series } from './observed-series.ts';

/** The traffic of a window. */
export interface TrafficView {
  readonly coveredMs: number;
  /** Calls with each series that had traffic or has some under way. `total` is used again for the next one. */
  each(take: (series: Series, total: TrafficTotal) => void): void;
}

const idle = new TrafficTotal();

/** Traffic by all that the network is shown by. */
export class GroupedTraffic {
  readonly #seconds: number;
  readonly #outbound = new Map<string, TrafficTotal>();
  readonly #inbound = new Map<string, TrafficTotal>();
  readonly #services = new Map<string, ServiceTraffic>();
  readonly edges: Map<string, { readonly labels: SeriesLabels; readonly total: TrafficTotal }> = new Map();

  constructor(view: TrafficView, names: SeriesNames) {
    this.#seconds = view.coveredMs / 1000;
    view.each((series, total) => {
      const labels = names.labels(series);
      totalOf(this.#outbound, labels.sourceId).add(total);
      const service = this.#service(labels.address);
      service.total.add(total);
      totalOf(service.listeners, series.listener).add(total);
      if (labels.protocol !== '') service.protocols.add(labels.protocol);
      if (labels.destId === '') return;
      totalOf(this.#inbound, labels.destId).add(total);
      service.served += total.count;
      groupOf(service.servers, labels.serverKey, labels).add(total);
      groupOf(this.edges, labels.edgeKey, labels).add(total);
    });
  }

  golden(total: TrafficTotal | undefined): Golden {
    return (total ?? idle).golden(this.#seconds);
  }

  outbound(routerId: string): Golden {
    return this.golden(this.#outbound.get(routerId));
  }

  inbound(routerId: string): Golden {
    return this.golden(this.#inbound.get(routerId));
  }

  service(address: string): ServiceTraffic | undefined {
    return this.#services.get(address);
  }

  addresses(): IterableIterator<string> {
    return this.#services.keys();
  }

  #service(address: string): ServiceTraffic {
    let service = this.#services.get(address);
    if (service === undefined) {
      service = { total: new TrafficTotal(), served: 0, protocols: new Set(), listeners: new Map(), servers: new Map() };
      this.#services.set(address, service);
    }
    return service;
  }
}

/** The traffic of one service. */
export interface ServiceTraffic {
  readonly total: TrafficTotal;
  /** Of `total.count`, those that a server had. */
  served: number;
  readonly protocols: Set<string>;
  /** By identity of the listener's record. */
  readonly listeners: Map<string, TrafficTotal>;
  readonly servers: Map<string, { readonly labels: SeriesLabels; readonly total: TrafficTotal }>;
}

export function totalOf(totals: Map<string, TrafficTotal>, key: string): TrafficTotal {
  let total = totals.get(key);
  if (total === undefined) {
    total = new TrafficTotal();
    totals.set(key, total);
  }
  return total;
}

/** The total of a group that knows what it is of. */
export function groupOf(
  groups: Map<string, { readonly labels: SeriesLabels; readonly total: TrafficTotal }>,
  key: string,
  labels: SeriesLabels,
): TrafficTotal {
  let group = groups.get(key);
  if (group === undefined) {
    group = { labels, total: new TrafficTotal() };
    groups.set(key, group);
  }
  return group.total;
}
