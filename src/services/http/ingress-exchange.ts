import { DeliveryState } from '../../amqp/performatives.ts';
import { AnnotationFlag, noAnnotations } from '../../forwarding/router-annotations.ts';
import type { RouterAnnotations } from '../../forwarding/router-annotations.ts';
import type { BalancedServer } from '../balancing/balanced-server.ts';
import { RequestResult } from '../balancing/circuit-breaker.ts';
import { ExchangeFailure } from './exchange.ts';
import type { FieldBlock, RequestHead, RequestSink, Responder, ResponseHead } from './exchange.ts';
import { beginRequestHead, requestHeadFits } from './head-codec.ts';
import { IngressTry } from './ingress-try.ts';
import type { TryOwner } from './ingress-try.ts';
import { RecordKind, httpContentType } from './message-writer.ts';
import type { MessageWriter, Octets } from './message-writer.ts';
import { NetworkErrorCode } from './network-error.ts';
import { OutgoingMessage } from './outgoing-message.ts';
import type { Timed } from './request-deadlines.ts';
import type { ClientConnection } from './request-metering.ts';
import type { RequestFlow } from './request-flow.ts';
import { failsByGrpcStatus, failsByStatus, resultOf } from './request-result.ts';
import { TryHistory } from './try-history.ts';
import type { IngressContext } from './ingress-context.ts';

/** A request goes as one complete message when its body is there at once and no longer than this. */
export const maxWholeBodyBytes = 32_768;
/** Octets of a body that are kept for another try. */
export const maxHeldBodyBytes = 65_536;
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

const streamAnnotations: RouterAnnotations = { ...noAnnotations, flags: AnnotationFlag.streaming | AnnotationFlag.disableQ2 };

const noServers: readonly BalancedServer[] = [];

/** One request of a client, from its head to the end of its answer, through all its tries. */
export class IngressExchange implements RequestSink, TryOwner, Timed<IngressExchange> {
  readonly #context: IngressContext;
  readonly #head: RequestHead;
  readonly #responder: Responder;
  deadlineMs: number = Infinity;
  previousTimed: IngressExchange | undefined = undefined;
  nextTimed: IngressExchange | undefined = undefined;
  readonly #requestId: string;
  #address: string | undefined;
  #try: IngressTry | undefined;
  #tries = 0;
  #history: TryHistory | undefined;
  /** The record of the head, within the message of an earlier try. */
  #record: Octets | undefined;
  // The body.
  #held: Octets[] | undefined;
  #heldBytes = 0;
  #bodyBytes = 0;
  /** Everything that the client has sent is still held. */
  #replayable = true;
  #requestComplete = false;
  #trailers: FieldBlock | undefined;
  // The answer.
  #status = 0;
  /** What came of the answer says that the server failed. */
  #failed = false;
  #upgraded = false;
  #answerHasBody = true;
  #answerLeft = -1;
  answerBytes = 0;
  #answerEnded = false;
  #ended = false;
  readonly #client: ClientConnection | undefined;
  /** What is recorded of it, when somebody listens. */
  #flow: RequestFlow | undefined;

  constructor(context: IngressContext, head: RequestHead, responder: Responder, client?: ClientConnection) {
    this.#context = context;
    this.#head = head;
    this.#responder = responder;
    this.#client = client;
    this.#requestId = context.nextRequestId();
  }

  get requestBytes(): number {
    return this.#bodyBytes;
  }

  // ---- the request ----

