import type { AmqpError } from '../amqp/performatives.ts';
import type { ConfigurationRecord } from '../flows/configuration-records.ts';
import type { FlowSource } from '../flows/flow-source.ts';
import { Attribute, RecordType } from '../flows/record-types.ts';
import type { ConnectorEntity, ListenerEntity } from '../management/entities.ts';
import type { LinkProbes } from '../routing/hello.ts';
import type { Link } from './link.ts';

export interface LinkRecordsOptions {
  readonly source: FlowSource;
  readonly routerIdentity: string;
  readonly wallMicroseconds: () => number;
  /** What routing measures on a link; undefined while it has not. */
  readonly probesOf: (linkNumber: number) => LinkProbes | undefined;
}

/** A connector's link: one record, whichever connection it has. */
interface DialledLink {
  readonly record: ConfigurationRecord;
  link: Link | undefined;
  downCount: number;
  /** Of connections that are over. */
  octets: number;
  octetsReverse: number;
}

interface LinkPort {
  readonly record: ConfigurationRecord;
  links: number;
}

/** Records of the links that this router dials, and of the ports where it takes those of others. */
export class LinkRecords {
  readonly #options: LinkRecordsOptions;
  readonly #dialled = new Map<string, DialledLink>();
  readonly #ports = new Map<string, LinkPort>();

  constructor(options: LinkRecordsOptions) {
    this.#options = options;
  }

  connector(entity: ConnectorEntity): void {
    const { source, routerIdentity, wallMicroseconds } = this.#options;
    const record = source.begin(
      RecordType.link,
      [
        [Attribute.parent, routerIdentity],
        [Attribute.name, entity.name],
        [Attribute.role, entity.role],
        [Attribute.linkCost, entity.cost],
        [Attribute.protocol, entity.sslProfile === undefined ? 'amqp' : 'amqps'],
        [Attribute.destHost, entity.host],
        [Attribute.destPort, String(entity.port)],
        [Attribute.operStatus, 'down'],
        [Attribute.downCount, 0],
        [Attribute.octets, 0],
        [Attribute.octetsReverse, 0],
        [Attribute.httpProxy, 'no'],
      ],
      wallMicroseconds(),
    );
    this.#dialled.set(entity.name, { record, link: undefined, downCount: 0, octets: 0, octetsReverse: 0 });
  }

  listener(entity: ListenerEntity): void {
    const { source, routerIdentity, wallMicroseconds } = this.#options;
    const record = source.begin(
      RecordType.routerAccess,
      [
        [Attribute.parent, routerIdentity],
        [Attribute.name, entity.name],
        [Attribute.role, entity.role],
        [Attribute.linkCount, 0],
      ],
      wallMicroseconds(),
    );
    this.#ports.set(entity.name, { record, links: 0 });
  }

  /** Identity of the record of a port, which peers that dial name as theirs. */
  accessIdentity(listener: string): string | undefined {
    return this.#ports.get(listener)?.record.identity;
  }

  up(link: Link): void {
    const wallMicroseconds = this.#options.wallMicroseconds();
    const { entity } = link;
    if (entity.type === 'listener') {
      this.#count(entity.name, 1);
      return;
    }
    const dialled = this.#dialled.get(entity.name);
    if (dialled === undefined) return;
    dialled.link = link;
    const { record } = dialled;
    record.set(Attribute.operStatus, 'up');
    record.set(Attribute.upTimestamp, wallMicroseconds);
    record.set(Attribute.peerRouter, link.neighbour.routerId);
    record.set(Attribute.peer, link.peerAccessIdentity);
  }

  down(link: Link, error: AmqpError | undefined): void {
    const { entity } = link;
    if (entity.type === 'listener') {
      this.#count(entity.name, -1);
      return;
    }
    const dialled = this.#dialled.get(entity.name);
    if (dialled?.link !== link) return;
    dialled.octets += link.bytesSent;
    dialled.octetsReverse += link.bytesReceived;
    dialled.link = undefined;
    const { record } = dialled;
    record.set(Attribute.operStatus, 'down');
    record.set(Attribute.downTimestamp, this.#options.wallMicroseconds());
    record.set(Attribute.downCount, ++dialled.downCount);
    if (error === undefined) return;
    record.set(Attribute.result, error.condition);
    record.set(Attribute.reason, error.description);
  }

  #count(listener: string, change: number): void {
    const port = this.#ports.get(listener);
    if (port === undefined) return;
    port.links = Math.max(0, port.links + change);
    port.record.set(Attribute.linkCount, port.links);
  }

  /** Brings what changes by itself up to date. */
  refresh(): void {
    for (const { record, link, octets, octetsReverse } of this.#dialled.values()) {
      if (link === undefined) continue;
      record.set(Attribute.octets, octets + link.bytesSent);
      record.set(Attribute.octetsReverse, octetsReverse + link.bytesReceived);
      const probes = this.#options.probesOf(link.neighbour.linkNumber);
      if (probes === undefined) continue;
      record.set(Attribute.roundTripMicroseconds, Math.round(probes.roundTripMs * 1000));
      record.set(Attribute.lossMillionths, Math.round(probes.lossRatio * 1_000_000));
    }
  }

  ended(type: 'connector' | 'listener', name: string): void {
    const records: Map<string, { readonly record: ConfigurationRecord }> = type === 'connector' ? this.#dialled : this.#ports;
    records.get(name)?.record.end(this.#options.wallMicroseconds());
    records.delete(name);
  }
}
