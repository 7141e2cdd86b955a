import { ProtocolViolation, assert } from '../base/errors.ts';
import { Condition, Descriptor, FrameType, amqpHeader, minMaxFrameSize, saslHeader } from './constants.ts';
import type { IncomingLink, OutgoingLink } from './link.ts';
import {
  Disposition,
  Transfer,
  decodeAttach,
  decodeBegin,
  decodeDetach,
  decodeDisposition,
  decodeEnding,
  decodeFlow,
  decodeOpen,
  decodeTransfer,
  encodeEnding,
  encodeOpen,
} from './performatives.ts';
import type { AmqpError, Open } from './performatives.ts';
import { authenticate, decodeInit, decodeMechanisms, decodeOutcome, encodeInit, encodeMechanisms, encodeOutcome } from './sasl.ts';
import type { SaslClientOptions, SaslServerOptions } from './sasl.ts';
import { Session } from './session.ts';
import { SlabPool, TransmitBuffer } from './transmit-buffer.ts';
import { ValueReader } from './value-reader.ts';
import { ValueWriter } from './value-writer.ts';

/** Frames before OPEN has been received may not be larger: a stranger gets no more memory than this. */
const preOpenMaxFrameSize = 8192;
/** Sessions (channels) of one connection; routers use 12 and one more for each kind of traffic. */
const maxChannels = 256;
/** Bytes that may wait for a peer that does not read; beyond this the connection is closed. Sources stop at `congestedBytes` already. */
export const maxPendingBytes = 268_435_456;
/** Sources of streams stop writing while more than this waits for the socket... */
export const congestedBytes = 2_097_152;
/** ... and go on when it has fallen to this. */
export const relievedBytes = 524_288;
/** After our CLOSE, the peer's is awaited this long. */
const closeTimeoutMs = 2000;
/** A frame that arrives in pieces gets room for this many times what has arrived, so that announcing a size costs a peer its bytes. */
const partialGrowth = 8;
const minPartialBytes = 512;
/** Frame header 8, performative at most 60 (list8 with handle, id, tag, flags): what a transfer needs beside its payload. */
const transferOverhead = 68;

export interface ConnectionOptions {
  /** True for the side that dialled. */
  readonly client: boolean;
  readonly containerId: string;
  /** The host that was dialled, for OPEN and SASL; null for a server. */
  readonly hostname: string | null;
  readonly sasl: { readonly client: SaslClientOptions } | { readonly server: SaslServerOptions } | undefined;
  /** Largest frame that we accept; at least 512. */
  readonly maxFrameSize: number;
  /** Silence after which the peer is taken for dead; half of it is announced, as Proton does. 0 = never. */
  readonly idleTimeoutMs: number;
  /** From the first byte to the peer's OPEN. */
  readonly handshakeTimeoutMs: number;
  readonly capabilities: readonly string[];
  readonly writeProperties?: (writer: ValueWriter) => void;
  readonly slabs: SlabPool;
}

/**
 * Hears what happens on a connection, in the order of the wire. A handler is called synchronously from `receive` and `handleTimeout`
 * and may use the connection at once. (One ordered stream of calls instead of an event queue beside a data sink: what a control frame
 * means depends on the transfers before it.)
 */
export interface ConnectionHandler {
  /** OPEN has been exchanged. */
  opened(connection: Connection, open: Open): void;
  /** The peer attached a link: set its handler and sink and call `session.accept`, or `session.refuse`. */
  linkOffered(connection: Connection, link: IncomingLink | OutgoingLink): void;
  /** `pendingBytes` fell to `relievedBytes` after it had been over `congestedBytes`. */
  relieved(connection: Connection): void;
  /** The connection is over; sessions, links and deliveries have been told. Called once. `error` is the reason, if it was not orderly. */
  closed(connection: Connection, error: AmqpError | undefined): void;
}

type Phase =
  | 'sasl-header' // the peer's SASL header is awaited
  | 'sasl' // SASL frames
  | 'header' // the peer's AMQP header is awaited
  | 'opening' // the peer's OPEN is awaited
  | 'open'
  | 'closing' // our CLOSE is sent, the peer's is awaited
  | 'closed';

