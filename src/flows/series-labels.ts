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
    const labels = this.#make(series);
    this.#labels.set(series.index, labels);
    return labels;
  }

  connector({ destRouter, destServer, address }: SeriesKey): StoredRecord | undefined {
    return this.#servers.find(destRouter, destServer, address);
  }

  #make(series: Series): SeriesLabels {
    const listener = this.#records.find(series.listener);
    const connector = this.connector(series);
    const source = this.#directory.placeOfSource(series.source);
    const dest = connector === undefined ? undefined : this.#directory.placeOfSource(connector.source);
    const destId = dest === undefined || dest.routerId === '' ? series.destRouter : dest.routerId;
    return {
      listener: listener === undefined ? '' : textOf(listener.attributes, Attribute.name),
      sourceId: source.routerId,
      sourceSite: source.name,
      destId,
      destSite: destId === '' ? '' : this.#directory.placeOfRouter(destId).name,
      address: series.address,
      protocol: series.protocol,
      connector: connector === undefined ? '' : textOf(connector.attributes, Attribute.name),
      server: connector === undefined ? series.destServer : serverText(connector.attributes),
      serverKey: `${destId}\n${connector?.identity ?? series.destServer}\n${series.address}`,
      edgeKey: `${source.routerId}\n${destId}\n${series.protocol}\n${series.address}`,
    };
  }
}
