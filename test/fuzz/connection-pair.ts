import { Connection } from '../../src/amqp/connection.ts';
import type { ConnectionHandler, ConnectionOptions } from '../../src/amqp/connection.ts';
import { Descriptor } from '../../src/amqp/constants.ts';
import type { DeliverySink, IncomingDelivery } from '../../src/amqp/delivery.ts';
import type { IncomingLink, LinkHandler, OutgoingLink } from '../../src/amqp/link.ts';
import { DeliveryState, encodeTerminus } from '../../src/amqp/performatives.ts';
import type { AmqpError, Open } from '../../src/amqp/performatives.ts';
import { SlabPool } from '../../src/amqp/transmit-buffer.ts';
import { ValueWriter } from '../../src/amqp/value-writer.ts';

/** Receives everything, accepts it, and notes what happened. */
export class RecordingHandler implements ConnectionHandler, DeliverySink, LinkHandler {
  readonly messages: Uint8Array[] = [];
  readonly links: (IncomingLink | OutgoingLink)[] = [];
  readonly detachErrors: (AmqpError | undefined)[] = [];
  readonly partial: Map<IncomingDelivery, Uint8Array[]> = new Map();
  aborts = 0;
  senderSettles = 0;
  credit = 100;
  outcome: DeliveryState = DeliveryState.accepted;
  settle = true;
  open: Open | undefined;
  closedCount = 0;
  error: AmqpError | undefined;
  relievedCount = 0;
  attachedCount = 0;

  opened(_connection: Connection, open: Open): void {
    this.open = open;
  }
  linkOffered(_connection: Connection, link: IncomingLink | OutgoingLink): void {
    this.links.push(link);
    if (link.receiver) {
      link.sink = this;
      link.handler = this;
    }
    link.session.accept(link);
    if (link.receiver && this.credit > 0) link.grant(this.credit);
  }
  relieved(): void {
    this.relievedCount++;
  }
  closed(_connection: Connection, error: AmqpError | undefined): void {
    this.closedCount++;
    this.error = error;
  }
  attached(): void {
    this.attachedCount++;
  }
  detached(_link: IncomingLink | OutgoingLink, error: AmqpError | undefined): void {
    this.detachErrors.push(error);
  }
  transfer(delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const pieces = this.partial.get(delivery) ?? [];
    pieces.push(bytes.slice(start, end));
    if (more) {
      this.partial.set(delivery, pieces);
      return;
    }
    this.partial.delete(delivery);
    this.messages.push(joined(pieces));
    if (!this.settle) return;
    delivery.update(this.outcome, true);
    delivery.link.replenish();
  }
  aborted(delivery: IncomingDelivery): void {
    this.partial.delete(delivery);
    this.aborts++;
    delivery.link.replenish();
  }
  senderSettled(): void {
    this.senderSettles++;
  }
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

export function connectionOptions(client: boolean, changes: Partial<ConnectionOptions> = {}): ConnectionOptions {
  return {
    client,
    containerId: client ? 'client' : 'server',
    hostname: null,
    sasl: undefined,
    maxFrameSize: 16_384,
    idleTimeoutMs: 16_000,
    handshakeTimeoutMs: 5000,
    capabilities: [],
    slabs: new SlabPool(),
    ...changes,
  };
}

/** Everything that waits for the socket, copied. */
export function drainBytes(connection: Connection): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let bytes = connection.nextTransmit(); bytes !== undefined; bytes = connection.nextTransmit()) {
    pieces.push(bytes.slice());
    connection.transmitted();
  }
  return joined(pieces);
}

/** Two connections back to back; `chunk` says how the next bytes are divided. */
export class ConnectionPair {
  readonly clientHandler = new RecordingHandler();
  readonly serverHandler = new RecordingHandler();
  readonly client: Connection;
  readonly server: Connection;
  nowMs = 0;
  chunk: () => number = () => Infinity;

  constructor(client: Partial<ConnectionOptions> = {}, server: Partial<ConnectionOptions> = {}) {
    this.client = new Connection(connectionOptions(true, client), this.clientHandler);
    this.server = new Connection(connectionOptions(false, server), this.serverHandler);
    this.client.start(0);
    this.server.start(0);
  }

  /** Moves what waits in one direction; true if there was something. */
  move(from: Connection, to: Connection): boolean {
    const bytes = drainBytes(from);
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + this.chunk());
      to.receive(bytes.subarray(at, end), this.nowMs);
      at = end;
    }
    return bytes.length > 0;
  }

  pump(): void {
    for (let moved = true; moved;) {
      const there = this.move(this.client, this.server);
      moved = this.move(this.server, this.client) || there;
    }
  }
}

/** An encoded source and target for `address`. */
export function termini(address = 'q'): [source: Uint8Array, target: Uint8Array] {
  const writer = new ValueWriter();
  encodeTerminus(writer, Descriptor.source, address, null);
  const source = writer.take();
  writer.reset();
  encodeTerminus(writer, Descriptor.target, address, null);
  return [source, writer.take()];
}

/** One frame of a peer, made by hand. */
export function frame(channel: number, write: (writer: ValueWriter) => void, type = 0): Uint8Array {
  const writer = new ValueWriter();
  write(writer);
  const body = writer.take();
  const bytes = new Uint8Array(8 + body.length);
  new DataView(bytes.buffer).setUint32(0, bytes.length);
  bytes[4] = 2;
  bytes[5] = type;
  bytes[6] = channel >> 8;
  bytes[7] = channel;
  bytes.set(body, 8);
  return bytes;
}

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}
