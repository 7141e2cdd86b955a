import { Condition } from '../amqp/constants.ts';
import type { IncomingDelivery } from '../amqp/delivery.ts';
import type { AmqpError, Open } from '../amqp/performatives.ts';
import { ValueWriter } from '../amqp/value-writer.ts';
import { silentAudit } from '../base/audit.ts';
import type { Audit } from '../base/audit.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { encodeControlMessage } from '../forwarding/control-codec.ts';
import { Forwarder } from '../forwarding/forwarder.ts';
import type { TreatmentRule } from '../forwarding/forwarder.ts';
import type { Neighbour, NeighbourHandler } from '../forwarding/neighbour.ts';
import type { ControlMap, ControlMessage } from '../routing/control-message.ts';
import { RoutingEngine } from '../routing/engine.ts';
import type { RoutingOptions } from '../routing/engine.ts';
import type { RoutingEvent } from '../routing/events.ts';
import type { LinkProbes } from '../routing/hello.ts';
import type { RoutingStatus } from '../routing/status.ts';
import { Quarantine } from './quarantine.ts';

export interface ControlPlaneOptions {
  readonly routing: RoutingOptions;
  /** How addresses are treated as configured; asked for each message. */
  readonly rule: TreatmentRule;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Gets the peers that claim to be somebody else. Nowhere by default. */
  readonly audit?: Audit;
  /** Hears each event of routing after it was logged: the audit log, and whoever keeps the epoch and statements. */
  readonly onRoutingEvent?: (event: RoutingEvent) => void;
  /** Something is to be done: call `drive` at the end of this turn. Calls that repeat mean nothing. */
  readonly wake: () => void;
}

/**
 * What a router is without its sockets: routing and forwarding, and the neighbours that they share. Everything that happens to a neighbour's
 * connection comes in as `NeighbourHandler`; what routing has to say goes out in `drive`.
 */
export class ControlPlane implements NeighbourHandler {
  readonly forwarder: Forwarder;
  readonly #routing: RoutingEngine;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #audit: Audit;
  readonly #wake: () => void;
  readonly #onRoutingEvent: ((event: RoutingEvent) => void) | undefined;
  readonly #writer = new ValueWriter(1024);
  /** Control connections that are up, by link number. */
  readonly #neighbours = new Map<number, Neighbour>();
  readonly #quarantine = new Quarantine();
  /** This router has given way to another process with its identity: it has no links any more. */
  #fenced = false;
  #dirty = true;
  #servicesChanged = false;

  constructor(options: ControlPlaneOptions) {
    const { routing, rule, clock, random, log, wake } = options;
    this.#clock = clock;
    this.#log = log;
    this.#audit = options.audit ?? silentAudit;
    this.#wake = wake;
    this.#onRoutingEvent = options.onRoutingEvent;
    this.#routing = new RoutingEngine(routing);
    this.forwarder = new Forwarder(
      this.#routing.table,
      {
        localAddress: (key, treatment): void => {
          this.#routing.localAddress(key, treatment, 0, clock.nowMs());
          this.servicesChanged();
        },
        localAddressGone: (key): void => {
          this.#routing.localAddressGone(key, clock.nowMs());
          this.servicesChanged();
        },
        refused: (reason, { routerId: router }, origin, address): void => {
          this.#audit.record({ event: 'deliveryRefused', fields: { router, origin, address, reason } });
        },
      },
      rule,
      random,
    );
  }

  get routerId(): string {
    return this.forwarder.routerId;
  }

  get routingStatus(): RoutingStatus {
    return this.#routing.status();
  }

  /** What routing has measured on a link; undefined while it has not. */
  probesOf(linkNumber: number): LinkProbes | undefined {
    return this.#routing.probesOf(linkNumber);
  }

  /** Changes the data about the site that other routers are told. */
  updateSite(site: ControlMap): void {
    this.#routing.updateSite(site, this.#clock.nowMs());
    this.#touched();
  }

  /** Credentials that were pending are decided, or some have ceased to hold. */
  trustChanged(): void {
    this.#routing.trustChanged(this.#clock.nowMs());
    this.#touched();
  }

