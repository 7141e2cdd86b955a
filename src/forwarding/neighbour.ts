import { ProtocolViolation } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { discriminator } from '../base/random.ts';
import type { Random } from '../base/random.ts';
import type { Connection, ConnectionHandler } from '../amqp/connection.ts';
import { Descriptor } from '../amqp/constants.ts';
import type { DeliverySink, IncomingDelivery } from '../amqp/delivery.ts';
import type { IncomingLink, OutgoingLink, OutgoingLinkHandler } from '../amqp/link.ts';
import { encodeTerminus } from '../amqp/performatives.ts';
import type { AmqpError, Open } from '../amqp/performatives.ts';
import type { Session } from '../amqp/session.ts';
import { TextCache } from '../amqp/text-cache.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import { ValueWriter } from '../amqp/value-writer.ts';
import type { ControlMessage } from '../routing/control-message.ts';
import { limits } from '../routing/limits.ts';
import { ControlReceiver } from './control-receiver.ts';
import type { RemoteLeg } from './remote-leg.ts';
import { KeptAnnotations } from './router-annotations.ts';

/** Priority links of each direction; attach order gives the priority. */
export const priorityCount = 10;
/** Credit granted on every link between routers unless configured otherwise, and the capacity by which balancing counts. */
export const linkCapacity = 250;
/**
 * Credit at least granted on the control link. New credit may wait behind tens of megabytes on a slow link, and HELLO must not run out of
 * it meanwhile: this is ten minutes of it.
 */
const controlCapacity = 2000;
/** Idle streaming links that are kept for reuse; beyond it they are detached when they become free. */
const maxIdleStreams = 512;

const controlCapability = 'qd.router';
const dataCapability = 'qd.router-data';

/** What a neighbour's connection is for; data connections carry streams towards this router only. */
export type NeighbourRole = 'control' | 'data';

/** Hears what happens on a connection between routers. */
export interface NeighbourHandler {
  /** OPEN has been exchanged: refuse by `neighbour.connection.close`. */
  opened(neighbour: Neighbour, open: Open): void;
  /** Both control links are up: the neighbour can take part in routing. */
  controlUp(neighbour: Neighbour): void;
  controlMessage(neighbour: Neighbour, message: ControlMessage): void;
  /** The first frame of a message; give the delivery its sink and pass the frame on. */
  message(neighbour: Neighbour, delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void;
  /** What waited for the socket has been written: legs were told, which may have written to other connections. */
  relieved(neighbour: Neighbour): void;
  /** The connection is over, or its control link is. Called once. */
  down(neighbour: Neighbour, error: AmqpError | undefined): void;
}

/**
 * One connection to another router and its links. The side that dialled attaches, each pair on a session of its own:
 *
 *     control   in, out                 capability qd.router
 *     priority  in, out  × 10           capability qd.router-data; the order of attaching is the priority
 *
 * and either side attaches streaming links (qd.router-data again) as streams need them, all on one session.
 */
export class Neighbour implements ConnectionHandler, DeliverySink, OutgoingLinkHandler {
  /** Local number of this link in routing. */
  readonly linkNumber: number;
  readonly dialled: boolean;
  readonly #handler: NeighbourHandler;
  readonly #random: Random;
  readonly #log: Logger;
  role: NeighbourRole = 'control';
  connection!: Connection;
  /** Deliveries that may be under way on one incoming link. Set before the connection starts. */
  linkCapacity: number = linkCapacity;
  /** Router id, from OPEN. */
  routerId = '';
  /** Effective cost: the larger of both ends' configuration. */
  cost: number;
  /** Router id that the peer has proven by its certificate; undefined when it has proven none. */
  provenRouterId: string | undefined;
  /** Where the connection leads, for logs: host and port of the peer. */
  remoteHost = '';
  /** Reads heads of messages, one at a time. */
  readonly headReader: ValueReader = new ValueReader(undefined, 0, 0, new TextCache());
  readonly keptAnnotations: KeptAnnotations = new KeptAnnotations();
  /** Bytes of messages that wait to be routed; kept by them. */
  heldBytes = 0;
  /** Legs whose sources wait for this connection to drain. */
  readonly waiting: Set<RemoteLeg> = new Set();
  /** Streams to this neighbour under way, and all that there have been. */
  activeStreams = 0;
  streamsBegun = 0;
  #controlIn: IncomingLink | undefined;
  #controlOut: OutgoingLink | undefined;
  #isUp = false;
  #isDown = false;
  /** By priority; undefined = the peer has detached it. */
  readonly #priorityOut: (OutgoingLink | undefined)[] = [];
  #streamSession: Session | undefined;
  readonly #idleStreams: OutgoingLink[] = [];