/**
 * One AMQP connection, without I/O.
 *
 *     receive(bytes)  ──►  frames ──► sessions ──► links ──► sinks and handlers
 *     nextTransmit()  ◄──  slabs  ◄── performatives and transfers of all links
 *
 * Order of use: `start`, then `receive` for bytes, `handleTimeout` when `nextDeadlineMs` has passed, and after either (or any command)
 * `nextTransmit` until it gives nothing; each view it gave is confirmed by `transmitted`. `nowMs` never goes back. When `ended` is true
 * and everything is transmitted, the socket is closed. When the socket has ended, `lost`.
 *
 * Ownership: chunks given to `receive` belong to the connection and whoever receives deliveries: they must not be written again.
 */
export class Connection {
  readonly handler: ConnectionHandler;
  readonly options: ConnectionOptions;
  /** For the performatives of sessions; used and emptied by `writeFrame`. */
  readonly writer: ValueWriter = new ValueWriter(512);
  /** Our max-frame-size. */
  readonly maxFrameSize: number;
  /** The peer's max-frame-size. */
  remoteMaxFrameSize: number = minMaxFrameSize;
  remoteOpen: Open | undefined;
  /** While true, incoming windows of sessions are not renewed: what arrives cannot be passed on fast enough. */
  withholdWindow = false;
  #phase: Phase;
  #openSent = false;
  readonly #reader = new ValueReader();
  readonly #transfer = new Transfer();
  readonly #disposition = new Disposition();
  readonly #out: TransmitBuffer;
  #congested = false;
  readonly #sessions: (Session | undefined)[] = [];
  readonly #byRemoteChannel: (Session | undefined)[] = [];
  #error: AmqpError | undefined;
  #closedTold = false;
  /** The beginning of a frame whose rest has not arrived. */
  #partial: Uint8Array | undefined;
  #partialLength = 0;
  #partialSize = 0;
  #nowMs = 0;
  #lastReceivedMs = 0;
  #lastSentMs = 0;
  #sentSinceTick = false;
  #handshakeDeadlineMs = Infinity;
  #closeDeadlineMs = Infinity;
  #heartbeatMs = Infinity;

  constructor(options: ConnectionOptions, handler: ConnectionHandler) {
    this.options = options;
    this.handler = handler;
    this.maxFrameSize = options.maxFrameSize;
    this.#out = new TransmitBuffer(options.slabs);
    this.#phase = options.sasl === undefined ? 'header' : 'sasl-header';
  }