  /** An epoch as `epochNeeded` asked for it has been persisted. */
  newEpoch(epoch: number): void {
    this.#routing.newEpoch(epoch, this.#clock.nowMs());
    this.#touched();
  }

  /** A statement of an issuer that came from outside routing, to be passed on to everybody. */
  addStatement(bytes: Uint8Array): void {
    this.#routing.addStatement(bytes, this.#clock.nowMs());
    this.#touched();
  }

  /** This router is about to leave: others are to find ways around it. */
  discourageTransit(): void {
    this.#routing.discourageTransit(this.#clock.nowMs());
    this.#touched();
  }

  // ---- neighbours ----

  opened(neighbour: Neighbour, open: Open): void {
    const proven = neighbour.provenRouterId;
    if (open.containerId === this.routerId) {
      this.#log.error('a peer has the same router id as this router', { peer: neighbour.remoteHost });
      this.#audit.record({ event: 'identityConflict', fields: { router: this.routerId, from: hostOf(neighbour) } });
      neighbour.connection.close({ condition: Condition.notAllowed, description: `router id ${this.routerId} is in use at both ends` });
    } else if (proven !== undefined && proven !== open.containerId) {
      this.#log.error('a peer claims another router id than its certificate', {
        peer: neighbour.remoteHost,
        claimed: open.containerId,
        proven,
      });
      const reason = `claims to be ${open.containerId}`;
      this.#audit.record({ event: 'linkRefused', fields: { from: hostOf(neighbour), router: proven, reason } });
      neighbour.connection.close({
        condition: Condition.unauthorizedAccess,
        description: 'container-id is not the router id of the certificate',
      });
    } else {
      this.#keepsOut(neighbour);
    }
  }

  /** Refuses a neighbour that may not be one now. */
  #keepsOut(neighbour: Neighbour): boolean {
    const proven = neighbour.provenRouterId;
    if (this.#fenced) {
      this.#refuse(neighbour, 'another process has the identity of this router');
      return true;
    }
    const leftMs = proven === undefined ? 0 : this.#quarantine.leftMs(proven, this.#clock.nowMs());
    if (leftMs <= 0) return false;
    const seconds = Math.ceil(leftMs / 1000);
    this.#log.warn('a router is kept out for what it did before', { router: proven, secondsLeft: seconds });
    this.#refuse(neighbour, `this router is not let in for another ${seconds} s, because it broke the rules of routing`);
    return true;
  }

  #refuse(neighbour: Neighbour, description: string): void {
    neighbour.connection.close({ condition: Condition.unauthorizedAccess, description });
  }

  controlUp(neighbour: Neighbour): void {
    // What keeps it out may have happened since it was opened.
    if (this.#keepsOut(neighbour)) return;
    this.#neighbours.set(neighbour.linkNumber, neighbour);
    this.forwarder.addNeighbour(neighbour);
    this.#log.info('link is up', { router: neighbour.routerId, cost: neighbour.cost, dialled: neighbour.dialled });
    this.#routing.linkUp(neighbour.linkNumber, neighbour.cost, this.#clock.nowMs(), neighbour.routerId);
    this.#touched();
  }

  controlMessage(neighbour: Neighbour, message: ControlMessage): void {
    this.#routing.receive(neighbour.linkNumber, message, this.#clock.nowMs());
    this.#touched();
  }

  message(neighbour: Neighbour, delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.forwarder.receive(neighbour, delivery, bytes, start, end, more);
  }

  relieved(): void {
    this.#wake();
  }

  down(neighbour: Neighbour, error: AmqpError | undefined): void {
    this.forwarder.removeNeighbour(neighbour);
    if (this.#neighbours.delete(neighbour.linkNumber)) {
      this.#routing.linkDown(neighbour.linkNumber, this.#clock.nowMs());
      this.#log.info('link is down', { router: neighbour.routerId, reason: error?.description });
    }
    this.#touched();
  }

  // ---- routing ----

  #touched(): void {
    this.#dirty = true;
    this.#wake();
  }

  /** What services can reach may have changed: `drive` will say so. */
  servicesChanged(): void {
    this.#servicesChanged = true;
    this.#touched();
  }

  /** When `handleTimeout` is next needed; valid after `drive`. */
  nextDeadlineMs(): number {
    return this.#routing.nextDeadlineMs();
  }

  handleTimeout(): void {
    for (const [link, { connection }] of this.#neighbours) this.#routing.lifeOf(link, connection.lastReceivedMs);
    this.#routing.handleTimeout(this.#clock.nowMs());
    this.forwarder.sweep(this.#clock.nowMs());
    this.#touched();
  }

  /** True when `drive` has something to do. */
  get isDirty(): boolean {
    return this.#dirty;
  }

  /** Sends what routing has to say and publishes its table. True when what services can reach may have changed. */
  drive(): boolean {
    this.#dirty = false;
    const routing = this.#routing;
    this.transmit();
    for (let event = routing.nextEvent(); event !== undefined; event = routing.nextEvent()) {
      this.#logEvent(event);
      // The socket may take many minutes to notice; what waits on it has a better way, or is told now.
      if (event.type === 'linkDead') this.#neighbours.get(event.link)?.connection.lost('nothing was heard from the other end');
      this.#actOn(event);
      this.#onRoutingEvent?.(event);
    }
    const { table } = routing;
    if (table !== this.forwarder.table) {
      this.forwarder.table = table;
      this.#servicesChanged = true;
    }
    const changed = this.#servicesChanged;
    this.#servicesChanged = false;
    return changed;
  }

  /** Sends what routing has to say now, where that cannot wait for the end of the turn. */
  transmit(): void {
    const routing = this.#routing;
    for (let transmit = routing.nextTransmit(); transmit !== undefined; transmit = routing.nextTransmit()) {
      const encoded = encodeControlMessage(this.#writer, transmit.message);
      for (const link of transmit.links) this.#neighbours.get(link)?.sendControl(encoded);
    }
  }

  /** Neighbours that routing will not have are cut off. */
  #actOn(event: RoutingEvent): void {
    if (event.type === 'violation') {
      const neighbour = this.#neighbours.get(event.link);
      // Whose id is not proven cannot be kept out: another would be kept out in its place.
      const proven = neighbour?.provenRouterId;
      // Nor a router whose credential does not hold: once it has a better one it is welcome.
      if (proven !== undefined && event.reason !== 'credential refused') {
        const durationMs = this.#quarantine.add(proven, this.#clock.nowMs());
        this.#audit.record({ event: 'quarantined', fields: { router: proven, seconds: durationMs / 1000, reason: event.reason } });
      }
      if (neighbour !== undefined) this.#refuse(neighbour, `routing: ${event.reason}`);
    } else if (event.type === 'unsignedRefused' && event.isNeighbour) {
      const neighbour = this.#neighbours.get(event.link);
      if (neighbour !== undefined) this.#refuse(neighbour, 'this network takes only routers that sign what they say');
    } else if (event.type === 'fenced') {
      this.#fenced = true;
      for (const neighbour of this.#neighbours.values()) this.#refuse(neighbour, 'another process has the identity of this router');
    }
  }

  #logEvent(event: RoutingEvent): void {
    const { type, ...fields } = event;
    if (type === 'duplicateRouterId') this.#log.error('another router has the id of this router', fields);
    else if (type === 'doubleRouter') this.#log.error('two routers of the network have the same id', fields);
    else if (type === 'limitReached') this.#log.warn('a limit of routing is reached', fields);
    else if (type === 'linkDead') this.#log.warn('a link is silent; it is closed', fields);
    else if (type === 'identityConflict' || type === 'fenced') this.#log.error('another process has the identity of this router', fields);
    else if (type === 'violation' || type === 'grantViolation' || type === 'spoofRefused' || type === 'unsignedRefused') {
      this.#log.warn(type, fields);
    } else if (type === 'statementAccepted') this.#log.info('a statement of an issuer has come', { bytes: event.bytes.length });
    else if (type === 'ignoredMessage' || type === 'ignoredVersion') this.#log.warn('routing message ignored', { type, ...fields });
    else this.#log.info(type, fields);
  }
}

/** Where a peer is, without the port that is another with each try. */
function hostOf({ remoteHost }: Neighbour): string {
  return remoteHost.slice(0, remoteHost.lastIndexOf(':'));
}
