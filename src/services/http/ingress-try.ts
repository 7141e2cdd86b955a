import { ProtocolViolation } from '../../base/errors.ts';
import { Condition } from '../../amqp/constants.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { linkLost } from '../../forwarding/remote-leg.ts';
import type { BalancedServer } from '../balancing/balanced-server.ts';
import { Refusal } from '../tcp/listener.ts';
import { conditionCode } from './conditions.ts';
import type { FieldBlock, ResponseHead } from './exchange.ts';
import { decodeAnswerHead, decodeInterimFields, decodeInterimStatus, readFieldBlock } from './head-codec.ts';
import { RecordKind, httpContentType } from './message-writer.ts';
import { NetworkErrorCode } from './network-error.ts';
import { Acknowledgement } from './outgoing-message.ts';
import type { OutgoingMessage } from './outgoing-message.ts';
import { RecordReader } from './record-reader.ts';
import type { RecordHandler } from './record-reader.ts';
import type { Timed } from './request-deadlines.ts';

/** The request that a try belongs to. */
export interface TryOwner {
  interim(status: number, fields: FieldBlock): void;
  answerHead(head: ResponseHead): void;
  answerBody(bytes: Uint8Array, start: number, end: number): void;
  answerEnded(trailers: FieldBlock | undefined): void;
  /** Nothing (more) comes of this try; it has let go of everything. `processed` is false when certainly no server has seen the request. */
  tryFailed(code: NetworkErrorCode, processed: boolean, reason: string): void;
  tryTimedOut(nowMs: number): void;
  /** The request may go on: the window, or the way, has room again. */
  requestRelieved(): void;
  /** The request's message is settled, though its answer had ended before: nobody takes the rest. */
  requestGone(): void;
  /** Octets of the answer that wait at the client's end. */
  readonly pendingAnswerBytes: number;
}

/** One try of a request: its message to a server, and the message with the answer. */
export class IngressTry implements Consumer, Upstream, Downstream, RecordHandler, Timed<IngressTry> {
  readonly outstanding = 0;
  readonly congested = false;
  readonly overloaded = false;
  /** Of the answer. */
  replyTo = '';
  /** Undefined when the network chooses. */
  readonly server: BalancedServer | undefined;
  readonly startedMs: number;
  /** Tries an ejected server. */
  isProbe = false;
  deadlineMs: number = Infinity;
  previousTimed: IngressTry | undefined = undefined;
  nextTimed: IngressTry | undefined = undefined;
  readonly #owner: TryOwner;
  #request: Downstream | undefined;
  /** While the request is sent as a stream. */
  out: OutgoingMessage | undefined = undefined;
  #requestComplete = false;
  #answer: Upstream | undefined;
  #reader: RecordReader | undefined;
  #acknowledgement: Acknowledgement | undefined;
  #headCame = false;
  #answerEnded = false;
  #trailers: FieldBlock | undefined;
  /** Nothing is wanted of this try any more. */
  #over = false;
  /** The whole answer has come, and both messages are over. */
  isAnswered = false;

  constructor(owner: TryOwner, server: BalancedServer | undefined, nowMs: number) {
    this.#owner = owner;
    this.server = server;
    this.startedMs = nowMs;
  }

  /** The request's message has a way. */
  begin(request: Downstream): void {
    this.#request = request;
  }

  /** The request's message is complete. */
  completed(): void {
    this.#requestComplete = true;
  }

  /** The way begins with a neighbour that does not answer, and no octet of an answer has come. */
  get severed(): boolean {
    return this.#answer === undefined && this.#request?.severed === true;
  }

  get congestedRequest(): boolean {
    return this.out?.full ?? false;
  }

  // ---- the request's outcome ----

