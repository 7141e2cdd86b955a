import type { BalancedServer } from '../balancing/balanced-server.ts';
import { ExchangeFailure } from '../http/exchange.ts';
import type { FieldBlock, RequestHead, RequestSink, Responder, ResponseHead } from '../http/exchange.ts';
import { readFields } from '../http/field-block.ts';
import type { Field } from '../http/field-block.ts';
import type { IngressContext, ServerChoice } from '../http/ingress-context.ts';
import { IngressExchange } from '../http/ingress-exchange.ts';
import { NetworkErrorCode } from '../http/network-error.ts';
import { joined } from './event-answer.ts';
import type { EventPart } from './event-answer.ts';

/** Octets of one server's answer; a longer one is cut off and told as an error. */
export const maxPartBytes = 262_144;
/** Octets of a body that are given to a server at a time. */
const pieceBytes = 16_384;

/** What the servers' requests of a listener share, without what differs from server to server. */
export type SharedContext = Omit<IngressContext, 'chooseAddress' | 'servers' | 'nextRequestId' | 'answerError' | 'ended' | 'isFull'>;

/** Who waits for the parts of one event. */
export interface EventOwner {
  readonly requestId: string;
  /** Takes room for octets of an answer; false when there is none. */
  hold(bytes: number): boolean;
  partEnded(): void;
  exchangeBegan(exchange: IngressExchange): void;
  exchangeEnded(exchange: IngressExchange): void;
}

/** What the request of one server asks its listener for. */
class ServerContext implements IngressContext, ServerChoice {
  readonly forwarder: IngressContext['forwarder'];
  readonly writer: IngressContext['writer'];
  readonly windows: IngressContext['windows'];
  readonly forwardedFields: IngressContext['forwardedFields'];
  readonly replyAddresses: IngressContext['replyAddresses'];
  readonly retries: IngressContext['retries'];
  readonly retryBudget: IngressContext['retryBudget'];
  readonly requestDeadlines: IngressContext['requestDeadlines'];
  readonly tryDeadlines: IngressContext['tryDeadlines'];
  readonly maxTries: number;
  readonly metering: IngressContext['metering'];
  readonly isFull = false;
  /** There is this server, and no other. */
  readonly mayBeElsewhere = false;
  readonly #shared: SharedContext;
  readonly #server: BalancedServer;
  readonly #address: string;
  readonly #owner: EventOwner;
  readonly #failed: (code: NetworkErrorCode, reason: string) => void;

  constructor(
    shared: SharedContext,
    server: BalancedServer,
    address: string,
    owner: EventOwner,
    failed: (code: NetworkErrorCode, reason: string) => void,
  ) {
    this.forwarder = shared.forwarder;
    this.writer = shared.writer;
    this.windows = shared.windows;
    this.forwardedFields = shared.forwardedFields;
    this.replyAddresses = shared.replyAddresses;
    this.retries = shared.retries;
    this.retryBudget = shared.retryBudget;
    this.requestDeadlines = shared.requestDeadlines;
    this.tryDeadlines = shared.tryDeadlines;
    this.maxTries = shared.maxTries;
    this.metering = shared.metering;
    this.#shared = shared;
    this.#server = server;
    this.#address = address;
    this.#owner = owner;
    this.#failed = failed;
  }

  choose(_nowMs: number, tried: readonly BalancedServer[]): BalancedServer | undefined {
    return tried.includes(this.#server) ? undefined : this.#server;
  }

  servers(): ServerChoice {
    return this;
  }

  chooseAddress(): string {
    return this.#address;
  }

  nextRequestId(): string {
    return this.#owner.requestId;
  }

  nowMs(): number {
    return this.#shared.nowMs();
  }

  deadlinesChanged(): void {
    this.#shared.deadlinesChanged();
  }

  answerError(_request: RequestHead, _responder: Responder, code: NetworkErrorCode, reason: string): void {
    this.#failed(code, reason);
  }

  touch(): void {
    this.#shared.touch();
  }

  retried(): void {
    this.#shared.retried();
  }

  ended(exchange: IngressExchange): void {
    this.#owner.exchangeEnded(exchange);
  }
}

/** One server's request of an event: it goes to this server and no other, and its answer is kept. */
export class ServerRequest implements Responder {
  readonly #owner: EventOwner;
  readonly #server: BalancedServer;
  readonly #body: Uint8Array;
  readonly #trailers: FieldBlock | undefined;
  readonly pendingBytes = 0;
  #exchange: RequestSink | undefined;
  /** Octets of the body that have been given. */
  #given = 0;
  #isGiving = false;
  #status = 0;
  #fields: readonly Field[] = [];
  readonly #answer: Uint8Array[] = [];
  #answerBytes = 0;
  /** Undefined until the server has answered or failed. */
  part: EventPart | undefined;

  constructor(owner: EventOwner, server: BalancedServer, body: Uint8Array, trailers: FieldBlock | undefined) {
    this.#owner = owner;
    this.#server = server;
    this.#body = body;
    this.#trailers = trailers;
  }

  /** Sends the request. The part may be there at once. */
  start(shared: SharedContext, address: string, head: RequestHead): void {
    const owner = this.#owner;
    const context = new ServerContext(shared, this.#server, address, owner, (code, reason) => this.#failed(code, reason));
    const exchange = new IngressExchange(context, head, this);
    this.#exchange = exchange;
    owner.exchangeBegan(exchange);
    this.#give();
  }

  /** Gives the body as fast as the way takes it. */
  #give(): void {
    const exchange = this.#exchange;
    if (exchange === undefined || this.#isGiving || this.#given > this.#body.length) return;
    this.#isGiving = true;
    const { length } = this.#body;
    while (this.#given < length && !exchange.congested && this.part === undefined) {
      const end = Math.min(length, this.#given + pieceBytes);
      exchange.data(this.#body, this.#given, end);
      this.#given = end;
    }
    this.#isGiving = false;
    if (this.#given < length || this.part !== undefined) return;
    // So that it ends once.
    this.#given = length + 1;
    exchange.end(this.#trailers);
  }

  requestRelieved(): void {
    this.#give();
  }

  interim(): void {}

  head(head: ResponseHead): void {
    this.#status = head.status;
    // What the network says itself in a part must not come from a server.
    this.#fields = readFields(head.fields).filter(({ name }) => !name.startsWith('caravan-'));
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.part !== undefined) return;
    if (this.#answerBytes + end - start > maxPartBytes || !this.#owner.hold(end - start)) {
      this.#exchange?.abort(ExchangeFailure.cancelled);
      this.#end({ error: { code: 'answer-too-long', reason: `the answer has more than ${maxPartBytes} bytes, or all answers too many` } });
      return;
    }
    this.#answerBytes += end - start;
    this.#answer.push(bytes.slice(start, end));
  }

  end(): void {
    this.#end({ answer: { status: this.#status, fields: this.#fields, body: joined(this.#answer) } });
  }

  fail(failure: ExchangeFailure, reason: string): void {
    this.#failed(failure === ExchangeFailure.timeout ? NetworkErrorCode.timeout : NetworkErrorCode.serverFailed, reason);
  }

  #failed(code: NetworkErrorCode, reason: string): void {
    this.#end({ error: { code, reason } });
  }

  #end(result: Pick<EventPart, 'answer' | 'error'>): void {
    if (this.part !== undefined) return;
    this.part = { site: this.#server.routerId, server: this.#server.id, ...result };
    this.#owner.partEnded();
  }

  /** Nobody wants the answer any more. */
  abort(): void {
    if (this.part === undefined) this.#exchange?.abort(ExchangeFailure.cancelled);
  }
}