  /** Begins the handshake: the dialling side sends first. */
  start(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#lastReceivedMs = nowMs;
    this.#lastSentMs = nowMs;
    this.#handshakeDeadlineMs = nowMs + this.options.handshakeTimeoutMs;
    if (!this.options.client) return;
    if (this.#phase === 'sasl-header') this.#out.append(saslHeader);
    else this.#sendOpen();
  }

  get opened(): boolean {
    return this.#phase === 'open';
  }

  /** Nothing more will be received or sent, once what is pending has been transmitted. */
  get ended(): boolean {
    return this.#phase === 'closed';
  }

  /** Bytes written and not yet taken by the socket. */
  get pendingBytes(): number {
    return this.#out.pendingBytes;
  }

  /** True while sources of streams should not write. */
  get congested(): boolean {
    return this.#congested;
  }

  get hasTransmit(): boolean {
    return this.#out.pendingBytes > 0;
  }

  // ---- output ----

  /** The next bytes for the socket, lent until `transmitted`. */
  nextTransmit(): Uint8Array | undefined {
    const bytes = this.#out.next();
    if (bytes === undefined) return undefined;
    this.#sentSinceTick = true;
    if (this.#congested && this.#out.pendingBytes <= relievedBytes) {
      this.#congested = false;
      this.handler.relieved(this);
    }
    return bytes;
  }

  transmitted(): void {
    this.#out.transmitted();
  }

  /** Sends what `writer` holds as the body of one frame and empties it. */
  writeFrame(channel: number, type: number = FrameType.amqp): void {
    const writer = this.writer;
    const size = 8 + writer.length;
    assert(size <= Math.max(this.remoteMaxFrameSize, preOpenMaxFrameSize), 'a performative is larger than a frame');
    const slab = this.#out.reserve(size);
    let at = this.#out.position;
    slab[at++] = size >>> 24;
    slab[at++] = size >>> 16;
    slab[at++] = size >>> 8;
    slab[at++] = size;
    slab[at++] = 2;
    slab[at++] = type;
    slab[at++] = channel >>> 8;
    slab[at++] = channel;
    slab.set(writer.bytes.subarray(0, writer.length), at);
    this.#out.advance(size);
    writer.reset();
    this.#checkPending();
  }

  /**
   * One TRANSFER frame, §2.7.5, written without intermediate objects:
   *
   *     size:4 doff=2 type=0 channel:2
   *     00 53 14  c0 size count=6  handle  delivery-id  delivery-tag  message-format  settled  more   payload
   *
   * `deliveryId` -1 makes it a continuation, without id, tag, format and settled. Returns where the rest of the payload starts.
   */
  writeTransfer(
    channel: number,
    handle: number,
    deliveryId: number,
    settled: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    more: boolean,
  ): number {
    const room = this.remoteMaxFrameSize - transferOverhead;
    let length = end - start;
    if (length > room) {
      length = room;
      more = true;
    }
    const slab = this.#out.reserve(transferOverhead + length);
    const frameStart = this.#out.position;
    let at = frameStart + 4;
    slab[at++] = 2;
    slab[at++] = FrameType.amqp;
    slab[at++] = channel >>> 8;
    slab[at++] = channel;
    slab[at++] = 0;
    slab[at++] = 0x53;
    slab[at++] = Descriptor.transfer;
    slab[at++] = 0xc0;
    const sizeAt = at++;
    slab[at++] = 6;
    if (handle < 256) {
      slab[at++] = 0x52;
      slab[at++] = handle;
    } else {
      slab[at++] = 0x70;
      slab[at++] = handle >>> 24;
      slab[at++] = handle >>> 16;
      slab[at++] = handle >>> 8;
      slab[at++] = handle;
    }
    if (deliveryId >= 0) {
      slab[at++] = 0x70;
      slab[at++] = deliveryId >>> 24;
      slab[at++] = deliveryId >>> 16;
      slab[at++] = deliveryId >>> 8;
      slab[at++] = deliveryId;
      // The tag must be unique among unsettled deliveries: the id serves.
      slab[at++] = 0xa0;
      slab[at++] = 4;
      slab[at++] = deliveryId >>> 24;
      slab[at++] = deliveryId >>> 16;
      slab[at++] = deliveryId >>> 8;
      slab[at++] = deliveryId;
      slab[at++] = 0x43;
      slab[at++] = settled ? 0x41 : 0x42;
    } else {
      slab[at++] = 0x40;
      slab[at++] = 0x40;
      slab[at++] = 0x40;
      slab[at++] = 0x40;
    }
    slab[at++] = more ? 0x41 : 0x42;
    slab[sizeAt] = at - sizeAt - 1;
    const rest = start + length;
    if (length < 128) for (let index = start; index < rest; index++) slab[at++] = bytes[index];
    else {
      slab.set(length === bytes.length ? bytes : bytes.subarray(start, rest), at);
      at += length;
    }
    const size = at - frameStart;
    slab[frameStart] = size >>> 24;
    slab[frameStart + 1] = size >>> 16;
    slab[frameStart + 2] = size >>> 8;
    slab[frameStart + 3] = size;
    this.#out.advance(size);
    this.#checkPending();
    return rest;
  }

  /** TRANSFER with aborted = true. */
  writeAbort(channel: number, handle: number, deliveryId: number): void {
    const writer = this.writer;
    writer.descriptor(Descriptor.transfer);
    writer.list();
    writer.uint(handle);
    writer.uint(deliveryId);
    writer.null();
    writer.null();
    writer.null();
    writer.boolean(false);
    writer.null();
    writer.null();
    writer.null();
    writer.boolean(true);
    writer.end(10);
    this.writeFrame(channel);
  }

  #checkPending(): void {
    const pending = this.#out.pendingBytes;
    if (pending <= congestedBytes) return;
    this.#congested = true;
    if (pending > maxPendingBytes && this.#phase !== 'closed') {
      this.#out.clear();
      this.#terminate({ condition: Condition.resourceLimitExceeded, description: 'the peer does not read' });
    }
  }

