import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { TrafficMeter } from '../../flows/metering.ts';
import { silentMeter } from '../../flows/silent-metering.ts';
import { discriminator } from '../../base/random.ts';
import type { Random } from '../../base/random.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { BalancedServer } from '../balancing/balanced-server.ts';
import { RetryBudget } from '../balancing/retry-budget.ts';
import type { BalancingPolicy } from '../balancing/server-set.ts';
import type { RetryQueue } from '../tcp/retry-queue.ts';
import type { WindowBudget } from '../tcp/window-budget.ts';
import type { EndOfTurn } from './end-of-turn.ts';
import type { HttpHandler, RequestHead, RequestSink, Responder } from './exchange.ts';
import { ForwardedFields } from './forwarded-fields.ts';
import { IngressExchange } from './ingress-exchange.ts';
import type { IngressContext, ServerChoice } from './ingress-context.ts';
import type { IngressTry } from './ingress-try.ts';
import { IngressUpkeep } from './ingress-upkeep.ts';
import { ReplyAddresses } from './reply-addresses.ts';
import { MessageWriter } from './message-writer.ts';
import { answerWithError } from './network-error.ts';
import type { NetworkErrorCode } from './network-error.ts';
import type { Deadlines } from './request-deadlines.ts';
import { RequestMetering } from './request-metering.ts';
import type { ClientConnection } from './request-metering.ts';

/** Requests that one listener carries at a time. */
export const maxRequests = 65_536;
/** Requests of a service that was reachable so short a time ago wait for it to come back. */
const lingerMs = 2_000;

/** What a listener is configured with. */
export interface HttpIngressOptions {
  /** Names of the site and of the listener, for answers that the network makes itself. */
  readonly site: string;
  readonly service: string;
  readonly balancing: BalancingPolicy;
  /** From the head of a request to the end of its answer; 0 = no limit. Not for connections that were upgraded. */
  readonly requestTimeoutMs: number;
  /** From the start of a try to the head of its answer; 0 = no limit. */
  readonly tryTimeoutMs: number;
  /** Tries of a request that a server may have processed already. */
  readonly maxTries: number;
}

/** What a listener is given by its router. */
export interface HttpIngressContext {
  readonly forwarder: Forwarder;
  /** Service address for the next request; undefined when none is reachable. */
  chooseAddress(): string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly turns: EndOfTurn;
  /** Asks for a call of `handleTimeout` at that time; a later call takes the place of the one before. */
  readonly wakeAt: (dueMs: number) => void;
  readonly windows: WindowBudget;
  readonly log: Logger;
  /** Nobody listens by default. */
  readonly meter?: TrafficMeter;
}

/**
 * The client's side of an HTTP service: each request becomes a message to a server's router, and the answer comes to an address of its own.
 * Chooses the server, tries again where that is safe, and answers itself when nothing else is left.
 */
export class HttpIngress implements HttpHandler, IngressContext {
  readonly #options: HttpIngressOptions;
  readonly #context: HttpIngressContext;
  readonly forwarder: Forwarder;
  readonly windows: WindowBudget;
  readonly writer: MessageWriter = new MessageWriter();
  readonly forwardedFields: ForwardedFields = new ForwardedFields();
  readonly replyAddresses: ReplyAddresses;
  readonly retries: RetryQueue<IngressExchange>;
  readonly retryBudget: RetryBudget = new RetryBudget();
  readonly requestDeadlines: Deadlines<IngressExchange>;
  readonly tryDeadlines: Deadlines<IngressTry>;
  readonly maxTries: number;
  readonly metering: RequestMetering;
  readonly #upkeep: IngressUpkeep;
  readonly #exchanges = new Set<IngressExchange>();
  readonly #requestIdPrefix: string;
  #requestNumber = 0;
  /** The last address that was reachable, and since when it is not. */
  #lastAddress: string | undefined;
  #lostSinceMs = 0;
  #stopped = false;
  /** Requests so far, those that the network had to answer or cut off, and tries beyond the first. */
  requests = 0;
  failed = 0;
  retriesSent = 0;
  #endedBytesIn = 0;
  #endedBytesOut = 0;

