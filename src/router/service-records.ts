import type { FlowSupplement } from '../flows/metering.ts';
import type { ConfigurationRecord } from '../flows/configuration-records.ts';
import type { FlowSource } from '../flows/flow-source.ts';
import type { ListenerMeter } from '../flows/listener-meter.ts';
import { Attribute, RecordType } from '../flows/record-types.ts';
import type { ServiceConnectorEntity, ServiceListenerEntity } from '../management/service-entities.ts';
import type { RequestCounters, ServiceCounters } from '../management/operational-entities.ts';
import type { Offer, Port } from './service.ts';

/** What a service writes about itself: its place in records, and what measures it. */
export interface ListenerRecord {
  readonly identity: string;
  readonly meter: ListenerMeter;
}

export interface ConnectorRecord {
  readonly supplement: FlowSupplement;
  /** The id of its server at this router, by which requests are addressed. */
  setServer(id: string): void;
}

interface OpenListener {
  readonly record: ConfigurationRecord;
  readonly meter: ListenerMeter;
}

interface OpenConnector {
  readonly record: ConfigurationRecord;
  readonly process: string;
}

/** A server, as its host and port say; several connectors may lead to one. */
interface Process {
  readonly record: ConfigurationRecord;
  connectors: number;
}

export interface ServiceRecordsOptions {
  readonly source: FlowSource;
  readonly routerId: string;
  /** Of the router's record and the site's. */
  readonly routerIdentity: string;
  readonly siteIdentity: string;
  readonly wallMicroseconds: () => number;
}

/** Records of the listeners and connectors of services, and of the servers behind these. */
export class ServiceRecords {
  readonly #options: ServiceRecordsOptions;
  readonly #listeners = new Map<string, OpenListener>();
  readonly #connectors = new Map<string, OpenConnector>();
  readonly #processes = new Map<string, Process>();

  constructor(options: ServiceRecordsOptions) {
    this.#options = options;
  }

  listener(entity: ServiceListenerEntity): ListenerRecord {
    const { source, routerIdentity, wallMicroseconds } = this.#options;
    const { type, name, host, port, address } = entity;
    const protocol = protocolOf(type);
    const record = source.begin(
      RecordType.listener,
      [
        [Attribute.parent, routerIdentity],
        [Attribute.name, name],
        [Attribute.destHost, host],
        [Attribute.destPort, String(port)],
        [Attribute.protocol, protocol],
        [Attribute.vanAddress, address],
      ],
      wallMicroseconds(),
    );
    const meter = source.meterFor(record.identity, protocol, protocol === 'http' ? 'requests' : 'connections', address);
    this.#listeners.set(keyOf(entity), { record, meter });
    return { identity: record.identity, meter };
  }

  connector(entity: ServiceConnectorEntity): ConnectorRecord {
    const { source, routerIdentity, routerId, wallMicroseconds } = this.#options;
    const { type, name, host, port, address } = entity;
    const process = this.#process(`${host}:${port}`, host, address);
    const record = source.begin(
      RecordType.connector,
      [
        [Attribute.parent, routerIdentity],
        [Attribute.name, name],
        [Attribute.destHost, host],
        [Attribute.destPort, String(port)],
        [Attribute.protocol, protocolOf(type)],
        [Attribute.vanAddress, address],
        [Attribute.process, process],
      ],
      wallMicroseconds(),
    );
    this.#connectors.set(keyOf(entity), { record, process: `${host}:${port}` });
    return {
      supplement: {
        get active() {
          return source.supplement.active;
        },
        wants: (correlationId) => source.supplement.wants(correlationId),
        add: (identity, attributes) => {
          const all = new Map(attributes);
          all.set(Attribute.connector, record.identity);
          all.set(Attribute.destRouter, routerId);
          source.supplement.add(identity, all);
        },
      },
      setServer: (id) => record.set(Attribute.destServer, id),
    };
  }

  #process(name: string, host: string, address: string): string {
    const { source, siteIdentity, wallMicroseconds } = this.#options;
    let process = this.#processes.get(name);
    if (process === undefined) {
      const record = source.begin(
        RecordType.process,
        [
          [Attribute.parent, siteIdentity],
          [Attribute.name, name],
          [Attribute.sourceHost, host],
          [Attribute.group, address],
          [Attribute.mode, 'external'],
        ],
        wallMicroseconds(),
      );
      process = { record, connectors: 0 };
      this.#processes.set(name, process);
    }
    process.connectors++;
    return process.record.identity;
  }

  /** Brings what changes by itself up to date. */
  refresh(ports: ReadonlyMap<string, Port>, offers: ReadonlyMap<string, Offer>): void {
    for (const [key, { record }] of this.#listeners) {
      const port = ports.get(key);
      if (port === undefined) continue;
      const { boundPort, operStatus } = port.state;
      if (boundPort > 0) record.set(Attribute.destPort, String(boundPort));
      record.set(Attribute.operStatus, operStatus);
      setCounts(record, port.counters);
    }
    for (const [key, { record }] of this.#connectors) {
      const counters = offers.get(key)?.counters;
      if (counters !== undefined) setCounts(record, counters);
    }
  }

  /** The service of this key is gone. */
  ended(key: string): void {
    const wallMicroseconds = this.#options.wallMicroseconds();
    const listener = this.#listeners.get(key);
    this.#listeners.delete(key);
    listener?.meter.close(wallMicroseconds);
    listener?.record.end(wallMicroseconds);
    const connector = this.#connectors.get(key);
    this.#connectors.delete(key);
    if (connector === undefined) return;
    connector.record.end(wallMicroseconds);
    const process = this.#processes.get(connector.process);
    if (process === undefined || --process.connectors > 0) return;
    this.#processes.delete(connector.process);
    process.record.end(wallMicroseconds);
  }
}

function keyOf({ type, name }: { readonly type: string; readonly name: string }): string {
  return `${type}/${name}`;
}

/** As records name it: `tcpListener` is `tcp`. */
function protocolOf(type: ServiceListenerEntity['type'] | ServiceConnectorEntity['type']): string {
  return type.replace(/(?:Listener|Connector)$/, '');
}

function setCounts(record: ConfigurationRecord, { connectionsOpened, requests }: ServiceCounters & Partial<RequestCounters>): void {
  record.set(Attribute.flowCountL4, connectionsOpened);
  if (requests !== undefined) record.set(Attribute.flowCountL7, requests);
}