  constructor(linkNumber: number, dialled: boolean, cost: number, handler: NeighbourHandler, random: Random, log: Logger) {
    this.linkNumber = linkNumber;
    this.dialled = dialled;
    this.cost = cost;
    this.#handler = handler;
    this.#random = random;
    this.#log = log;
  }

  get congested(): boolean {
    return this.connection.congested;
  }

  get isUp(): boolean {
    return this.#isUp && !this.#isDown;
  }

  // ---- connection ----

  opened(connection: Connection, open: Open): void {
    this.routerId = open.containerId;
    const cost = open.properties.get('qd.inter-router-cost');
    // A peer's cost must not become a number that routing cannot count with.
    if (typeof cost === 'number' && Number.isInteger(cost) && cost > this.cost && cost <= limits.linkCost) this.cost = cost;
    if (!this.dialled && open.properties.get('qd.inter-router-role') === 4) this.role = 'data';
    this.#handler.opened(this, open);
    if (!connection.opened || !this.dialled) return;
    this.#controlIn = this.#attachIncoming(connection.openSession(), controlCapability);
    this.#controlOut = this.#attachOutgoing(this.#controlIn.session, controlCapability);
    for (let priority = 0; priority < priorityCount; priority++) {
      const session = connection.openSession();
      this.#attachIncoming(session, dataCapability);
      this.#priorityOut.push(this.#attachOutgoing(session, dataCapability));
    }
  }

  #termini(capability: string): [Uint8Array, Uint8Array] {
    const writer = new ValueWriter(128);
    encodeTerminus(writer, Descriptor.source, null, capability);
    const source = writer.take();
    writer.reset();
    encodeTerminus(writer, Descriptor.target, null, capability);
    return [source, writer.take()];
  }

