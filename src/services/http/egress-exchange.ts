import { ProtocolViolation } from '../../base/errors.ts';
import { Condition } from '../../amqp/constants.ts';
import type { TextCache } from '../../amqp/text-cache.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Clock } from '../../base/clock.ts';
import type { FlowSupplement } from '../../flows/metering.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { linkLost } from '../../forwarding/remote-leg.ts';
import { AnnotationFlag, noAnnotations } from '../../forwarding/router-annotations.ts';
import type { RouterAnnotations } from '../../forwarding/router-annotations.ts';
import type { WindowBudget } from '../tcp/window-budget.ts';
import { failureCondition } from './conditions.ts';
import type { EndOfTurn } from './end-of-turn.ts';
import { ExchangeFailure, maxPendingBytes } from './exchange.ts';
import type { FieldBlock, HttpHandler, RequestSink, Responder, ResponseHead } from './exchange.ts';
import { decodeRequestHead, encodeAnswerHead, encodeInterimHead, readFieldBlock } from './head-codec.ts';
import { maxWholeBodyBytes } from './ingress-exchange.ts';
import { RecordKind, httpContentType } from './message-writer.ts';
import type { MessageWriter, Octets } from './message-writer.ts';
import { Acknowledgement, OutgoingMessage } from './outgoing-message.ts';
import { RecordReader } from './record-reader.ts';
import { RequestSupplement } from './request-supplement.ts';
import type { RecordHandler } from './record-reader.ts';

const streamAnnotations: RouterAnnotations = { ...noAnnotations, flags: AnnotationFlag.streaming | AnnotationFlag.disableQ2 };

/** What a router where requests enter the network has in progress at one server. */
export interface OriginLoad {
  readonly origin: string;
  requests: number;
}

/** What the requests of one server share. */
export interface EgressContext {
  readonly forwarder: Forwarder;
  readonly writer: MessageWriter;
  readonly texts: TextCache;
  readonly windows: WindowBudget;
  readonly turns: EndOfTurn;
  readonly handler: HttpHandler;
  readonly clock: Clock;
  readonly supplement: FlowSupplement;
  /** The answer has ended as it should, with this status, or the exchange with the server has failed (then 0). Once per request. */
  served(exchange: EgressExchange, status: number, failure: ExchangeFailure | undefined, reason: string): void;
  /** The request is settled. Once per request. */
  settled(exchange: EgressExchange): void;
}

/** One request at the router of its server: its message comes in as a `Downstream`, the answer goes out as a message to its reply address. */
export class EgressExchange implements Downstream, RecordHandler, Responder, Upstream {
  readonly congested = false;
  readonly overloaded = false;
  readonly #context: EgressContext;
  readonly load: OriginLoad;
  readonly #replyTo: string;
  readonly #correlationId: string | null;
  // The request.
  #upstream: Upstream | undefined;
  readonly #reader: RecordReader;
  #acknowledgement: Acknowledgement | undefined;
  #sink: RequestSink | undefined;
  #bodyLeft = -1;
  #requestTrailers: FieldBlock | undefined;
  #requestComplete = false;
  requestBytes = 0;
  /** Tries an ejected server. */
  isProbe = false;
  /** What is told of it to whoever records it. */
  readonly told: RequestSupplement | undefined;
  // The answer.
  #head: ResponseHead | undefined;
  #held: Octets[] | undefined;
  #heldBytes = 0;
  #answer: Downstream | undefined;
  #out: OutgoingMessage | undefined;
  #answerComplete = false;
  #trailers: FieldBlock | undefined;
  answerBytes = 0;
  /** The exchange with the server is over, in whatever way. */
  #served = false;
  #settled = false;
  #queued = false;

  constructor(context: EgressContext, head: MessageHead, replyTo: string, load: OriginLoad, upstream: Upstream) {
    this.#context = context;
    this.load = load;
    this.#replyTo = replyTo;
    this.#correlationId = head.correlationId;
    this.#upstream = upstream;
    this.#reader = new RecordReader(this, head.bodyStart - head.annotationsEnd);
    this.told = context.supplement.active ? RequestSupplement.of(context.supplement, context.clock, head) : undefined;
  }

