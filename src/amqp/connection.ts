import { ProtocolViolation, assert } from '../base/errors.ts';
import { ConnectionBudget, maxPendingBytes } from './connection-budget.ts';
import { openParameters } from './connection-options.ts';
import type { ConnectionHandler, ConnectionOptions } from './connection-options.ts';
import { ConnectionTimers, minIdleTimeoutMs } from './connection-timers.ts';
import { Condition, Descriptor, FrameType, amqpHeader, minMaxFrameSize, saslHeader } from './constants.ts';
import { Disposition, Transfer, decodeDisposition, decodeTransfer } from './delivery-performatives.ts';
import { FrameAssembler, Unit } from './frame-assembler.ts';
import { encodeAbort, writeFrame, writeTransferFrame } from './frame-writer.ts';
import { fitError } from './performative-fields.ts';
import {
  decodeAttach,
  decodeBegin,
  decodeDetach,
  decodeEnding,
  decodeFlow,
  decodeOpen,
  encodeEnding,
  encodeOpen,
} from './performatives.ts';
import type { AmqpError, Open } from './performatives.ts';
import { SaslExchange, encodeMechanisms } from './sasl.ts';
import { SessionTable } from './session-table.ts';
import type { Session } from './session.ts';
import { TransmitBuffer } from './transmit-buffer.ts';
import { ValueReader } from './value-reader.ts';
import { ValueWriter } from './value-writer.ts';

/** Frames before OPEN has been received may not be larger: a stranger gets no more memory than this. */
const preOpenMaxFrameSize = 8192;
/**
 * Outcomes that nobody waits for travel with what is sent next, and alone after this time: on a quiet connection each would cost both ends
 * a turn. A peer holds what was settled as in progress for as long, so it is less than what a path takes.
 */