  #linkName(): string {
    return `qdlink.${discriminator(this.#random, 15)}`;
  }

  #attachIncoming(session: Session, capability: string): IncomingLink {
    const link = session.attachIncoming(this.#linkName(), ...this.#termini(capability));
    this.#receiveOn(link, capability === controlCapability);
    return link;
  }

  #attachOutgoing(session: Session, capability: string): OutgoingLink {
    const link = session.attachOutgoing(this.#linkName(), ...this.#termini(capability));
    link.handler = this;
    return link;
  }

  #receiveOn(link: IncomingLink, control: boolean): void {
    link.handler = this;
    link.sink = this;
    link.grant(this.#creditOf(control));
  }

  #creditOf(control: boolean): number {
    return control ? Math.max(controlCapacity, this.linkCapacity) : this.linkCapacity;
  }

  linkOffered(_connection: Connection, link: IncomingLink | OutgoingLink): void {
    const terminus = link.receiver ? link.target : link.source;
    const capabilities = terminus?.capabilities ?? [];
    const control = capabilities.includes(controlCapability);
    const data = capabilities.includes(dataCapability);
    if (this.role === 'data') {
      if (control || data || !link.receiver) {
        this.#refuse(link, 'qd:forbidden', 'Connectivity to the node is forbidden');
        return;
      }
    } else if (!control && !data) {
      this.#refuse(link, 'qd:connection-role', 'Link attach forbidden on inter-router connection');
      return;
    } else if (control && (this.dialled || (link.receiver ? this.#controlIn : this.#controlOut) !== undefined)) {
      this.#refuse(link, 'qd:forbidden', 'there is a control link already');
      return;
    }
    if (link.receiver) {
      if (control) this.#controlIn = link;
      link.handler = this;
      link.sink = this;
      link.session.accept(link);
      link.grant(this.#creditOf(control));
      return;
    }
    if (control) this.#controlOut = link;
    else if (!this.dialled && this.#priorityOut.length < priorityCount) this.#priorityOut.push(link);
    link.handler = this;
    link.session.accept(link);
  }

  #refuse(link: IncomingLink | OutgoingLink, condition: string, description: string): void {
    link.session.refuse(link, { condition, description });
  }

  attached(link: IncomingLink | OutgoingLink): void {
    if (link !== this.#controlIn && link !== this.#controlOut) return;
    if (this.#isUp || this.#controlIn === undefined || this.#controlOut === undefined) return;
    if (this.#controlIn.remoteHandle < 0 || this.#controlOut.remoteHandle < 0) return;
    this.#isUp = true;
    this.#handler.controlUp(this);
  }

  detached(link: IncomingLink | OutgoingLink, error?: AmqpError): void {
    if (link === this.#controlIn || link === this.#controlOut) {
      // With its connection, which knows the reason: `closed` follows.
      if (this.connection.ended) return;
      if (this.connection.opened) this.#log.warn('control link detached', { router: this.routerId, condition: error?.condition });
      this.#down(error);
      this.connection.close();
      return;
    }
    if (link.receiver) return;
    const idle = this.#idleStreams.indexOf(link);
    if (idle >= 0) this.#idleStreams.splice(idle, 1);
    const priority = this.#priorityOut.indexOf(link);
    if (priority >= 0) this.#priorityOut[priority] = undefined;
  }

  flow(): void {}

  relieved(): void {
    this.#relieve();
    this.#handler.relieved(this);
  }

  #relieve(): void {
    for (const leg of [...this.waiting]) leg.relieved();
  }

  closed(_connection: Connection, error: AmqpError | undefined): void {
    this.#idleStreams.length = 0;
    this.#priorityOut.length = 0;
    this.#down(error);
  }

  #down(error: AmqpError | undefined): void {
    if (this.#isDown) return;
    this.#isDown = true;
    this.#relieve();
    this.#handler.down(this, error);
  }

  // ---- out ----

  sendControl(encoded: Uint8Array): void {
    this.#controlOut?.deliver(true, undefined).send(encoded, 0, encoded.length, false);
  }

  /** The shared link for messages of this priority, or the next lower that exists, or the lowest. */
  priorityLink(priority: number): OutgoingLink | undefined {
    const links = this.#priorityOut;
    for (let index = Math.min(priority, links.length - 1); index >= 0; index--) if (links[index] !== undefined) return links[index];
    return links.find((link) => link !== undefined);
  }

  /** A link that carries no other stream; give it back with `releaseStream`. Undefined when the session has no room for another. */
  acquireStream(): OutgoingLink | undefined {
    const link = this.#idleStreams.pop() ?? this.#attachStream();
    if (link === undefined) return undefined;
    this.activeStreams++;
    this.streamsBegun++;
    return link;
  }

  #attachStream(): OutgoingLink | undefined {
    try {
      let session = this.#streamSession;
      if (session === undefined || session.endSent) {
        session = this.connection.openSession();
        this.#streamSession = session;
      }
      return this.#attachOutgoing(session, dataCapability);
    } catch (error) {
      if (error instanceof ProtocolViolation) return undefined;
      throw error;
    }
  }

  releaseStream(link: OutgoingLink): void {
    this.activeStreams--;
    if (link.detachSent || this.#isDown) return;
    link.handler = this;
    if (this.#idleStreams.length < maxIdleStreams) this.#idleStreams.push(link);
    else link.detach();
  }

  // ---- in ----

  transfer(delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (delivery.link !== this.#controlIn) {
      this.#handler.message(this, delivery, bytes, start, end, more);
      return;
    }
    const receiver = new ControlReceiver(this.routerId, (message) => this.#handler.controlMessage(this, message), this.#log);
    delivery.sink = receiver;
    receiver.transfer(delivery, bytes, start, end, more);
  }

  aborted(): void {}

  senderSettled(): void {}
}
