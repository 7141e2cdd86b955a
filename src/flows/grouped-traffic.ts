import type { Golden } from './network-snapshot.ts';
import type { SeriesLabels, SeriesNames } from './series-labels.ts';
import { TrafficTotal, type TrafficCell } from './traffic-total.ts';
import type { Series } from './observed-series.ts';

/** The traffic of a window. */
export interface TrafficView {
  readonly coveredMs: number;
  /** Calls with each series that had traffic or has some under way. */
  each(take: (series: Series, cell: Readonly<TrafficCell>) => void): void;
}

/** Traffic by all that the network is shown by. */
export class GroupedTraffic {
  readonly #seconds: number;
  /** Of everything without traffic, which may be very much. */
  readonly #idle: Golden;
  readonly #outbound = new Map<string, TrafficTotal>();
  readonly #inbound = new Map<string, TrafficTotal>();
  readonly #services = new Map<string, ServiceTraffic>();
  readonly edges: Map<string, { readonly labels: SeriesLabels; readonly total: TrafficTotal }> = new Map();

  constructor(view: TrafficView, names: SeriesNames) {
    this.#seconds = view.coveredMs / 1000;
    this.#idle = new TrafficTotal().golden(this.#seconds);
    view.each((series, cell) => {
      const { open } = series;
      const labels = names.labels(series);
      totalOf(this.#outbound, labels.sourceId).add(cell, open);
      const service = this.#service(labels.address);
      service.total.add(cell, open);
      totalOf(service.listeners, labels.listenerKey).add(cell, open);
      if (labels.protocol !== '') service.protocols.add(labels.protocol);
      if (labels.destId === '') return;
      totalOf(this.#inbound, labels.destId).add(cell, open);
      service.served += cell.count;
      groupOf(service.servers, labels.serverKey, labels).add(cell, open);
      groupOf(this.edges, labels.edgeKey, labels).add(cell, open);
    });
  }

  golden(total: TrafficTotal | undefined): Golden {
    return total === undefined ? this.#idle : total.golden(this.#seconds);
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
  /** By `listenerKey`. */
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