const mayWaitMs = 5;
/** Sources of streams stop writing while more than this waits for the socket... */
export const congestedBytes = 2_097_152;
/** ... and go on when it has fallen to this. */
const relievedBytes = 524_288;
export type { ConnectionHandler, ConnectionOptions } from './connection-options.ts';

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
  /** What all sessions together may hold. */
  readonly budget: ConnectionBudget;
  #phase: Phase;
  #openSent = false;
  readonly #reader = new ValueReader();
  /** The last transfer; while its payload comes in pieces it stays as it is. */
  readonly #transfer = new Transfer();
  #payloadSession: Session | undefined;
  readonly #disposition = new Disposition();
  readonly #out: TransmitBuffer;
  #congested = false;
  readonly #sessions: SessionTable = new SessionTable(this);
  /** Sessions that have something to tell at the end of the turn. */
  readonly #telling: Session[] = [];
  /** Somebody waits for it. */
  #tellSoon = false;
  #tellAtMs = Infinity;
  readonly #assembler = new FrameAssembler();
  readonly #sasl: SaslExchange | undefined;
  #error: AmqpError | undefined;
  /** A reason to end that came up inside of a command: acted on when the command has returned. */
  #failure: AmqpError | undefined;
  readonly #timers = new ConnectionTimers();

  constructor(options: ConnectionOptions, handler: ConnectionHandler) {
    this.options = options;
    this.handler = handler;
    this.maxFrameSize = options.maxFrameSize;
    this.budget = new ConnectionBudget(options.limits);
    this.#out = new TransmitBuffer(options.slabs);
    this.#phase = options.sasl === undefined ? 'header' : 'sasl-header';
    if (options.sasl !== undefined) this.#sasl = new SaslExchange(options.sasl, options.hostname);
  }

  /** Begins the handshake: the dialling side sends first. */
  start(nowMs: number): void {
    this.#timers.start(nowMs, this.options.handshakeTimeoutMs);
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
    return this.#out.pendingBytes > 0 || this.#failure !== undefined || this.#tellSoon;
  }

  /** The session's `tellAccepted` is called before the next bytes leave, or `mayWaitMs` from now. */
  tellAcceptedLater(session: Session): void {
    if (this.#telling.length === 0) this.#tellAtMs = this.#timers.nowMs + mayWaitMs;
    this.#telling.push(session);
  }

  /** Somebody waits for what is to be told: it leaves in this turn. */
  tellAcceptedSoon(): void {
    this.#tellSoon = true;
  }

  #tellAccepted(): void {
    this.#tellSoon = false;
    this.#tellAtMs = Infinity;
    for (let session = this.#telling.pop(); session !== undefined; session = this.#telling.pop()) session.tellAccepted();
  }

  // ---- output ----

  /** The next bytes for the socket, lent until `transmitted`. */
  nextTransmit(): Uint8Array | undefined {
    if (this.#telling.length > 0) this.#tellAccepted();
    if (this.#failure !== undefined) this.#failNow();
    const bytes = this.#out.next();
    if (bytes === undefined) return undefined;
    this.#timers.sent();
    if (this.#congested && this.#out.pendingBytes <= relievedBytes) {
      this.#congested = false;
      this.handler.relieved(this);
    }
    return bytes;
  }

  transmitted(): void {
    this.#out.transmitted();
  }

  /** Sends what `writer` holds as the body of one frame and empties it. Nothing is sent after CLOSE. */
  writeFrame(channel: number, type: number = FrameType.amqp): void {
    const { writer } = this;
    if (this.#phase === 'closed' || this.#phase === 'closing' || this.#failure !== undefined) {
      writer.reset();
      return;
    }
    const limit = type === FrameType.sasl ? minMaxFrameSize : this.#phase === 'open' ? this.remoteMaxFrameSize : preOpenMaxFrameSize;
    const size = 8 + writer.length;
    if (size > limit) {
      writer.reset();
      this.#failure = { condition: Condition.frameSizeTooSmall, description: `a frame of ${size} bytes is needed; ${limit} are accepted` };
      return;
    }
    writeFrame(this.#out, writer, channel, type);
    this.#checkPending();
  }

  /** Writes one TRANSFER frame and returns where the rest of the payload starts, see `writeTransferFrame`. */
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
    if (this.#phase !== 'open' || this.#failure !== undefined) return end;
    // What ended before this message began is heard of first: the peer may count what goes on.
    if (!this.#tellSoon && this.#telling.length > 0) this.#tellAccepted();
    const rest = writeTransferFrame(this.#out, this.remoteMaxFrameSize, channel, handle, deliveryId, settled, bytes, start, end, more);
    this.#checkPending();
    return rest;
  }

  /** TRANSFER with aborted = true. */
  writeAbort(channel: number, handle: number, deliveryId: number): void {
    encodeAbort(this.writer, handle, deliveryId);
    this.writeFrame(channel);
  }

  /** The error, cut down where it would not fit into a frame of the peer. */
  fitError(error: AmqpError | undefined): AmqpError | undefined {
    return error === undefined ? undefined : fitError(error, this.remoteMaxFrameSize);
  }

  #checkPending(): void {
    const pending = this.#out.pendingBytes;
    if (pending <= congestedBytes) return;
    this.#congested = true;
    if (pending > maxPendingBytes) {
      this.#out.clear();
      this.#failure = { condition: Condition.resourceLimitExceeded, description: 'the peer does not read' };
    }
  }

  #sendOpen(): void {
    this.#out.append(amqpHeader);
    this.#openSent = true;
    encodeOpen(this.writer, openParameters(this.options));
    this.writeFrame(0);
  }

  // ---- time ----

  nextDeadlineMs(): number {
    return Math.min(this.#timers.nextDeadlineMs(), this.#tellAtMs);
  }

  handleTimeout(nowMs: number): void {
    const { handshakeTimeoutMs, idleTimeoutMs } = this.options;
    if (nowMs >= this.#tellAtMs) this.#tellSoon = true;
    switch (this.#timers.tick(nowMs)) {
      case 'handshake':
        this.#terminate({ condition: Condition.resourceLimitExceeded, description: `no OPEN within ${handshakeTimeoutMs} ms` });
        break;
      case 'close':
        this.#terminate(this.#error);
        break;
      case 'idle':
        this.#fail({ condition: Condition.resourceLimitExceeded, description: `nothing received for ${idleTimeoutMs} ms` });
        break;
      case 'heartbeat':
        this.writeFrame(0);
        break;
      default:
        break;
    }
  }

  // ---- input ----

  /** Bytes from the socket, in any division. Never throws for what a peer sends: a violation closes the connection with its condition. */
  receive(bytes: Uint8Array, nowMs: number): void {
    this.#timers.received(nowMs);
    try {
      // Plain, whatever came: `slice` of Node's buffers is a view, and what is kept of a frame would keep a whole read.
      this.#consume(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#failure = undefined;
      this.#fail({ condition: error.condition, description: error.message });
    }
    if (this.#failure !== undefined) this.#failNow();
    if (this.#phase === 'closed') this.#assembler.clear();
  }

  #consume(bytes: Uint8Array): void {
    const assembler = this.#assembler;
    const end = bytes.length;
    for (let position = 0; position < end && this.#phase !== 'closed' && this.#failure === undefined;) {
      const limit = frameLimit(this.#phase, this.maxFrameSize);
      position = assembler.next(bytes, position, end, limit);
      switch (assembler.unit) {
        case Unit.whole:
          if (limit === 0) this.#header(assembler.bytes, assembler.start);
          else this.#frame(assembler.bytes, assembler.start, assembler.end, false);
          break;
        case Unit.head:
          this.#frame(assembler.bytes, assembler.start, assembler.end, true);
          break;
        case Unit.piece:
          this.#payloadSession?.remotePayload(
            this.#transfer.handle,
            assembler.bytes,
            assembler.start,
            assembler.end,
            this.#transfer.more || assembler.rest > 0,
          );
          break;
        default:
          break;
      }
    }
  }

  /** §2.2: the peer's protocol header. A header that does not fit is answered with ours, and the connection ends. */
  #header(bytes: Uint8Array, at: number): void {
    // The fifth octet of a header is the protocol: 0 = AMQP without SASL.
    if (this.#phase === 'sasl-header' && this.options.saslOptional === true && bytes[at + 4] === 0) this.#phase = 'header';
    const expected = this.#phase === 'sasl-header' ? saslHeader : amqpHeader;
    let equal = true;
    for (let index = 0; index < 8; index++) if (bytes[at + index] !== expected[index]) equal = false;
    if (!equal) {
      if (!this.options.client) this.#out.append(expected);
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

  /** `unfinished`: a transfer frame whose payload goes on in pieces. */
  #frame(bytes: Uint8Array, start: number, end: number, unfinished: boolean): void {
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
      this.#payloadSession = undefined;
      if (this.#phase === 'closing') return;
      const session = this.#session(channel);
      decodeTransfer(reader, this.#transfer);
      if (session.endSent) return;
      if (unfinished && !this.#transfer.aborted) this.#payloadSession = session;
      session.remoteTransfer(this.#transfer, unfinished, bytes, reader.position, end);
      return;
    }
    this.#performative(descriptor, channel, reader);
  }

  #session(channel: number): Session {
    if (this.#phase !== 'open') throw new ProtocolViolation(Condition.illegalState, 'a frame of a session came before OPEN');
    return this.#sessions.remote(channel);
  }

  #performative(descriptor: number, channel: number, reader: ValueReader): void {
    if (this.#phase === 'closing' && descriptor !== Descriptor.close) return;
    switch (descriptor) {
      case Descriptor.open:
        this.#remoteOpened(decodeOpen(reader));
        return;
      case Descriptor.begin:
        if (this.#phase !== 'open') throw new ProtocolViolation(Condition.illegalState, 'BEGIN came before OPEN');
        this.#sessions.remoteBegin(channel, decodeBegin(reader));
        return;
      case Descriptor.attach: {
        const session = this.#session(channel);
        const attach = decodeAttach(reader);
        // After our END, what the peer sent before it saw it means nothing, §2.5.5.
        if (!session.endSent) session.remoteAttach(attach);
        return;
      }
      case Descriptor.flow: {
        const session = this.#session(channel);
        const flow = decodeFlow(reader);
        if (!session.endSent) session.remoteFlow(flow);
        return;
      }
      case Descriptor.disposition: {
        const session = this.#session(channel);
        decodeDisposition(reader, this.#disposition);
        if (!session.endSent) session.remoteDisposition(this.#disposition);
        return;
      }
      case Descriptor.detach: {
        const session = this.#session(channel);
        const detach = decodeDetach(reader);
        if (!session.endSent) session.remoteDetach(detach);
        return;
      }
      case Descriptor.end:
        this.#session(channel);
        this.#sessions.remoteEnd(channel, decodeEnding(reader, 'end'));
        return;
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
    const sasl = this.#sasl;
    assert(sasl !== undefined, 'SASL frames without SASL');
    const error = sasl.frame(reader, this.writer);
    if (this.writer.length > 0) this.writeFrame(0, FrameType.sasl);
    if (error !== undefined) this.#terminate(error);
    else if (sasl.done) {
      this.#phase = 'header';
      if (this.options.client) this.#sendOpen();
    }
  }

  #remoteOpened(open: Open): void {
    if (this.#phase !== 'opening') throw new ProtocolViolation(Condition.illegalState, 'OPEN came twice');
    this.#phase = 'open';
    this.remoteOpen = open;
    this.remoteMaxFrameSize = open.maxFrameSize;
    const idle = open.idleTimeoutMs;
    if (idle > 0 && idle < minIdleTimeoutMs) {
      throw new ProtocolViolation(Condition.notAllowed, `idle-time-out of ${idle} ms; at least ${minIdleTimeoutMs} can be kept`);
    }
    this.#timers.opened(this.options.idleTimeoutMs, idle);
    this.handler.opened(this, open);
  }

  /** Begins a session; possible while the connection is open. Throws ProtocolViolation when it is not, or when either side has no room. */
  openSession(): Session {
    if (this.#phase !== 'open') throw new ProtocolViolation(Condition.illegalState, 'the connection is not open');
    return this.#sessions.begin();
  }

  /** When the last bytes came from the peer. */
  get lastReceivedMs(): number {
    return this.#timers.lastReceivedMs;
  }

  /** Lets the peer send again after `withholdWindow` had been set. */
  renewWindows(): void {
    this.withholdWindow = false;
    this.#sessions.renewWindows();
  }

  // ---- end ----

  /** Orderly close: CLOSE is sent, the peer's is awaited for two seconds. */
  close(error?: AmqpError): void {
    if (this.#phase === 'closed' || this.#phase === 'closing') return;
    if (this.#phase !== 'open') {
      if (this.#openSent) this.#writeClose(error);
      this.#terminate(error);
      return;
    }
    this.#error = error;
    this.#tellAccepted();
    this.#writeClose(error);
    this.#phase = 'closing';
    this.#timers.closing();
    this.#sessions.lost();
  }

  #writeClose(error: AmqpError | undefined): void {
    encodeEnding(this.writer, Descriptor.close, this.fitError(error));
    this.writeFrame(0);
  }

  #remoteClosed(error: AmqpError | undefined): void {
    if (this.#phase === 'open') {
      this.#tellAccepted();
      this.#writeClose(undefined);
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
      this.#tellAccepted();
      this.#writeClose(error);
    }
    this.#terminate(error);
  }

  #failNow(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) this.#fail(failure);
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
    this.#telling.length = 0;
    this.#tellSoon = false;
    this.#tellAtMs = Infinity;
    this.#timers.stop();
    this.writer.reset();
    this.#sessions.lost();
    this.handler.closed(this, error);
  }
}

/** The largest frame that is accepted in this phase; 0 when a protocol header is expected. */
function frameLimit(phase: Phase, maxFrameSize: number): number {
  if (phase === 'sasl-header' || phase === 'header') return 0;
  if (phase === 'sasl') return minMaxFrameSize;
  return phase === 'opening' ? Math.min(preOpenMaxFrameSize, maxFrameSize) : maxFrameSize;
}