  update(state: DeliveryState, settled: boolean, sectionOffset: number, error: AmqpError | undefined): void {
    if (state === DeliveryState.received) {
      this.out?.acknowledged(sectionOffset);
      if (!settled) {
        if (!this.#over) this.#owner.requestRelieved();
        return;
      }
    } else if (!settled && state === DeliveryState.none) return;
    if (!settled) this.#request?.forget();
    this.#request = undefined;
    this.out?.over();
    if (this.#over || (state === DeliveryState.accepted && this.#answer !== undefined)) return;
    if (this.#answerEnded) {
      this.#owner.requestGone();
      return;
    }
    const reason = error?.description || error?.condition || '';
    if (state === DeliveryState.released) {
      this.#fail(NetworkErrorCode.noServer, false, reason || 'no way leads to a server at the moment');
    } else if (error?.condition === linkLost.condition || error === undefined || error.condition === '') {
      this.#fail(NetworkErrorCode.linkLost, true, reason || 'the connection to the next router was lost');
    } else if (error.condition === Condition.unauthorizedAccess) {
      this.#fail(NetworkErrorCode.notAllowed, false, reason);
    } else {
      const code = conditionCode(error.condition);
      this.#fail(code, isProcessed(code), reason);
    }
  }

  relieved(): void {
    if (!this.#over) this.#owner.requestRelieved();
  }

  // ---- the answer ----

  deliver(head: MessageHead, upstream: Upstream): Downstream {
    if (this.#over || this.#answer !== undefined || head.contentType !== httpContentType) return new Refusal(upstream);
    this.#answer = upstream;
    this.#reader = new RecordReader(this, head.bodyStart - head.annotationsEnd);
    return this;
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const reader = this.#reader;
    if (this.#over || reader === undefined) return;
    try {
      reader.read(bytes, start, end);
      // The client may have gone while it was given something.
      if (this.#answerIsOver()) return;
      if (!more) {
        if (reader.inRecord || !this.#headCame) throw new ProtocolViolation(Condition.decodeError, 'the answer is cut short');
        this.#owner.answerEnded(this.#trailers);
        return;
      }
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#fail(NetworkErrorCode.badAnswer, true, error.message);
      return;
    }
    this.#acknowledgement ??= new Acknowledgement();
    this.#acknowledgement.received(end - start);
    this.acknowledge();
  }

  #answerIsOver(): boolean {
    return this.#over;
  }

  record(kind: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#over) return;
    if (kind === RecordKind.answerHead && !this.#headCame) {
      const head = decodeAnswerHead(bytes, start, end);
      this.#headCame = true;
      this.#owner.answerHead(head);
    } else if (kind === RecordKind.interimHead && !this.#headCame) {
      this.#owner.interim(decodeInterimStatus(bytes, start, end), decodeInterimFields(bytes, start, end));
    } else if (kind === RecordKind.trailers && this.#headCame && this.#trailers === undefined) {
      this.#trailers = readFieldBlock(bytes, start, end);
    } else throw new ProtocolViolation(Condition.decodeError, 'a record comes where it does not belong');
  }

  body(bytes: Uint8Array, start: number, end: number): void {
    if (this.#over) return;
    if (!this.#headCame || this.#trailers !== undefined) {
      throw new ProtocolViolation(Condition.decodeError, 'octets of a body come where they do not belong');
    }
    this.#owner.answerBody(bytes, start, end);
  }

  /** Tells the sender of the answer how far the client has taken it. */
  acknowledge(): void {
    const offset = this.#acknowledgement?.due(this.#owner.pendingAnswerBytes) ?? -1;
    if (offset >= 0) this.#answer?.update(DeliveryState.received, false, offset, undefined);
  }

  /** The answer's message is cut off. */
  abort(): void {
    if (this.#over) return;
    this.#answer = undefined;
    this.#fail(NetworkErrorCode.serverFailed, true, 'the answer was cut off');
  }

  /** The sender of the answer wants no outcome; what it has sent still comes. */
  forget(): void {}

  // ---- end ----

  timedOut(nowMs: number): void {
    this.#owner.tryTimedOut(nowMs);
  }

  #fail(code: NetworkErrorCode, processed: boolean, reason: string): void {
    if (this.#over) return;
    this.leave();
    this.#owner.tryFailed(code, processed, reason);
  }

  /** The answer is complete and passed on. The client's direction of an upgraded connection may go on. */
  accept(): void {
    this.#answerEnded = true;
    const answer = this.#answer;
    this.#answer = undefined;
    this.#reader = undefined;
    answer?.update(DeliveryState.accepted, true, 0, undefined, true);
  }

  /** Whether the request goes on: not complete, and its message not settled. */
  get requestOpen(): boolean {
    return this.#request !== undefined && !this.#requestComplete;
  }

  /** Lets go of both messages, whatever their state. */
  leave(): void {
    if (this.#over) return;
    this.#over = true;
    const request = this.#request;
    const answer = this.#answer;
    this.#request = undefined;
    this.#answer = undefined;
    this.#reader = undefined;
    this.out?.over();
    answer?.update(DeliveryState.modified, true, 0, undefined);
    if (request === undefined) return;
    if (this.#requestComplete) request.forget();
    else request.abort();
  }

  /** The exchange is over in good order: what is left of the request is not wanted, its outcome not awaited. */
  finish(): void {
    this.#over = true;
    this.out?.over();
    this.accept();
    const request = this.#request;
    this.#request = undefined;
    this.isAnswered = this.#requestComplete;
    if (request !== undefined && !this.#requestComplete) request.abort();
  }
}

function isProcessed(code: NetworkErrorCode): boolean {
  return code !== NetworkErrorCode.connectFailed && code !== NetworkErrorCode.notProcessed && code !== NetworkErrorCode.overloaded;
}
