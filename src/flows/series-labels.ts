import type { KnownRecords, StoredRecord } from './known-records.ts';
import { Attribute } from './record-types.ts';
import { textOf } from './record-values.ts';
import { serverText } from './request-rows.ts';
import type { ServerIndex } from './server-index.ts';
import type { SiteDirectory } from './site-directory.ts';
import type { Series, SeriesKey } from './observed-series.ts';

/** The two ends of a series by name. */
export interface SeriesLabels {
  /** Name of the listener; empty when it is not known. */
  readonly listener: string;
  /** The same for a listener over all lives of its router. */
  readonly listenerKey: string;
  readonly sourceId: string;
  readonly sourceSite: string;
  /** Router of the server, and its site; empty when there was no server. */
  readonly destId: string;
  readonly destSite: string;
  readonly address: string;
  readonly protocol: string;
  /** Name of the connector; empty when it is not known. */
  readonly connector: string;
  /** Host and port. */
  readonly server: string;
  /** The same for all series of one server and address, and of one pair of sites and address. */
  readonly serverKey: string;
  readonly edgeKey: string;
}

/** Labels of series. They are made again when records of sites, listeners or connectors have changed. */
export class SeriesNames {
  readonly #directory: SiteDirectory;
  readonly #records: KnownRecords;
  readonly #servers: ServerIndex;
  #labels = new Map<number, SeriesLabels>();
  /** The names that a series had last: they are kept when routers are started again and forget what they were before. */
  readonly #last = new WeakMap<SeriesKey, SeriesLabels>();
  #versions = '';

  constructor(directory: SiteDirectory, records: KnownRecords, servers: ServerIndex) {
    this.#directory = directory;
    this.#records = records;
    this.#servers = servers;
  }

  labels(series: Series): SeriesLabels {
    const versions = `${this.#records.version} ${this.#directory.version}`;
    if (versions !== this.#versions) {
      this.#versions = versions;
      this.#labels = new Map();
    }
    const known = this.#labels.get(series.index);
    if (known !== undefined) return known;
    const last = this.#last.get(series);
    const isGone = this.#directory.known(series.source) === undefined;
    const labels = isGone && last !== undefined ? last : this.#make(series, last);
    this.#last.set(series, labels);
    this.#labels.set(series.index, labels);
    return labels;
  }

  connector({ destRouter, destServer, address }: SeriesKey): StoredRecord | undefined {
    return this.#servers.find(destRouter, destServer, address);
  }

  #make(series: Series, last: SeriesLabels | undefined): SeriesLabels {
    const listener = this.#records.find(series.listener);
    const connector = this.connector(series);
    const source = this.#directory.placeOfSource(series.source);
    const dest = connector === undefined ? undefined : this.#directory.placeOfSource(connector.source);
    const destId = dest === undefined || dest.routerId === '' ? series.destRouter : dest.routerId;
    return {
      listenerKey: listener === undefined ? (last?.listenerKey ?? series.listener) : listenerKey(listener, source.routerId),
      listener: listener === undefined ? (last?.listener ?? '') : textOf(listener.attributes, Attribute.name),
      sourceId: source.routerId,
      sourceSite: source.name,
      destId,
      destSite: destId === '' ? '' : this.#directory.placeOfRouter(destId).name,
      address: series.address,
      protocol: series.protocol,
      ...this.#serverLabels(series, destId, connector, last),
      edgeKey: `${source.routerId}\n${destId}\n${series.protocol}\n${series.address}`,
    };
  }

  #serverLabels(
    series: Series,
    destId: string,
    connector: StoredRecord | undefined,
    last: SeriesLabels | undefined,
  ): Pick<SeriesLabels, 'connector' | 'server' | 'serverKey'> {
    if (connector !== undefined) {
      return {
        connector: textOf(connector.attributes, Attribute.name),
        server: serverText(connector.attributes),
        serverKey: serverKey(connector, destId, series.address),
      };
    }
    if (last !== undefined && last.connector !== '' && last.destId === destId) {
      return { connector: last.connector, server: last.server, serverKey: last.serverKey };
    }
    return { connector: '', server: series.destServer, serverKey: `${destId}\n${series.destServer}\n${series.address}` };
  }
}

/** By router and name, as connectors of an address are told apart; `routerId` is that of the record's source. */
export function serverKey({ source, attributes }: StoredRecord, routerId: string, address: string): string {
  return `${routerId || source}\n${textOf(attributes, Attribute.protocol)}\n${textOf(attributes, Attribute.name)}\n${address}`;
}

/** By router and name, as listeners are told apart there; `routerId` is that of the record's source. */
export function listenerKey({ source, attributes }: StoredRecord, routerId: string): string {
  return `${routerId || source}\n${textOf(attributes, Attribute.protocol)}\n${textOf(attributes, Attribute.name)}`;
}
