import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import { TextCache } from '../../amqp/text-cache.ts';
import type { FlowSupplement } from '../../flows/metering.ts';
import { silentSupplement } from '../../flows/silent-metering.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { Downstream, LocalConsumer, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import type { BalancedServer } from '../balancing/balanced-server.ts';
import type { ServerView } from '../balancing/balanced-server.ts';
import { RequestResult } from '../balancing/circuit-breaker.ts';
import type { WindowBudget } from '../tcp/window-budget.ts';
import { overloadedCondition } from './conditions.ts';
import { EgressExchange } from './egress-exchange.ts';
import type { EgressContext, OriginLoad } from './egress-exchange.ts';
import type { EndOfTurn } from './end-of-turn.ts';
import { ExchangeFailure } from './exchange.ts';
import type { HttpHandler } from './exchange.ts';
import type { MessageWriter } from './message-writer.ts';
import { httpContentType } from './message-writer.ts';
import { RefusedRequest } from './refused-request.ts';
import { failsByStatus } from './request-result.ts';

/** What a connector is configured with. */
export interface HttpServerOptions {
  /** Of the connector: unique at its router. */
  readonly name: string;
  /** Service address under which it is offered. */
  readonly address: string;
  /** 0 is the first choice. */
  readonly priority: number;
  /** Servers of the next priority are used as well from this backlog on; 0 = never. */
  readonly overflow: number;
  /** Requests at a time; more are refused, so that they go elsewhere. */
  readonly maxRequests: number;
}

/** What the servers of a router share. */
export interface HttpServerContext {
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  readonly turns: EndOfTurn;
  readonly windows: WindowBudget;
  readonly writer: MessageWriter;
  readonly log: Logger;
  /** Adds to records of requests; nobody listens by default. */
  readonly supplement?: FlowSupplement;
  /** The server is ready or not any more. */
  readinessChanged(): void;
  /** A request from this router has come or ended. */
  loadChanged(origin: string): void;
}

/** Routers without requests that are remembered. */
const maxRestingOrigins = 64;

/** A server that HTTP requests go to: takes the messages of its own address, and those of the service address that it is chosen for. */
export class HttpServer implements LocalConsumer, EgressContext {
  readonly options: HttpServerOptions;
  /** In addresses, `amqp:/_topo/0/<router>/<id>`. */
  id = '';
  /** It takes requests. */
  isOffered = true;
  readonly handler: HttpHandler;
  readonly #context: HttpServerContext;
  readonly forwarder: Forwarder;
  readonly writer: MessageWriter;
  readonly texts: TextCache = new TextCache();
  readonly windows: WindowBudget;
  readonly turns: EndOfTurn;
  readonly clock: Clock;
  readonly supplement: FlowSupplement;
  readonly #exchanges = new Set<EgressExchange>();
  /** Requests in progress by the router they came from. */
  readonly #byOrigin = new Map<string, OriginLoad>();
  /** They come from few. */
  #lastOrigin: OriginLoad = { origin: '', requests: 0 };
  /** As candidate for requests that were sent to the service address. */
  balanced: BalancedServer | undefined;
  #isReady = true;
  #isConcealed = false;
  requests = 0;
  failed = 0;
  /** Why the last request failed; undefined after a success. */
  lastFailure: string | undefined;
  #endedBytesIn = 0;
  #endedBytesOut = 0;

  constructor(options: HttpServerOptions, handler: HttpHandler, context: HttpServerContext) {
    this.options = options;
    this.handler = handler;
    this.#context = context;
    this.forwarder = context.forwarder;
    this.writer = context.writer;
    this.windows = context.windows;
    this.turns = context.turns;
    this.clock = context.clock;
    this.supplement = context.supplement ?? silentSupplement;
  }

  /** Requests in progress: not settled. */
  get outstanding(): number {
    return this.#exchanges.size;
  }

  get isReady(): boolean {
    return this.#isReady && !this.#isConcealed;
  }