  #sendOpen(): void {
    const { options } = this;
    this.#out.append(amqpHeader);
    this.#openSent = true;
    encodeOpen(this.writer, {
      containerId: options.containerId,
      hostname: options.hostname,
      maxFrameSize: this.maxFrameSize,
      channelMax: maxChannels - 1,
      idleTimeoutMs: options.idleTimeoutMs >> 1,
      capabilities: options.capabilities,
      ...(options.writeProperties === undefined ? {} : { writeProperties: options.writeProperties }),
    });
    this.writeFrame(0);
  }

  // ---- time ----

  nextDeadlineMs(): number {
    let deadline = this.#handshakeDeadlineMs;
    if (this.#closeDeadlineMs < deadline) deadline = this.#closeDeadlineMs;
    if (this.#phase === 'open') {
      const idle = this.options.idleTimeoutMs;
      if (idle > 0 && this.#lastReceivedMs + idle < deadline) deadline = this.#lastReceivedMs + idle;
      if (this.#lastSentMs + this.#heartbeatMs < deadline) deadline = this.#lastSentMs + this.#heartbeatMs;
    }
    return deadline;
  }

  handleTimeout(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#sentSinceTick) {
      this.#sentSinceTick = false;
      this.#lastSentMs = nowMs;
    }
    if (this.#phase === 'closed') return;
    if (nowMs >= this.#handshakeDeadlineMs) {
      const description = `no OPEN within ${this.options.handshakeTimeoutMs} ms`;
      this.#terminate({ condition: Condition.resourceLimitExceeded, description });
      return;
    }
    if (nowMs >= this.#closeDeadlineMs) {
      this.#terminate(this.#error);
      return;
    }
    if (this.#phase !== 'open') return;
    const idle = this.options.idleTimeoutMs;
    if (idle > 0 && nowMs >= this.#lastReceivedMs + idle) {
      this.#fail({ condition: Condition.resourceLimitExceeded, description: `nothing received for ${idle} ms` });
    } else if (nowMs >= this.#lastSentMs + this.#heartbeatMs) {
      this.#lastSentMs = nowMs;
      this.writeFrame(0);
    }
  }

  // ---- input ----

  /** Bytes from the socket, in any division. Never throws for what a peer sends: a violation closes the connection with its condition. */
  receive(bytes: Uint8Array, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#lastReceivedMs = nowMs;
    try {
      this.#consume(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#partial = undefined;
      this.#fail({ condition: error.condition, description: error.message });
    }
  }

  #consume(bytes: Uint8Array): void {
    let position = 0;
    const end = bytes.length;
    while (position < end && this.#phase !== 'closed') {
      if (this.#partial !== undefined) {
        position = this.#complete(this.#partial, bytes, position, end);
        continue;
      }
      const available = end - position;
      if (available < 8) {
        this.#keep(bytes, position, end, 8);
        return;
      }
      if (this.#headerExpected) {
        this.#header(bytes, position);
        position += 8;
        continue;
      }
      const size = this.#frameSize(bytes, position);
      if (available < size) {
        this.#keep(bytes, position, end, size);
        return;
      }
      this.#frame(bytes, position, position + size);
      position += size;
    }
  }

  /** Begins a partial frame of `size` bytes (8 while the size is not known). Memory grows with what has arrived, not with what is announced. */
  #keep(bytes: Uint8Array, position: number, end: number, size: number): void {
    const length = end - position;
    this.#partial = new Uint8Array(Math.min(size, Math.max(minPartialBytes, length * partialGrowth)));
    this.#partial.set(bytes.subarray(position, end));
    this.#partialLength = length;
    this.#partialSize = size;
  }

  /** Adds bytes to the partial frame and handles it when it is whole. Returns the position after what was used. */
  #complete(partial: Uint8Array, bytes: Uint8Array, position: number, end: number): number {
    const length = this.#partialLength;
    const take = Math.min(this.#partialSize - length, end - position);
    if (length + take > partial.length) {
      const grown = new Uint8Array(Math.min(this.#partialSize, (length + take) * partialGrowth));
      grown.set(partial.subarray(0, length));
      this.#partial = partial = grown;
    }
    partial.set(bytes.subarray(position, position + take), length);
    this.#partialLength = length + take;
    if (this.#partialLength < this.#partialSize) return position + take;
    if (this.#headerExpected) {
      this.#partial = undefined;
      this.#header(partial, 0);
    } else if (this.#partialSize === 8 && this.#frameSize(partial, 0) > 8) {
      this.#partialSize = this.#frameSize(partial, 0);
    } else {
      this.#partial = undefined;
      this.#frame(partial, 0, this.#partialSize);
    }
    return position + take;
  }

  get #headerExpected(): boolean {
    return this.#phase === 'sasl-header' || this.#phase === 'header';
  }

  /** §2.3.1. The size is checked before anything is allocated for the frame. */
  #frameSize(bytes: Uint8Array, at: number): number {
    const size = ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
    const limit =
      this.#phase === 'sasl'
        ? minMaxFrameSize
        : this.#phase === 'opening'
          ? Math.min(preOpenMaxFrameSize, this.maxFrameSize)
          : this.maxFrameSize;
    if (size < 8) throw new ProtocolViolation(Condition.framingError, `frame size ${size} is smaller than a frame header`);
    if (size > limit) throw new ProtocolViolation(Condition.framingError, `frame of ${size} bytes; at most ${limit} are accepted`);
    return size;
  }

  /** §2.2: the peer's protocol header. A header that does not fit is answered with ours, and the connection ends. */
  #header(bytes: Uint8Array, at: number): void {
    const expected = this.#phase === 'sasl-header' ? saslHeader : amqpHeader;
    let equal = true;
    for (let index = 0; index < 8; index++) if (bytes[at + index] !== expected[index]) equal = false;
    if (!equal) {
      if (!this.options.client || !this.#openSent) this.#out.append(expected);
      this.#terminate({ condition: Condition.framingError, description: 'the peer does not speak the expected AMQP protocol' });
      return;
    }
    if (this.#phase === 'sasl-header') {
      this.#phase = 'sasl';
      const sasl = this.options.sasl;
      if (sasl !== undefined && 'server' in sasl) {
        this.#out.append(saslHeader);
        encodeMechanisms(this.writer, sasl.server);
        this.writeFrame(0, FrameType.sasl);
      }
      return;
    }
    this.#phase = 'opening';
    if (!this.#openSent) this.#sendOpen();
  }

  #frame(bytes: Uint8Array, start: number, end: number): void {
    const dataOffset = bytes[start + 4] * 4;
    if (dataOffset < 8 || dataOffset > end - start) {
      throw new ProtocolViolation(Condition.framingError, `data offset ${dataOffset} is outside of the frame`);
    }
    const type = bytes[start + 5];
    const body = start + dataOffset;
    if (type !== (this.#phase === 'sasl' ? FrameType.sasl : FrameType.amqp)) {
      throw new ProtocolViolation(Condition.framingError, `frame type ${type} is not expected here`);
    }
    if (this.#phase === 'sasl') {
      this.#saslFrame(bytes, body, end);
      return;
    }
    if (body === end) return; // heartbeat
    const channel = (bytes[start + 6] << 8) | bytes[start + 7];
    const reader = this.#reader;
    reader.reset(bytes, body, end);
    const descriptor = reader.readDescriptor();
    if (descriptor === Descriptor.transfer) {
      const session = this.#session(channel);
      decodeTransfer(reader, this.#transfer);
      session.remoteTransfer(this.#transfer, bytes, reader.position, end);
      return;
    }
    this.#performative(descriptor, channel, reader);
  }

  #session(channel: number): Session {
    if (this.#phase !== 'open' && this.#phase !== 'closing') {
      throw new ProtocolViolation(Condition.illegalState, 'a frame of a session came before OPEN');
    }
    const session = this.#byRemoteChannel[channel];
    if (session === undefined) throw new ProtocolViolation(Condition.notAllowed, `no session on channel ${channel}`);
    return session;
  }

  #performative(descriptor: number, channel: number, reader: ValueReader): void {
    if (this.#phase === 'closing' && descriptor !== Descriptor.close) return;
    switch (descriptor) {
      case Descriptor.open:
        this.#remoteOpened(decodeOpen(reader));
        return;
      case Descriptor.begin:
        this.#remoteBegin(channel, reader);
        return;
      case Descriptor.attach:
        this.#session(channel).remoteAttach(decodeAttach(reader));
        return;
      case Descriptor.flow:
        this.#session(channel).remoteFlow(decodeFlow(reader));
        return;
      case Descriptor.disposition: {
        const session = this.#session(channel);
        decodeDisposition(reader, this.#disposition);
        session.remoteDisposition(this.#disposition);
        return;
      }
      case Descriptor.detach:
        this.#session(channel).remoteDetach(decodeDetach(reader));
        return;
      case Descriptor.end: {
        const session = this.#session(channel);
        const error = decodeEnding(reader, 'end');
        this.#byRemoteChannel[channel] = undefined;
        session.remoteEnd(error);
        this.#sessions[session.channel] = undefined;
        return;
      }
      case Descriptor.close:
        this.#remoteClosed(decodeEnding(reader, 'close'));
        return;
      default:
        throw new ProtocolViolation(Condition.notImplemented, 'the frame holds no performative of AMQP 1.0');
    }
  }

  #saslFrame(bytes: Uint8Array, body: number, end: number): void {
    const reader = this.#reader;
    reader.reset(bytes, body, end);
    const descriptor = reader.readDescriptor();
    const sasl = this.options.sasl;
    assert(sasl !== undefined, 'SASL frames without SASL');
    if ('server' in sasl) {
      if (descriptor !== Descriptor.saslInit) throw new ProtocolViolation(Condition.illegalState, 'sasl-init is expected');
      const accepted = authenticate(decodeInit(reader), sasl.server);
      encodeOutcome(this.writer, accepted);
      this.writeFrame(0, FrameType.sasl);
      if (accepted) this.#phase = 'header';
      else this.#terminate({ condition: Condition.unauthorizedAccess, description: 'the client could not be authenticated' });
      return;
    }
    if (descriptor === Descriptor.saslMechanisms) {
      const offered = decodeMechanisms(reader);
      const mechanism = encodeInit(this.writer, offered, sasl.client, this.options.hostname);
      if (mechanism === undefined) {
        const description = `the peer offers only the SASL mechanisms ${offered.join(', ')}`;
        this.#terminate({ condition: Condition.unauthorizedAccess, description });
        return;
      }
      this.writeFrame(0, FrameType.sasl);
    } else if (descriptor === Descriptor.saslOutcome) {
      const code = decodeOutcome(reader);
      if (code !== 0) {
        this.#terminate({ condition: Condition.unauthorizedAccess, description: `the peer refused authentication (code ${code})` });
        return;
      }
      this.#phase = 'header';
      this.#sendOpen();
    } else {
      throw new ProtocolViolation(Condition.illegalState, 'sasl-mechanisms or sasl-outcome is expected');
    }
  }

  #remoteOpened(open: Open): void {
    if (this.#phase !== 'opening') throw new ProtocolViolation(Condition.illegalState, 'OPEN came twice');
    this.#phase = 'open';
    this.#handshakeDeadlineMs = Infinity;
    this.remoteOpen = open;
    this.remoteMaxFrameSize = open.maxFrameSize;
    // The peer's time-out is the silence it tolerates: two chances to be heard.
    if (open.idleTimeoutMs > 0) this.#heartbeatMs = Math.max(1, open.idleTimeoutMs >> 1);
    this.#lastSentMs = this.#nowMs;
    this.handler.opened(this, open);
  }

  #remoteBegin(channel: number, reader: ValueReader): void {
    if (this.#phase !== 'open') throw new ProtocolViolation(Condition.illegalState, 'BEGIN came before OPEN');
    const begin = decodeBegin(reader);
    if (channel >= maxChannels) throw new ProtocolViolation(Condition.notAllowed, `channel ${channel} is above channel-max`);
    if (this.#byRemoteChannel[channel] !== undefined) {
      throw new ProtocolViolation(Condition.illegalState, `channel ${channel} is in use`);
    }
    if (begin.remoteChannel >= 0) {
      const session = this.#sessions[begin.remoteChannel];
      if (session === undefined || session.remoteChannel >= 0) {
        throw new ProtocolViolation(Condition.invalidField, 'BEGIN answers a session that was not begun');
      }
      this.#byRemoteChannel[channel] = session;
      session.remoteBegin(begin, channel);
      return;
    }
    const session = this.#newSession();
    this.#byRemoteChannel[channel] = session;
    session.remoteBegin(begin, channel);
    session.begin();
  }

  #newSession(): Session {
    let channel = 0;
    while (this.#sessions[channel] !== undefined) channel++;
    if (channel >= maxChannels) throw new ProtocolViolation(Condition.resourceLimitExceeded, `more than ${maxChannels} sessions`);
    const session = new Session(this, channel);
    this.#sessions[channel] = session;
    return session;
  }

  /** Begins a session; allowed once the connection is open. */
  openSession(): Session {
    assert(this.#phase === 'open', 'sessions need an open connection');
    const session = this.#newSession();
    session.begin();
    return session;
  }

  /** Lets the peer send again after `withholdWindow` had been set. */
  renewWindows(): void {
    this.withholdWindow = false;
    for (const session of this.#sessions) session?.renewWindow();
  }

  // ---- end ----

  /** Orderly close: CLOSE is sent, the peer's is awaited for two seconds. */
  close(error?: AmqpError): void {
    if (this.#phase === 'closed' || this.#phase === 'closing') return;
    if (this.#phase !== 'open') {
      this.#terminate(error);
      return;
    }
    this.#error = error;
    this.#phase = 'closing';
    this.#closeDeadlineMs = this.#nowMs + closeTimeoutMs;
    for (const session of this.#sessions) session?.lost();
    encodeEnding(this.writer, Descriptor.close, error);
    this.writeFrame(0);
  }

  #remoteClosed(error: AmqpError | undefined): void {
    if (this.#phase === 'open') {
      for (const session of this.#sessions) session?.lost();
      encodeEnding(this.writer, Descriptor.close, undefined);
      this.writeFrame(0);
    } else if (this.#phase !== 'closing') {
      throw new ProtocolViolation(Condition.illegalState, 'CLOSE came before OPEN');
    }
    this.#terminate(error ?? this.#error);
  }

  /** A violation, or a dead peer: the reason goes out and nothing more is expected. */
  #fail(error: AmqpError): void {
    if (this.#phase === 'closed') return;
    if (this.#phase === 'open' || this.#phase === 'opening') {
      if (!this.#openSent) this.#sendOpen();
      this.writer.reset();
      for (const session of this.#sessions) session?.lost();
      encodeEnding(this.writer, Descriptor.close, error);
      this.writeFrame(0);
    }
    this.#terminate(error);
  }

  /** The socket has ended. */
  lost(description: string): void {
    if (this.#phase === 'closed') return;
    this.#out.clear();
    this.#terminate(this.#phase === 'closing' ? this.#error : { condition: Condition.connectionForced, description });
  }

  #terminate(error: AmqpError | undefined): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#handshakeDeadlineMs = Infinity;
    this.#closeDeadlineMs = Infinity;
    this.writer.reset();
    for (const session of this.#sessions) session?.lost();
    this.#sessions.length = 0;
    this.#byRemoteChannel.length = 0;
    if (!this.#closedTold) {
      this.#closedTold = true;
      this.handler.closed(this, error);
    }
  }
}