  /** What there is of the request goes out now, unless it has. */
  endOfTurn(): void {
    if (this.#ended || this.#tries > 0) return;
    if (this.#head.contentLength === 0 && this.#head.upgrade === '') this.#requestComplete = true;
    this.#start();
    this.#context.touch();
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#ended || this.#requestComplete || end === start) return;
    this.#bodyBytes += end - start;
    const current = this.#try;
    if (this.#replayable) {
      (this.#held ??= []).push({ bytes, start, end });
      this.#heldBytes += end - start;
      if (current !== undefined && this.#heldBytes > maxHeldBodyBytes) this.#dropHeld();
    }
    if (current !== undefined) {
      if (current.out?.body(bytes, start, end) === false) this.#malformed('the body is longer than its content length');
    } else if (this.#tries === 0 && this.#heldBytes > maxWholeBodyBytes) this.#start();
  }

  #dropHeld(): void {
    this.#replayable = false;
    this.#held = undefined;
    this.#heldBytes = 0;
  }

  end(trailers: FieldBlock | undefined): void {
    if (this.#ended || this.#requestComplete) return;
    this.#requestComplete = true;
    this.#trailers = trailers;
    const { contentLength, upgrade } = this.#head;
    if (contentLength >= 0 && upgrade === '' && this.#bodyBytes !== contentLength) {
      this.#malformed('the body is not as long as its content length says');
      return;
    }
    const current = this.#try;
    if (current !== undefined) this.#completeRequest(current);
    else if (this.#tries === 0) this.#start();
  }

  #completeRequest(current: IngressTry): void {
    const { out } = current;
    if (out === undefined) return;
    current.completed();
    out.end(this.#trailers);
    if (this.#answerEnded) this.requestGone();
  }

  get congested(): boolean {
    if (this.#ended) return false;
    const current = this.#try;
    return current === undefined ? this.#heldBytes >= maxHeldBodyBytes : current.congestedRequest;
  }

  requestRelieved(): void {
    if (!this.#ended && !this.congested) this.#responder.requestRelieved();
  }

  /** The client is gone: everything is taken back. */
  abort(_failure: ExchangeFailure): void {
    if (this.#ended) return;
    this.#leaveTry(RequestResult.withdrawn);
    this.#finish(undefined);
  }

  #malformed(reason: string): void {
    this.#leaveTry(RequestResult.withdrawn);
    this.#failWith(NetworkErrorCode.badRequest, reason);
  }

  // ---- tries ----

  #start(): void {
    const { requestDeadlines, retryBudget, metering } = this.#context;
    const nowMs = this.#context.nowMs();
    if (metering.meter.active) this.#flow = metering.begin(this.#head, this.#requestId, this.#client, nowMs);
    if (!requestHeadFits(this.#head)) {
      this.#tries = 1;
      this.#failWith(NetworkErrorCode.badRequest, 'a part of the request line is too long');
      return;
    }
    if (this.#context.isFull) {
      this.#tries = 1;
      this.#failWith(NetworkErrorCode.overloaded, 'the listener has as many requests as it can carry');
      return;
    }
    requestDeadlines.start(this, nowMs);
    retryBudget.deposit(nowMs);
    this.#attempt(nowMs);
  }

  /** Sends the request to a server, or sees that there is none. */
  #attempt(nowMs: number): void {
    const context = this.#context;
    this.#tries++;
    const address = context.chooseAddress() ?? this.#address;
    if (address === undefined) {
      this.#failWith(NetworkErrorCode.noServer, 'no server of this service is connected to the network');
      return;
    }
    if (address !== this.#address) {
      // Another address has other servers.
      this.#address = address;
      this.#history?.addressChanged();
    }
    const choice = context.servers(address);
    const history = this.#history;
    const server = choice.choose(nowMs, history?.tried ?? noServers);
    if (server === undefined && !choice.mayBeElsewhere) {
      if (history === undefined) this.#failWith(NetworkErrorCode.noServer, 'no server of this service is ready');
      else if (history.awaitsWay) this.#wait(history, nowMs);
      else this.#failWith(history.code, `${history.reason}; no other server is ready`);
      return;
    }
    this.#sendTo(server?.address ?? address, server, nowMs);
  }

  #sendTo(to: string, server: BalancedServer | undefined, nowMs: number): void {
    const { forwarder, writer, windows } = this.#context;
    this.#flow?.chosen(server, this.#address ?? '', this.#tries, nowMs);
    const correlationId = this.#flow?.identity ?? this.#requestId;
    const current = new IngressTry(this, server, nowMs);
    const replyTo = this.#context.replyAddresses.take(server?.routerId, current);
    current.replyTo = replyTo;
    if (server !== undefined) current.isProbe = server.started(nowMs);
    this.#try = current;
    this.#context.tryDeadlines.start(current, nowMs);
    this.#context.deadlinesChanged();
    writer.reset();
    writer.sections(to, replyTo, correlationId);
    const bodyStart = writer.written;
    this.#writeHead(writer);
    const headEnd = writer.written;
    const isWhole = this.#requestComplete && this.#heldBytes <= maxWholeBodyBytes;
    if (isWhole) this.#writeBody(writer);
    const message = writer.take();
    this.#record ??= { bytes: message.bytes, start: message.start + bodyStart, end: message.start + headEnd };
    const downstream = forwarder.forward(
      {
        annotations: isWhole ? noAnnotations : streamAnnotations,
        annotationsEnd: 0,
        priority: 4,
        to,
        replyTo,
        correlationId,
        contentType: httpContentType,
        bodyStart,
      },
      !isWhole,
      false,
      undefined,
      current,
    );
    if (typeof downstream === 'number') {
      current.leave();
      const isForbidden = downstream === DeliveryState.rejected;
      this.tryFailed(
        isForbidden ? NetworkErrorCode.notAllowed : NetworkErrorCode.noServer,
        false,
        isForbidden ? 'this site may not use the service' : 'no way leads to a server at the moment',
      );
      return;
    }
    current.begin(downstream);
    if (isWhole) {
      current.completed();
      downstream.send(message.bytes, message.start, message.end, false);
    } else
      this.#stream(current, new OutgoingMessage(downstream, windows, this.#head.upgrade === '' ? this.#head.contentLength : -1), message);
  }

  #writeHead(writer: MessageWriter): void {
    const record = this.#record;
    if (record !== undefined) {
      writer.raw(record.bytes, record.start, record.end);
      return;
    }
    const start = beginRequestHead(writer, this.#head);
    this.#context.forwardedFields.write(writer, this.#head, this.#requestId);
    writer.endRecord(start);
  }

  #writeBody(writer: MessageWriter): void {
    if (this.#held !== undefined) {
      writer.recordHeader(RecordKind.body, this.#heldBytes);
      for (const { bytes, start, end } of this.#held) writer.raw(bytes, start, end);
    }
    if (this.#trailers !== undefined) writer.trailers(this.#trailers);
  }

  #stream(current: IngressTry, out: OutgoingMessage, message: Octets): void {
    current.out = out;
    out.send(message.bytes, message.start, message.end);
    // Whatever is sent may come back at once.
    for (const { bytes, start, end } of this.#held ?? []) {
      if (this.#try !== current) return;
      if (!out.body(bytes, start, end)) {
        this.#malformed('the body is longer than its content length');
        return;
      }
    }
    if (this.#try !== current) return;
    if (this.#heldBytes > maxHeldBodyBytes) this.#dropHeld();
    if (this.#requestComplete) this.#completeRequest(current);
    else this.requestRelieved();
  }

  /** The current try, if any, is over; the server hears how it went. */
  #endTry(result: RequestResult): void {
    const current = this.#try;
    if (current === undefined) return;
    this.#try = undefined;
    this.#context.tryDeadlines.end(current);
    if (current.isAnswered) this.#context.replyAddresses.giveBack(current.server?.routerId, current.replyTo);
    else this.#context.forwarder.removeTemporary(current.replyTo);
    current.server?.ended(result, current.isProbe, this.#context.nowMs());
  }

  #leaveTry(result: RequestResult): void {
    this.#try?.leave();
    this.#endTry(result);
  }

  tryFailed(code: NetworkErrorCode, processed: boolean, reason: string): void {
    const current = this.#try;
    if (current === undefined || this.#ended) return;
    const { server } = current;
    const isWayLost = code === NetworkErrorCode.noServer || code === NetworkErrorCode.linkLost;
    this.#endTry(resultOf(code));
    const history = (this.#history ??= new TryHistory(code, reason));
    history.failed(server, isWayLost, code, reason);
    const mayTry = this.#status === 0 && this.#replayable && code !== NetworkErrorCode.notAllowed;
    if (!mayTry || !this.#mayTryAgain(history, server !== undefined, processed, isWayLost)) {
      this.#failWith(code, reason);
      return;
    }
    const nowMs = this.#context.nowMs();
    if (server === undefined && isWayLost) this.#wait(history, nowMs);
    else {
      this.#context.retried();
      this.#attempt(nowMs);
    }
  }

  #mayTryAgain(history: TryHistory, isChosen: boolean, processed: boolean, isWayLost: boolean): boolean {
    const { maxTries, retryBudget } = this.#context;
    if (!processed) return history.mayGoElsewhere(isWayLost, isChosen, maxTries);
    if (!idempotentMethods.has(this.#head.method) || this.#head.upgrade !== '') return false;
    return history.mayRepeat(maxTries) && retryBudget.withdraw(this.#context.nowMs());
  }

  /** The way to the servers was lost: waits for routes to change, for a while. */
  #wait(history: TryHistory, nowMs: number): void {
    const pauseMs = history.nextPauseMs(nowMs);
    if (pauseMs === undefined) this.#failWith(history.code, history.reason);
    else this.#context.retries.add(this, nowMs + pauseMs);
  }

  /** The pause is over, or routes have changed. */
  sendAgain(): void {
    if (this.#ended) return;
    this.#context.retried();
    this.#attempt(this.#context.nowMs());
  }

  /** Leaves a way that has fallen silent, if the request may be sent again. */
  leaveSevered(): void {
    const current = this.#try;
    if (current === undefined || !current.severed) return;
    current.leave();
    this.tryFailed(NetworkErrorCode.linkLost, true, 'the next router does not answer');
  }

  tryTimedOut(_nowMs: number): void {
    this.#try?.leave();
    this.tryFailed(NetworkErrorCode.timeout, true, 'the server did not answer in time');
  }

  /** The time of the whole request is over. */
  timedOut(_nowMs: number): void {
    this.#leaveTry(RequestResult.failure);
    this.#failWith(NetworkErrorCode.timeout, this.#history?.reason ?? 'the request took too long');
  }

  // ---- the answer ----

  interim(status: number, fields: FieldBlock): void {
    this.#responder.interim(status, fields);
  }

  answerHead(head: ResponseHead): void {
    const current = this.#try;
    if (current === undefined) return;
    const { method, upgrade } = this.#head;
    const hasBody = method !== 'HEAD' && head.status !== 204 && head.status !== 304;
    if (head.upgrade ? upgrade === '' : head.hasBody !== hasBody) {
      current.leave();
      this.tryFailed(NetworkErrorCode.badAnswer, true, 'the answer does not fit the request');
      return;
    }
    const context = this.#context;
    this.#status = head.status;
    // gRPC is POST; what it has to say without a body stands in the head.
    this.#failed = failsByStatus(head.status) || (method === 'POST' && head.contentLength <= 0 && failsByGrpcStatus(head.fields));
    this.#upgraded = head.upgrade;
    this.#answerHasBody = head.upgrade || head.hasBody;
    this.#answerLeft = head.upgrade ? -1 : head.contentLength;
    context.tryDeadlines.end(current);
    if (head.upgrade) context.requestDeadlines.end(this);
    const nowMs = context.nowMs();
    this.#flow?.answered(head.fields, nowMs);
    current.server?.firstByte(nowMs - current.startedMs, nowMs);
    this.#held = undefined;
    this.#heldBytes = 0;
    this.#replayable = false;
    this.#record = undefined;
    this.#responder.head(head);
  }

  answerBody(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (!this.#answerHasBody || (this.#answerLeft >= 0 && length > this.#answerLeft)) {
      this.#badAnswer('the answer is longer than it says');
      return;
    }
    if (this.#answerLeft >= 0) this.#answerLeft -= length;
    this.answerBytes += length;
    this.#responder.data(bytes, start, end);
  }

  #badAnswer(reason: string): void {
    this.#try?.leave();
    this.tryFailed(NetworkErrorCode.badAnswer, true, reason);
  }

  answerEnded(trailers: FieldBlock | undefined): void {
    const current = this.#try;
    if (current === undefined) return;
    if (this.#answerHasBody && this.#answerLeft > 0) {
      this.#badAnswer('the answer is shorter than it says');
      return;
    }
    this.#answerEnded = true;
    if (this.#upgraded && current.requestOpen) {
      current.accept();
      this.#responder.end(trailers);
      return;
    }
    current.finish();
    if (trailers !== undefined) {
      this.#failed ||= failsByGrpcStatus(trailers);
      this.#flow?.grpc(trailers);
    }
    this.#endTry(this.#failed ? RequestResult.failure : RequestResult.success);
    this.#finish(undefined);
    this.#responder.end(trailers);
  }

  requestGone(): void {
    if (this.#ended) return;
    this.#try?.finish();
    this.#endTry(RequestResult.success);
    this.#finish(undefined);
  }

  responseWritten(): void {
    this.#try?.acknowledge();
  }

  get pendingAnswerBytes(): number {
    return this.#responder.pendingBytes;
  }

  // ---- end ----

  #failWith(code: NetworkErrorCode, reason: string): void {
    if (this.#ended) return;
    this.#finish(reason, code);
    if (this.#answerEnded) return;
    if (this.#status > 0)
      this.#responder.fail(code === NetworkErrorCode.timeout ? ExchangeFailure.timeout : ExchangeFailure.broken, reason);
    else this.#context.answerError(this.#head, this.#responder, code, reason);
  }

  #finish(reason: string | undefined, code?: NetworkErrorCode): void {
    this.#ended = true;
    this.#flow?.ended({ status: this.#status, failed: this.#failed, code, reason }, this.#bodyBytes, this.answerBytes, this.#address ?? '');
    this.#held = undefined;
    this.#context.retries.remove(this);
    this.#context.requestDeadlines.end(this);
    this.#context.ended(this, reason);
  }

  /** Tells the octets so far, while it goes on. */
  report(): void {
    this.#flow?.report(this.#bodyBytes, this.answerBytes);
  }

  /** Ends it now, e.g. at the end of the time to drain. */
  stop(): void {
    if (this.#ended) return;
    this.#leaveTry(RequestResult.withdrawn);
    this.#failWith(NetworkErrorCode.noServer, 'the site is shutting down');
  }
}