  /** Octets of bodies from clients, that is to the server. */
  get bytesIn(): number {
    let bytes = this.#endedBytesIn;
    for (const exchange of this.#exchanges) bytes += exchange.requestBytes;
    return bytes;
  }

  /** Octets of bodies from the server. */
  get bytesOut(): number {
    let bytes = this.#endedBytesOut;
    for (const exchange of this.#exchanges) bytes += exchange.answerBytes;
    return bytes;
  }

  /** What a router is told of it. */
  view(asker: string): ServerView {
    const { priority, overflow, maxRequests } = this.options;
    return { id: this.id, ready: this.isReady, others: this.othersThan(asker), priority, overflow, maxRequests };
  }

  othersThan(origin: string): number {
    return this.#exchanges.size - (this.#byOrigin.get(origin)?.requests ?? 0);
  }

  /** Whether requests are to go to it, as far as is known. */
  setReady(isReady: boolean): void {
    if (isReady === this.#isReady) return;
    this.#isReady = isReady;
    this.#readinessChanged();
  }

  /** New requests are to go elsewhere; it takes what still comes. */
  conceal(): void {
    if (this.#isConcealed) return;
    this.#isConcealed = true;
    this.#readinessChanged();
  }

  #readinessChanged(): void {
    this.#context.readinessChanged();
    this.turns.touch();
  }

  deliver(head: MessageHead, upstream: Upstream, origin: string): Downstream {
    const { replyTo } = head;
    if (head.contentType !== httpContentType || replyTo === null) return new RefusedRequest(upstream, DeliveryState.released, undefined);
    if (!this.forwarder.table.mayConsume(origin, this.options.address)) {
      return new RefusedRequest(upstream, DeliveryState.rejected, {
        condition: 'amqp:unauthorized-access',
        description: 'the router that the request came from may not use this service',
      });
    }
    if (this.#exchanges.size >= this.options.maxRequests) {
      const description = `the server has its ${this.options.maxRequests} requests`;
      return new RefusedRequest(upstream, DeliveryState.rejected, { condition: overloadedCondition, description });
    }
    this.requests++;
    const load = this.#loadOf(origin);
    load.requests++;
    const exchange = new EgressExchange(this, head, replyTo, load, upstream);
    this.#exchanges.add(exchange);
    exchange.isProbe = this.balanced?.started(this.#context.clock.nowMs()) ?? false;
    this.#context.loadChanged(origin);
    return exchange;
  }

  served(exchange: EgressExchange, status: number, failure: ExchangeFailure | undefined, reason: string): void {
    this.balanced?.ended(resultOf(status, failure), exchange.isProbe, this.#context.clock.nowMs());
    exchange.told?.ended(this.id, failure === undefined ? undefined : reason);
    if (failure === undefined) {
      this.lastFailure = undefined;
      return;
    }
    if (failure === ExchangeFailure.cancelled) return;
    this.failed++;
    this.lastFailure = reason;
    this.#context.log.info('request to the server failed', { server: this.options.name, reason });
  }

  settled(exchange: EgressExchange): void {
    this.#exchanges.delete(exchange);
    this.#endedBytesIn += exchange.requestBytes;
    this.#endedBytesOut += exchange.answerBytes;
    const { load } = exchange;
    load.requests--;
    if (load.requests === 0 && load !== this.#lastOrigin && this.#byOrigin.size > maxRestingOrigins) this.#byOrigin.delete(load.origin);
    this.#context.loadChanged(load.origin);
  }

  #loadOf(origin: string): OriginLoad {
    if (this.#lastOrigin.origin === origin) return this.#lastOrigin;
    let load = this.#byOrigin.get(origin);
    if (load === undefined) {
      load = { origin, requests: 0 };
      this.#byOrigin.set(origin, load);
    }
    this.#lastOrigin = load;
    return load;
  }

  /** Ends all requests. */
  stop(): void {
    for (const exchange of [...this.#exchanges]) exchange.stop();
  }
}

function resultOf(status: number, failure: ExchangeFailure | undefined): RequestResult {
  switch (failure) {
    case undefined:
      return failsByStatus(status) ? RequestResult.failure : RequestResult.success;
    case ExchangeFailure.cancelled:
      return RequestResult.withdrawn;
    case ExchangeFailure.unreachable:
      return RequestResult.unreachable;
    default:
      return RequestResult.failure;
  }
}
