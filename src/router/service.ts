import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import type { TurnQueue } from '../host/turn.ts';
import type { ServiceConnectorEntity, ServiceListenerEntity } from '../management/service-entities.ts';
import type { DatagramCounters, ListenerState, RequestCounters, ServiceCounters } from '../management/operational-entities.ts';
import type { WindowBudget } from '../services/tcp/window-budget.ts';
import type { AddressChoice } from './address-choice.ts';
import type { OpenConnections } from './open-connections.ts';
import type { ServiceRecords } from './service-records.ts';
import type { SocketBudget } from './socket-budget.ts';
import type { TlsProfile } from './tls-profiles.ts';

/** What services of all protocols are to the router: it starts them, has them leave the network in order, ends them, and shows their state. */

export interface ServiceContext {
  readonly forwarder: Forwarder;
  readonly turns: TurnQueue;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Shared by all services of the router. */
  readonly windows: WindowBudget;
  readonly sockets: SocketBudget;
  /** Name of the site, or of the router where there is none; for answers that the network makes itself. */
  readonly siteName: string;
  /** Of this program, for peers that ask. */
  readonly version: string;
  /** What is told of services to those who listen. */
  readonly records: ServiceRecords;
  /** A new identity for a connection. */
  nextFlowId(): string;
  /**
   * A new id for a message that nothing is recorded of. No identity, but for a skupper-router one that nobody has: its connectors count for
   * good those that they cannot read, and cease to record after 5,000.
   */
  nextMessageId(): string;
  /** An sslProfile of the configuration, as it is loaded now. */
  tlsProfile(name: string): TlsProfile;
}

interface Service {
  /** Connections or flows that are open, requests under way: what the end of the router would cut off. */
  readonly active: number;
  readonly counters: ServiceCounters & Partial<RequestCounters> & Partial<DatagramCounters>;
  /** Its open TCP connections, where they are told one by one. */
  readonly connections?: OpenConnections;
  /** The sslProfile it names has new content, which is for connections to come. */
  renew(profile: TlsProfile): void;
  /** Tells whoever listens the octets of connections that go on. */
  report?(): void;
  /** Ends everything at once. */
  stop(): void;
}

/** The client's side: a port that leads to an address. */
export interface Port extends Service {
  readonly entity: ServiceListenerEntity;
  readonly addresses: AddressChoice;
  readonly state: ListenerState;
  /** Routes or local consumers have changed, or its addresses: it opens or closes, and tries again what waits for a way. */
  update(): void;
  /** The router will leave: clients that use their connections for long are led away, as far as their protocol has words for it. */
  retire(): void;
  /** Takes no new clients; what is open goes on, and connections that are only kept for later end. */
  stopAccepting(): void;
}

/** The server's side: a server that is offered under an address. */
export interface Offer extends Service {
  readonly entity: ServiceConnectorEntity;
  /** Connections, flows or requests that it has been given since the start. */
  readonly taken: number;
  /** Routes or local consumers have changed, for those who send to an address. */
  update?(): void;
  /** Takes connections from now on. Throws WeatherError `too-many-addresses`. */
  start(): void;
  /** Tells the network that this server is gone, and serves whoever has not heard. */
  conceal(): void;
  /** Takes nothing new. */
  withdraw(): void;
}

/** Tells, once in a while, that the process has no files left for services. */
export function logRefusal({ sockets, clock, log }: ServiceContext, entity: { readonly type: string; readonly name: string }): void {
  if (!sockets.refused(clock.nowMs())) return;
  log.warn('no file descriptors are left for services: connections are refused', {
    [entity.type]: entity.name,
    limit: sockets.limit,
    keptForLinks: sockets.reserved,
    remedy: 'raise the limit of open files: ulimit -n, or LimitNOFILE= of a systemd unit',
  });
}