  // ---- the request's message ----

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.#settled || this.#requestComplete) return;
    try {
      this.#reader.read(bytes, start, end);
      if (this.#isSettled()) return;
      if (!more) {
        this.#requestEnded();
        return;
      }
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#giveUpServer(ExchangeFailure.protocolError, error.message);
      this.#settle(DeliveryState.rejected, { condition: error.condition, description: error.message });
      return;
    }
    this.#acknowledgement ??= new Acknowledgement();
    this.#acknowledgement.received(end - start);
    this.#acknowledge();
  }

  /** Calls of the server's end may have settled it meanwhile. */
  #isSettled(): boolean {
    return this.#settled;
  }

  #requestEnded(): void {
    if (this.#reader.inRecord || this.#sink === undefined || this.#bodyLeft > 0) {
      throw new ProtocolViolation(Condition.decodeError, 'the request is cut short');
    }
    this.#requestComplete = true;
    if (this.#wantsRequest) this.#sink.end(this.#requestTrailers);
    // An upgraded connection whose other direction had ended before.
    if (this.#answerComplete && this.#answer === undefined) this.#settle(DeliveryState.accepted, undefined);
  }

  record(kind: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#settled) return;
    if (kind === RecordKind.requestHead && this.#sink === undefined) {
      const head = decodeRequestHead(bytes, start, end, this.#context.texts);
      this.#bodyLeft = head.upgrade === '' ? head.contentLength : -1;
      this.#sink = this.#context.handler.handle(head, this);
    } else if (kind === RecordKind.trailers && this.#sink !== undefined && this.#requestTrailers === undefined) {
      this.#requestTrailers = readFieldBlock(bytes, start, end);
    } else throw new ProtocolViolation(Condition.decodeError, 'a record comes where it does not belong');
  }

  body(bytes: Uint8Array, start: number, end: number): void {
    if (this.#settled) return;
    const length = end - start;
    const sink = this.#sink;
    if (sink === undefined || this.#requestTrailers !== undefined || (this.#bodyLeft >= 0 && length > this.#bodyLeft)) {
      throw new ProtocolViolation(Condition.decodeError, 'octets of a body come where they do not belong');
    }
    if (this.#bodyLeft >= 0) this.#bodyLeft -= length;
    this.requestBytes += length;
    if (this.#wantsRequest) sink.data(bytes, start, end);
  }

  /** The server takes (more of) the request: not after its answer has ended, unless the connection is upgraded. */
  get #wantsRequest(): boolean {
    return !this.#served || (this.#answerComplete && this.#head?.upgrade === true);
  }

  #acknowledge(): void {
    if (this.#sink?.congested === true) return;
    const offset = this.#acknowledgement?.due(0) ?? -1;
    if (offset >= 0) this.#upstream?.update(DeliveryState.received, false, offset, undefined);
  }

  requestRelieved(): void {
    this.#acknowledge();
  }

  /** The request's message is cut off, or was taken back. */
  abort(): void {
    this.#upstream = undefined;
    this.#cancel();
  }

  /** The router where the request came in has settled it: it wants no answer any more. */
  forget(): void {
    this.abort();
  }

  #cancel(): void {
    this.#giveUpServer(ExchangeFailure.cancelled, 'the client has gone');
    this.#dropAnswer();
    this.#settle(DeliveryState.modified, undefined);
  }

  #giveUpServer(failure: ExchangeFailure, reason: string): void {
    const wasServed = this.#served;
    if (wasServed && (this.#requestComplete || !this.#wantsRequest)) return;
    this.#served = true;
    if (!wasServed) this.#context.served(this, 0, failure, reason);
    this.#sink?.abort(failure);
  }

  #dropAnswer(): void {
    const answer = this.#answer;
    this.#answer = undefined;
    this.#held = undefined;
    this.#out?.over();
    if (answer === undefined) return;
    if (this.#answerComplete) answer.forget();
    else answer.abort();
  }

  #settle(state: DeliveryState, error: AmqpError | undefined): void {
    if (this.#settled) return;
    this.#settled = true;
    const upstream = this.#upstream;
    this.#upstream = undefined;
    this.#context.settled(this);
    // The client has its answer by the time of the acceptance.
    upstream?.update(state, true, 0, error, state === DeliveryState.accepted);
  }

  // ---- the answer, from the server ----

  connected(): void {
    this.told?.connected();
  }

  interim(status: number, fields: FieldBlock): void {
    if (this.#served || this.#settled || this.#head !== undefined) return;
    const { writer } = this.#context;
    const isFirst = this.#answer === undefined;
    const bodyStart = this.#beginMessage(isFirst);
    encodeInterimHead(writer, status, fields);
    this.#sendStream(isFirst, bodyStart, -1);
    this.#context.turns.touch();
  }

  head(head: ResponseHead): void {
    if (this.#served || this.#settled) return;
    this.#head = head;
    this.told?.answered();
    if (this.#answer !== undefined || head.upgrade) {
      this.#startStream();
      return;
    }
    // Most answers are complete in the same turn: those go as one message.
    if (this.#queued) return;
    this.#queued = true;
    this.#context.turns.add(this);
  }

  endOfTurn(): void {
    if (this.#head === undefined || this.#out !== undefined || this.#answerComplete || this.#settled) return;
    this.#startStream();
    this.#context.turns.touch();
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#served || this.#settled || end === start) return;
    this.answerBytes += end - start;
    const out = this.#out;
    if (out !== undefined && this.#held === undefined) {
      if (!out.body(bytes, start, end)) this.#brokenAnswer('the answer is longer than it says');
      return;
    }
    (this.#held ??= []).push({ bytes, start, end });
    this.#heldBytes += end - start;
    if (this.#heldBytes > maxWholeBodyBytes) this.#startStream();
  }

  end(trailers: FieldBlock | undefined): void {
    if (this.#served || this.#settled || this.#head === undefined) return;
    this.#served = true;
    this.#answerComplete = true;
    this.#trailers = trailers;
    this.#context.served(this, this.#head.status, undefined, '');
    const out = this.#out;
    if (out === undefined) this.#sendWhole(this.#head);
    else if (!out.end(trailers)) {
      this.#answerComplete = false;
      this.#dropAnswer();
      this.#settle(DeliveryState.rejected, failed(ExchangeFailure.protocolError, 'the answer is shorter than it says'));
    }
  }

  fail(failure: ExchangeFailure, reason: string): void {
    if (this.#served || this.#settled) return;
    this.#served = true;
    this.#context.served(this, 0, failure, reason);
    this.#dropAnswer();
    this.#settle(DeliveryState.rejected, failed(failure, reason));
  }

  #brokenAnswer(reason: string): void {
    this.#giveUpServer(ExchangeFailure.protocolError, reason);
    this.#dropAnswer();
    this.#settle(DeliveryState.rejected, failed(ExchangeFailure.protocolError, reason));
  }

  // ---- the answer's message ----

  /** Starts writing: with the sections, if it is the start of the message. Returns where its body starts. */
  #beginMessage(isFirst: boolean): number {
    const { writer } = this.#context;
    writer.reset();
    if (isFirst) writer.sections(this.#replyTo, null, this.#correlationId);
    return writer.written;
  }

  #forward(bodyStart: number, more: boolean): boolean {
    const routed = this.#context.forwarder.forward(
      {
        annotations: more ? streamAnnotations : noAnnotations,
        annotationsEnd: 0,
        priority: 4,
        to: this.#replyTo,
        replyTo: null,
        correlationId: this.#correlationId,
        contentType: httpContentType,
        bodyStart,
      },
      more,
      false,
      undefined,
      this,
    );
    if (typeof routed !== 'number') {
      this.#answer = routed;
      return true;
    }
    this.#lost('no way leads back to the client');
    return false;
  }

  /** The answer cannot reach the client's router, or cannot any more. */
  #lost(reason: string): void {
    this.#giveUpServer(ExchangeFailure.cancelled, reason);
    this.#answer = undefined;
    this.#held = undefined;
    this.#settle(DeliveryState.modified, { condition: linkLost.condition, description: reason });
  }

  #sendWhole(head: ResponseHead): void {
    const { writer } = this.#context;
    const bodyStart = this.#beginMessage(true);
    encodeAnswerHead(writer, head);
    if (this.#held !== undefined) {
      writer.recordHeader(RecordKind.body, this.#heldBytes);
      for (const { bytes, start, end } of this.#held) writer.raw(bytes, start, end);
      this.#held = undefined;
    }
    if (this.#trailers !== undefined) writer.trailers(this.#trailers);
    const message = writer.take();
    if (this.#forward(bodyStart, false)) this.#answer?.send(message.bytes, message.start, message.end, false);
  }

  #startStream(): void {
    const head = this.#head;
    if (head === undefined) return;
    const isFirst = this.#answer === undefined;
    const bodyStart = this.#beginMessage(isFirst);
    encodeAnswerHead(this.#context.writer, head);
    const held = this.#held;
    this.#held = undefined;
    this.#heldBytes = 0;
    const hasLength = head.hasBody && !head.upgrade;
    if (!this.#sendStream(isFirst, bodyStart, hasLength ? head.contentLength : -1) || held === undefined) return;
    for (const { bytes, start, end } of held) {
      if (this.#settled) return;
      if (this.#out?.body(bytes, start, end) === false) this.#brokenAnswer('the answer is longer than it says');
    }
  }

  /** Sends what has been written as (the start of) a stream. */
  #sendStream(isFirst: boolean, bodyStart: number, contentLength: number): boolean {
    const message = this.#context.writer.take();
    if (isFirst && !this.#forward(bodyStart, true)) return false;
    const answer = this.#answer;
    if (answer === undefined) return false;
    if (this.#out === undefined) this.#out = new OutgoingMessage(answer, this.#context.windows, contentLength);
    else this.#out.bodyLength = contentLength;
    this.#out.send(message.bytes, message.start, message.end);
    return !this.#settled;
  }

  get pendingBytes(): number {
    return this.#out?.full === true ? maxPendingBytes : this.#heldBytes;
  }

  /** What becomes of the answer's message. */
  update(state: DeliveryState, settled: boolean, sectionOffset: number, error: AmqpError | undefined): void {
    if (this.#settled) return;
    if (state === DeliveryState.received) {
      this.#out?.acknowledged(sectionOffset);
      if (!settled) {
        this.relieved();
        return;
      }
    } else if (!settled && state === DeliveryState.none) return;
    const answer = this.#answer;
    this.#answer = undefined;
    this.#out?.over();
    if (!settled) answer?.forget();
    if (state === DeliveryState.accepted && this.#answerComplete) {
      // The client's direction of an upgraded connection may go on; what is left of any other request is not wanted.
      if (this.#head?.upgrade === true && !this.#requestComplete) return;
      this.#settle(DeliveryState.accepted, undefined);
      return;
    }
    const isLostWay = state === DeliveryState.released || error?.condition === linkLost.condition;
    if (isLostWay) this.#lost('the answer was lost on its way');
    else this.#cancel();
  }

  relieved(): void {
    if (this.#served || this.#settled) return;
    if (this.#out?.full === false) this.#sink?.responseWritten();
  }

  // ---- end ----

  /** Ends it now. */
  stop(): void {
    this.#giveUpServer(ExchangeFailure.cancelled, 'the site is shutting down');
    this.#dropAnswer();
    const processed = this.#sink !== undefined;
    this.#settle(
      processed ? DeliveryState.rejected : DeliveryState.released,
      processed ? failed(ExchangeFailure.broken, 'shut down') : undefined,
    );
  }
}

function failed(failure: ExchangeFailure, description: string): AmqpError {
  return { condition: failureCondition(failure), description };
}