  constructor(options: HttpIngressOptions, context: HttpIngressContext) {
    this.#options = options;
    this.#context = context;
    this.forwarder = context.forwarder;
    this.replyAddresses = new ReplyAddresses(context.forwarder);
    this.windows = context.windows;
    this.maxTries = options.maxTries;
    this.metering = new RequestMetering(context.meter ?? silentMeter, context.clock);
    const { balancing, requestTimeoutMs, tryTimeoutMs } = options;
    const { forwarder, random, clock } = context;
    const { writer } = this;
    const wakeAt = (dueMs: number): void => context.wakeAt(dueMs);
    this.#upkeep = new IngressUpkeep({ balancing, requestTimeoutMs, tryTimeoutMs, forwarder, random, writer, clock, wakeAt });
    this.retries = this.#upkeep.retries;
    this.requestDeadlines = this.#upkeep.requestDeadlines;
    this.tryDeadlines = this.#upkeep.tryDeadlines;
    this.#requestIdPrefix = `${discriminator(context.random, 12).replaceAll('+', '.')}-`;
  }

  /** Requests being carried. */
  get active(): number {
    return this.#exchanges.size;
  }

  /** Octets of bodies from clients, and to them. */
  get bytesIn(): number {
    let bytes = this.#endedBytesIn;
    for (const exchange of this.#exchanges) bytes += exchange.requestBytes;
    return bytes;
  }

  get bytesOut(): number {
    let bytes = this.#endedBytesOut;
    for (const exchange of this.#exchanges) bytes += exchange.answerBytes;
    return bytes;
  }

  handle(head: RequestHead, responder: Responder, client?: ClientConnection): RequestSink {
    this.requests++;
    const exchange = new IngressExchange(this, head, responder, client);
    this.#exchanges.add(exchange);
    this.#context.turns.add(exchange);
    return exchange;
  }

  ended(exchange: IngressExchange, failure: string | undefined): void {
    this.#exchanges.delete(exchange);
    this.#endedBytesIn += exchange.requestBytes;
    this.#endedBytesOut += exchange.answerBytes;
    if (failure === undefined) return;
    this.failed++;
    this.#context.log.info('request failed', { service: this.#options.service, reason: failure });
  }

  /** Tells the octets of requests that go on. To be called about once a second while somebody listens. */
  report(): void {
    this.metering.refresh();
    for (const exchange of this.#exchanges) exchange.report();
  }

  get isFull(): boolean {
    return this.#stopped || this.#exchanges.size > maxRequests;
  }

  // ---- what requests ask for ----

  nowMs(): number {
    return this.#context.clock.nowMs();
  }

  touch(): void {
    this.#context.turns.touch();
  }

  retried(): void {
    this.retriesSent++;
  }

  nextRequestId(): string {
    return this.#requestIdPrefix + this.#requestNumber++;
  }

  chooseAddress(): string | undefined {
    const address = this.#context.chooseAddress();
    if (address !== undefined) {
      this.#lastAddress = address;
      this.#lostSinceMs = Infinity;
      return address;
    }
    if (this.#lastAddress === undefined) return undefined;
    const nowMs = this.nowMs();
    if (this.#lostSinceMs === Infinity) this.#lostSinceMs = nowMs;
    return nowMs - this.#lostSinceMs < lingerMs ? this.#lastAddress : undefined;
  }

  servers(address: string): ServerChoice {
    return this.#upkeep.watch(address);
  }

  answerError(request: RequestHead, responder: Responder, code: NetworkErrorCode, reason: string): void {
    const { site, service } = this.#options;
    answerWithError(request, responder, { code, reason, site, service });
  }

  // ---- time ----

  deadlinesChanged(): void {
    this.#upkeep.deadlinesChanged();
  }

  /** The servers of an address, for status. */
  knownServers(address: string): readonly BalancedServer[] {
    return this.#upkeep.watchOf(address)?.servers ?? [];
  }

  /** Routers that are asked for their servers. */
  get watchedRouters(): number {
    let count = 0;
    for (const [, watch] of this.#upkeep.watches) count += watch.watchedRouters;
    return count;
  }

  /** Does what is due. */
  handleTimeout(): void {
    if (!this.#stopped) this.#upkeep.handleTimeout(this.nowMs());
  }

  /** Routes or local consumers have changed. */
  routesChanged(): void {
    if (this.#stopped) return;
    const nowMs = this.nowMs();
    const address = this.#context.chooseAddress();
    if (address === undefined) this.#lostSinceMs = Math.min(this.#lostSinceMs, nowMs);
    else this.servers(this.chooseAddress() ?? address);
    this.#upkeep.routesChanged(nowMs, this.#exchanges);
  }

  /** Ends all requests. */
  stop(): void {
    this.#stopped = true;
    for (const exchange of [...this.#exchanges]) exchange.stop();
    this.#upkeep.stop();
    this.replyAddresses.stop();
  }
}
