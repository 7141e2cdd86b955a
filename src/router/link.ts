import type { Socket } from 'node:net';
import { Connection } from '../amqp/connection.ts';
import type { AmqpError, Open } from '../amqp/performatives.ts';
import type { Clock } from '../base/clock.ts';
import type { SaslMechanism } from '../amqp/sasl.ts';
import { discriminator } from '../base/random.ts';
import type { ConnectorEntity, ListenerEntity } from '../management/entities.ts';
import { Neighbour } from '../forwarding/neighbour.ts';
import { MachineSocket } from '../host/machine-socket.ts';
import type { LinkContext } from './link-context.ts';
import type { ProvenPeer } from './link-handshake.ts';

/** From the socket's connection to OPEN; a listener's own setting may shorten or lengthen it. */
const defaultHandshakeTimeoutMs = 5000;
/** What AMQP's part of the handshake gets at least, however long TLS took: a slow peer is not a silent one. */
const minHandshakeTimeoutMs = 500;
/** The last moment that a date can name. What is beyond it is no time. */
const maxWallMs = 8.64e15;
/** Frames between routers: four TLS records. A peer that announces less gets less. */
const preferredMaxFrameSize = 65_536;

/** OPEN carries the wall clock of its sender in milliseconds since 1970: a skupper-router ignores the property. */
const clockProperty = 'caravan.wall-clock';

/** The identity of the record of the port that was dialled, as skupper-router tells it. */
const accessProperty = 'qd.access-id';
/** Longest identity that is taken from a peer. */
const maxIdentityLength = 64;

/** Time between the writing of an OPEN and what is measured here, at most: the peer may have written it while the handshake of TLS ended. */
const clockMarginMs = 1000;

/** What the wall clock of a peer was when it opened the link. */
export interface PeerClock {
  /** Its wall clock minus this process's monotonic one, so that a clock that is set here later does not hide behind it. */
  readonly offsetMs: number;
  /** How long the telling may have been under way. */
  readonly uncertaintyMs: number;
}

/** One connection to another router, from connected socket to its end. */
export class Link {
  readonly neighbour: Neighbour;
  readonly connection: Connection;
  readonly entity: ConnectorEntity | ListenerEntity;
  readonly peer: ProvenPeer;
  readonly remoteHost: string;
  readonly tlsVersion: string | null;
  readonly openedMs: number;
  /** Told when the link is over. */
  ended: ((error: AmqpError | undefined) => void) | undefined;
  readonly #machine: MachineSocket;
  readonly #socket: Socket;
  readonly #clock: Clock;
  #peerClock: PeerClock | undefined;
  #peerAccessIdentity: string | undefined;

