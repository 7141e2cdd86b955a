import type { KnownRecords, StoredRecord } from './known-records.ts';
import { Attribute, RecordType } from './record-types.ts';
import { textOf } from './record-values.ts';
import type { SiteDirectory } from './site-directory.ts';

/** Finds connectors by what records call servers. */
export class ServerIndex {
  readonly #records: KnownRecords;
  readonly #directory: SiteDirectory;
  #connectors = new Map<string, StoredRecord>();
  /** Those that are the only one for their address at their router; null where there are several. */
  #only = new Map<string, StoredRecord | null>();
  #versions = '';

  constructor(records: KnownRecords, directory: SiteDirectory) {
    this.#records = records;
    this.#directory = directory;
  }

  /**
   * The connector that `server` names: the identity of its record, or the server's id or the connector's name at its router. Where the
   * server is not told, the connector of the address, if its router has but one.
   */
  find(routerId: string, server: string, address: string): StoredRecord | undefined {
    const record = server === '' ? undefined : this.#records.find(server);
    if (record?.type === RecordType.connector && this.#isAt(routerId, record)) return record;
    this.#refresh();
    if (server === '') return this.#only.get(keyOf(routerId, address)) ?? undefined;
    return this.#connectors.get(keyOf(routerId, server));
  }

  /** As far as both are told: a router speaks for its own servers only. */
  #isAt(routerId: string, { source }: StoredRecord): boolean {
    const place = this.#directory.placeOfSource(source).routerId;
    return routerId === '' || place === '' || place === routerId;
  }

  #refresh(): void {
    const versions = `${this.#records.version} ${this.#directory.version}`;
    if (versions === this.#versions) return;
    this.#versions = versions;
    this.#connectors = new Map();
    this.#only = new Map();
    // Sums of clients elsewhere name servers by what they were called before their router was started again.
    for (const record of this.#records.ofType(RecordType.connector, true)) {
      const { attributes, source } = record;
      const { routerId } = this.#directory.placeOfSource(source);
      const server = textOf(attributes, Attribute.destServer);
      if (server !== '') this.#connectors.set(keyOf(routerId, server), record);
      if (this.#records.isReplaced(source)) continue;
      const place = keyOf(routerId, textOf(attributes, Attribute.vanAddress));
      this.#only.set(place, this.#only.has(place) ? null : record);
      this.#connectors.set(keyOf(routerId, textOf(attributes, Attribute.name)), record);
    }
  }
}

function keyOf(routerId: string, name: string): string {
  return `${routerId}\n${name}`;
}
