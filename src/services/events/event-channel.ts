import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { silentMeter } from '../../flows/silent-metering.ts';
import { discriminator } from '../../base/random.ts';
import type { Random } from '../../base/random.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import { RetryBudget } from '../balancing/retry-budget.ts';
import type { EndOfTurn } from '../http/end-of-turn.ts';
import type { HttpHandler, RequestHead, RequestSink, Responder } from '../http/exchange.ts';
import { ForwardedFields } from '../http/forwarded-fields.ts';
import type { HttpIngressContext } from '../http/http-ingress.ts';
import type { IngressExchange } from '../http/ingress-exchange.ts';
import type { IngressTry } from '../http/ingress-try.ts';
import { IngressUpkeep } from '../http/ingress-upkeep.ts';
import { MessageWriter } from '../http/message-writer.ts';
import { answerWithError, NetworkErrorCode } from '../http/network-error.ts';
import { ReplyAddresses } from '../http/reply-addresses.ts';
import type { Deadlines } from '../http/request-deadlines.ts';
import { RequestMetering } from '../http/request-metering.ts';
import type { ServerWatch } from '../http/server-watch.ts';
import type { RetryQueue } from '../tcp/retry-queue.ts';
import type { WindowBudget } from '../tcp/window-budget.ts';
import type { EventChannelForm, EventPart } from './event-answer.ts';
import { EventRequest } from './event-request.ts';
import type { EventContext } from './event-request.ts';

/** Every server has answered by then, or its part says that it has not: a client waits for the slowest of them. */
export const defaultEventTimeoutMs = 30_000;
/**
 * Routers tell of their servers within a round trip. Events go to those that are known when some router has been silent for this long, and
 * from then on at once.
 */
export const knowServersMs = 2_000;
/** Events for a service that was reachable so short a time ago wait for it to come back. */
const lingerMs = 2_000;
/** While servers are not known, it is looked again this often. */
const lookAgainMs = 20;
/** Servers of one event: each costs a message and a part. */
export const maxEventServers = 1_024;
/** Events that one listener carries at a time. */
export const maxEvents = 1_024;
/** Octets of bodies and answers that one listener keeps. */
export const maxHeldBytes = 67_108_864;

export interface EventChannelOptions {
  /** Names of the site and of the listener, for answers that the network makes itself. */
  readonly site: string;
  readonly service: string;
  readonly form: EventChannelForm;
  /** For the answers of all servers; 0 = `defaultEventTimeoutMs`. */
  readonly requestTimeoutMs: number;
  /** Until one server has begun to answer; 0 = no limit of its own. */
  readonly tryTimeoutMs: number;
}

/**
 * The client's side of an HTTP service whose requests are events: each goes to all servers of the network once, and their answers become one.
 * No server gets it twice: a request that a server may have processed is not sent again.
 */
export class EventChannel implements HttpHandler, EventContext {
  readonly form: EventChannelForm;
  readonly random: Random;
  readonly forwarder: Forwarder;
  readonly windows: WindowBudget;
  readonly writer: MessageWriter = new MessageWriter();
  readonly forwardedFields: ForwardedFields = new ForwardedFields();
  readonly replyAddresses: ReplyAddresses;
  readonly retries: RetryQueue<IngressExchange>;
  readonly retryBudget: RetryBudget = new RetryBudget();
  readonly requestDeadlines: Deadlines<IngressExchange>;
  readonly tryDeadlines: Deadlines<IngressTry>;
  readonly maxTries = 1;
  /** Of each server's part. */
  readonly metering: RequestMetering;
  readonly #options: EventChannelOptions;
  readonly #clock: Clock;
  readonly #turns: EndOfTurn;
  readonly #log: Logger;
  readonly #chooseAddress: () => string | undefined;
  readonly #upkeep: IngressUpkeep;
  /** Since when some router has not told of its servers, by address. */
  readonly #unknownSinceMs = new Map<string, number>();
  readonly #events = new Set<EventRequest>();
  /** Events that wait for routers to tell of their servers. */
  readonly #waiting = new Set<EventRequest>();
  readonly #exchanges = new Set<IngressExchange>();
  readonly #requestIdPrefix: string;
  #requestNumber = 0;
  /** Since when the service is not reachable; Infinity while it is. */
  #lostSinceMs = -Infinity;
  #heldBytes = 0;
  #stopped = false;
  /** Events so far, and those that no server has answered. */
  requests = 0;
  failed = 0;
  #endedBytesIn = 0;
  #endedBytesOut = 0;