  /** `spentMs`: how much of the time for the handshake TLS has used. */
  constructor(
    context: LinkContext,
    socket: Socket,
    entity: ConnectorEntity | ListenerEntity,
    peer: ProvenPeer,
    tlsVersion: string | null,
    spentMs = 0,
  ) {
    this.entity = entity;
    this.#socket = socket;
    this.peer = peer;
    this.#clock = context.clock;
    this.tlsVersion = tlsVersion;
    this.remoteHost = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`;
    this.openedMs = context.clock.nowMs();
    const dialled = entity.type === 'connector';
    this.neighbour = new Neighbour(context.nextLinkNumber(), dialled, entity.cost, context.handlerFor(this), context.random, context.log);
    this.neighbour.provenRouterId = peer.routerId;
    this.neighbour.remoteHost = this.remoteHost;
    this.neighbour.linkCapacity = entity.linkCapacity;
    const accessIdentity = entity.type === 'listener' ? context.accessIdentity(entity.name) : undefined;
    const secure = tlsVersion !== null;
    // The correlator is new for each attempt: an old one would be refused until the peer has noticed the old connection's death.
    const correlator = discriminator(context.random, 15);
    const handshakeTimeoutMs =
      entity.type === 'listener' && entity.initialHandshakeTimeoutSeconds > 0
        ? entity.initialHandshakeTimeoutSeconds * 1000
        : defaultHandshakeTimeoutMs;
    this.connection = new Connection(
      {
        client: dialled,
        containerId: context.routerId,
        hostname: dialled ? entity.host : null,
        sasl: dialled
          ? { client: saslClient(entity, secure) }
          : { server: { mechanisms: acceptedMechanisms(entity, secure, peer), externallyAuthenticated: peer.user !== null } },
        maxFrameSize: Math.max(entity.maxFrameSize, preferredMaxFrameSize),
        idleTimeoutMs: entity.idleTimeoutSeconds * 1000,
        handshakeTimeoutMs: Math.max(minHandshakeTimeoutMs, handshakeTimeoutMs - spentMs),
        capabilities: ['ANONYMOUS-RELAY', 'qd.streaming-links'],
        writeProperties: (writer): void => {
          let entries = 5;
          writer.map();
          writer.symbol('product');
          writer.string('caravan');
          writer.symbol('version');
          writer.string(context.version);
          // The peer looks at int only; any other integer type would be ignored.
          writer.symbol('qd.conn-id');
          writer.int(this.neighbour.linkNumber);
          writer.symbol('qd.annotations-version');
          writer.int(2);
          writer.symbol(clockProperty);
          writer.long(Math.round(context.clock.wallMs()));
          if (accessIdentity !== undefined) {
            writer.symbol(accessProperty);
            writer.string(accessIdentity);
            entries++;
          }
          if (entity.cost > 1) {
            writer.symbol('qd.inter-router-cost');
            writer.int(entity.cost);
            entries++;
          }
          if (dialled) {
            writer.symbol('qd.group-correlator');
            writer.string(correlator);
            entries++;
          }
          writer.end(entries * 2);
        },
        slabs: context.slabs,
      },
      this.neighbour,
    );
    this.neighbour.connection = this.connection;
    this.#machine = new MachineSocket(socket, this.connection, context.clock, context.turns);
  }

  /** The peer's clock; undefined while it has not told it, or if it is of another kind. */
  get peerClock(): PeerClock | undefined {
    return this.#peerClock;
  }

  /** Identity of the record of the peer's port; undefined if it has told none. */
  get peerAccessIdentity(): string | undefined {
    return this.#peerAccessIdentity;
  }

  /** Octets so far, as the socket carries them. */
  get bytesSent(): number {
    return this.#socket.bytesWritten;
  }

  get bytesReceived(): number {
    return this.#socket.bytesRead;
  }

  /** Reads what the peer's OPEN says beyond what routing and forwarding need. */
  heardOpen(open: Open): void {
    const access = open.properties.get(accessProperty);
    if (typeof access === 'string' && access.length <= maxIdentityLength) this.#peerAccessIdentity = access;
    const toldMs = open.properties.get(clockProperty);
    if (typeof toldMs !== 'number' || !(Math.abs(toldMs) <= maxWallMs)) return;
    const nowMs = this.#clock.nowMs();
    this.#peerClock = { offsetMs: toldMs - nowMs, uncertaintyMs: nowMs - this.openedMs + clockMarginMs };
  }

  /** Orderly end. */
  close(error?: AmqpError): void {
    this.connection.close(error);
  }

  destroy(): void {
    this.#machine.destroy();
  }
}

function mechanismsOf(entity: ListenerEntity | ConnectorEntity, secure: boolean): readonly SaslMechanism[] {
  const known: readonly SaslMechanism[] = ['EXTERNAL', 'ANONYMOUS', 'PLAIN'];
  const configured = entity.saslMechanisms?.toUpperCase().split(/[\s,]+/);
  if (configured === undefined) return secure ? ['EXTERNAL', 'ANONYMOUS'] : ['ANONYMOUS'];
  return known.filter((mechanism) => configured.includes(mechanism));
}

/** What a listener accepts: a peer that must be authenticated cannot stay anonymous, unless TLS has authenticated it. */
function acceptedMechanisms(entity: ListenerEntity | ConnectorEntity, secure: boolean, peer: ProvenPeer): readonly SaslMechanism[] {
  const mechanisms = mechanismsOf(entity, secure);
  if (entity.type === 'connector' || !entity.authenticatePeer || peer.user !== null) return mechanisms;
  return mechanisms.filter((mechanism) => mechanism !== 'ANONYMOUS');
}

function saslClient(
  entity: ConnectorEntity,
  secure: boolean,
): { mechanisms: readonly SaslMechanism[]; username?: string; password?: string } {
  const { saslUsername, saslPassword } = entity;
  return {
    mechanisms: mechanismsOf(entity, secure),
    ...(saslUsername === undefined ? {} : { username: saslUsername }),
    ...(saslPassword === undefined ? {} : { password: saslPassword }),
  };
}