  constructor(options: EventChannelOptions, context: HttpIngressContext) {
    const { forwarder, random, windows, clock, turns, log } = context;
    this.#options = options;
    this.form = options.form;
    this.forwarder = forwarder;
    this.replyAddresses = new ReplyAddresses(forwarder);
    this.random = random;
    this.windows = windows;
    this.#clock = clock;
    this.#turns = turns;
    this.#log = log;
    this.#chooseAddress = () => context.chooseAddress();
    this.metering = new RequestMetering(context.meter ?? silentMeter, clock);
    const { writer } = this;
    this.#upkeep = new IngressUpkeep({
      balancing: 'balanced',
      requestTimeoutMs: options.requestTimeoutMs === 0 ? defaultEventTimeoutMs : options.requestTimeoutMs,
      tryTimeoutMs: options.tryTimeoutMs,
      forwarder,
      random,
      writer,
      clock,
      wakeAt: (dueMs) => context.wakeAt(dueMs),
    });
    this.retries = this.#upkeep.retries;
    this.requestDeadlines = this.#upkeep.requestDeadlines;
    this.tryDeadlines = this.#upkeep.tryDeadlines;
    this.#requestIdPrefix = `${discriminator(random, 12).replaceAll('+', '.')}-`;
  }

  /** Events under way. */
  get active(): number {
    return this.#events.size;
  }

  /** Octets of events, and of the answers to them. */
  get bytesIn(): number {
    let bytes = this.#endedBytesIn;
    for (const event of this.#events) bytes += event.requestBytes;
    return bytes;
  }

  get bytesOut(): number {
    let bytes = this.#endedBytesOut;
    for (const event of this.#events) bytes += event.answerBytes;
    return bytes;
  }

  handle(head: RequestHead, responder: Responder): RequestSink {
    this.requests++;
    const event = new EventRequest(this, head, responder);
    this.#events.add(event);
    this.#turns.add(event);
    return event;
  }

  /** Tells the octets of requests that go on. To be called about once a second while somebody listens. */
  report(): void {
    this.metering.refresh();
    for (const exchange of this.#exchanges) exchange.report();
  }

  // ---- what events ask for ----

  nowMs(): number {
    return this.#clock.nowMs();
  }

  touch(): void {
    this.#turns.touch();
  }

  retried(): void {}

  nextRequestId(): string {
    return this.#requestIdPrefix + (this.#requestNumber++).toString(36);
  }

  hold(bytes: number): boolean {
    if (this.#heldBytes + bytes > maxHeldBytes) return false;
    this.#heldBytes += bytes;
    return true;
  }

  answerError(request: RequestHead, responder: Responder, code: NetworkErrorCode, reason: string): void {
    const { site, service } = this.#options;
    answerWithError(request, responder, { code, reason, site, service });
  }

  exchangeBegan(exchange: IngressExchange): void {
    this.#exchanges.add(exchange);
  }

  exchangeEnded(exchange: IngressExchange): void {
    this.#exchanges.delete(exchange);
  }

  complete(event: EventRequest): void {
    if (this.#stopped || this.#events.size > maxEvents) {
      event.refuse(NetworkErrorCode.overloaded, 'the listener has as many events as it can carry');
      return;
    }
    this.#waiting.add(event);
    this.#begin(event);
  }

  ended(event: EventRequest, heldBytes: number, failure: string | undefined): void {
    this.#events.delete(event);
    this.#waiting.delete(event);
    this.#heldBytes -= heldBytes;
    this.#endedBytesIn += event.requestBytes;
    this.#endedBytesOut += event.answerBytes;
    if (failure === undefined) return;
    this.failed++;
    this.#log.info('event failed', { service: this.#options.service, reason: failure });
  }

  /** Sends the event when all servers are known, or when it has waited for that long enough. */
  #begin(event: EventRequest): void {
    const nowMs = this.nowMs();
    const address = this.#reachableAddress(nowMs);
    if (address === undefined) {
      if (nowMs - this.#lostSinceMs < lingerMs) this.#lookAgain(nowMs);
      else event.refuse(NetworkErrorCode.noServer, 'no server of this service is connected to the network');
      return;
    }
    const watch = this.#upkeep.watch(address);
    if (nowMs - this.#unknownSince(address, watch, nowMs) < knowServersMs) {
      this.#lookAgain(nowMs);
      return;
    }
    this.#waiting.delete(event);
    const { servers } = watch;
    const silent = this.#silent(address, watch);
    if (servers.length > maxEventServers) {
      event.refuse(NetworkErrorCode.overloaded, `the service has more than ${maxEventServers} servers`);
    } else if (servers.length + silent.length === 0) {
      event.refuse(NetworkErrorCode.noServer, 'no server of this service is ready');
    } else event.start(address, servers, silent);
  }

  #lookAgain(nowMs: number): void {
    this.#upkeep.alsoAt(nowMs + lookAgainMs);
  }

  #reachableAddress(nowMs: number): string | undefined {
    const address = this.#chooseAddress();
    if (address !== undefined) this.#lostSinceMs = Infinity;
    else if (this.#lostSinceMs === Infinity) this.#lostSinceMs = nowMs;
    return address;
  }

  /** Since when it is not known what all routers have; -Infinity when it is known. */
  #unknownSince(address: string, watch: ServerWatch, nowMs: number): number {
    if (!watch.mayBeElsewhere) {
      this.#unknownSinceMs.delete(address);
      return -Infinity;
    }
    const sinceMs = this.#unknownSinceMs.get(address) ?? nowMs;
    this.#unknownSinceMs.set(address, sinceMs);
    return sinceMs;
  }

  /** Parts for routers that have servers and have not told which. */
  #silent(address: string, watch: ServerWatch): readonly EventPart[] {
    if (!watch.mayBeElsewhere) return [];
    const known = new Set(watch.servers.map(({ routerId }) => routerId));
    const routers = this.forwarder.routersOf(address).filter(({ routerId }) => !known.has(routerId));
    return routers.map(({ routerId }) => ({
      site: routerId,
      server: '',
      error: { code: NetworkErrorCode.noServer, reason: 'the router did not tell of its servers' },
    }));
  }

  // ---- time ----

  deadlinesChanged(): void {
    this.#upkeep.deadlinesChanged();
  }

  /** Does what is due. */
  handleTimeout(): void {
    if (this.#stopped) return;
    this.#upkeep.handleTimeout(this.nowMs(), () => {
      for (const event of [...this.#waiting]) this.#begin(event);
    });
  }

  /** Routes or local consumers have changed. */
  routesChanged(): void {
    if (this.#stopped) return;
    const nowMs = this.nowMs();
    const address = this.#reachableAddress(nowMs);
    if (address !== undefined) this.#upkeep.watch(address);
    this.#upkeep.routesChanged(nowMs, this.#exchanges);
    for (const [watched, watch] of this.#upkeep.watches) this.#unknownSince(watched, watch, nowMs);
  }

  /** Ends all events. */
  stop(): void {
    this.#stopped = true;
    for (const event of [...this.#events]) event.stop();
    this.#upkeep.stop();
    this.replyAddresses.stop();
  }
}
