import assert from 'node:assert/strict';
import { silentLogger } from '../../src/base/log.ts';
import { VirtualNetwork } from '../../src/sim/virtual-network.ts';
import type { VirtualLink } from '../../src/sim/virtual-link.ts';
import { VirtualRouter } from '../../src/sim/virtual-router.ts';
import type { EndOfTurn, EndOfTurnTask } from '../../src/services/http/end-of-turn.ts';
import { maxPendingBytes } from '../../src/services/http/exchange.ts';
import type {
  ExchangeFailure,
  FieldBlock,
  HttpHandler,
  RequestHead,
  RequestSink,
  Responder,
  ResponseHead,
} from '../../src/services/http/exchange.ts';
import { buildFields, noFields, readFields } from '../../src/services/http/field-block.ts';
import { HttpEgress } from '../../src/services/http/http-egress.ts';
import { HttpIngress } from '../../src/services/http/http-ingress.ts';
import type { HttpIngressOptions } from '../../src/services/http/http-ingress.ts';
import type { HttpServer, HttpServerOptions } from '../../src/services/http/http-server.ts';
import { windowBytes } from '../../src/services/tcp/tcp-stream.ts';
import { WindowBudget } from '../../src/services/tcp/window-budget.ts';

class ChangingRouter extends VirtualRouter {
  routesChanged: (() => void) | undefined;

  override endOfTurn(): void {
    const mayHaveChanged = this.control.isDirty;
    super.endOfTurn();
    if (!mayHaveChanged || this.routesChanged === undefined) return;
    this.routesChanged();
    this.touch();
  }
}

/** HTTP services of routers in virtual time: what a router's composition root does with sockets and timers. */
export class HttpRouter {
  readonly router: ChangingRouter;
  readonly #network: VirtualNetwork;
  readonly #turns: EndOfTurn;
  readonly egress: HttpEgress;
  readonly windows = new WindowBudget();
  readonly ingresses: HttpIngress[] = [];
  readonly servers: HttpServer[] = [];

  constructor(network: VirtualNetwork, id: string) {
    this.#network = network;
    this.router = new ChangingRouter(network, id);
    this.#turns = {
      add: (task: EndOfTurnTask) => network.at(0, () => this.#turn(() => task.endOfTurn())),
      touch: () => this.router.touch(),
    };
    this.egress = new HttpEgress(this.context(() => this.egress.handleTimeout()));
    this.router.routesChanged = (): void => {
      for (const ingress of this.ingresses) ingress.routesChanged();
    };
  }

  #turn(work: () => void): void {
    if (!this.router.isAlive) return;
    work();
    this.router.touch();
  }

  context(due: () => void) {
    const { router } = this;
    let asked = 0;
    return {
      forwarder: router.control.forwarder,
      clock: { nowMs: () => router.nowMs(), wallMs: () => router.nowMs() },
      random: router.random,
      turns: this.#turns,
      windows: this.windows,
      log: silentLogger,
      wakeAt: (dueMs: number): void => {
        const number = ++asked;
        router.after(Math.max(0, dueMs - router.nowMs()), () => {
          if (number === asked) this.#turn(due);
        });
      },
    };
  }

  listen(address: string, options: Partial<HttpIngressOptions> = {}): HttpIngress {
    const { forwarder } = this.router.control;
    const ingress: HttpIngress = new HttpIngress(
      {
        site: this.router.id,
        service: address,
        balancing: 'balanced',
        requestTimeoutMs: 0,
        tryTimeoutMs: 0,
        maxTries: 3,
        ...options,
      },
      {
        ...this.context(() => ingress.handleTimeout()),
        chooseAddress: () => (forwarder.reachable(address) ? address : undefined),
      },
    );
    this.ingresses.push(ingress);
    return ingress;
  }

  /** A listener whose address is reachable. */
  reach(address: string, options: Partial<HttpIngressOptions> = {}): HttpIngress {
    const ingress = this.listen(address, options);
    this.#network.runUntil(() => this.router.control.forwarder.reachable(address), 3000);
    this.#network.run(100);
    return ingress;
  }

  serve(name: string, handler: HttpHandler, options: Partial<HttpServerOptions> = {}): HttpServer {
    const server = this.egress.add({ name, address: 'service', priority: 0, overflow: 0, maxRequests: 1024, ...options }, handler);
    this.servers.push(server);
    return server;
  }

  /** A client's request. */
  request(ingress: HttpIngress, head: Partial<RequestHead> = {}): ClientRequest {
    return new ClientRequest(ingress, { ...plainRequest, ...head }, (work) => this.#turn(work));
  }
}

export const plainRequest: RequestHead = {
  method: 'GET',
  scheme: 'http',
  authority: 'shop.example:8080',
  path: '/',
  fields: noFields,
  contentLength: 0,
  expectContinue: false,
  upgrade: '',
  client: '192.0.2.7',
};

export function fields(...lines: string[]): FieldBlock {
  return buildFields(lines.map((line) => ({ name: line.slice(0, line.indexOf(':')), value: line.slice(line.indexOf(':') + 1).trim() })));
}

export function text(block: FieldBlock): string[] {
  return readFields(block).map(({ name, value }) => `${name}: ${value}`);
}

export function answer(head: Partial<ResponseHead> = {}): ResponseHead {
  return { status: 200, fields: noFields, contentLength: -1, hasBody: true, upgrade: false, ...head };
}

/** Octets one after another. */
class Gathered {
  readonly chunks: Uint8Array[] = [];
  length = 0;

  add(bytes: Uint8Array, start: number, end: number): void {
    this.chunks.push(bytes.slice(start, end));
    this.length += end - start;
  }

  get bytes(): Uint8Array {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }
}

/** A client's end of one exchange. */
export class ClientRequest implements Responder {
  readonly #sink: RequestSink;
  readonly #turn: (work: () => void) => void;
  readonly interims: number[] = [];
  answer: ResponseHead | undefined;
  readonly body = new Gathered();
  trailers: FieldBlock | undefined;
  /** `end`, or why it failed. */
  over: 'end' | ExchangeFailure | undefined;
  reason = '';
  relieved = 0;
  /** A client that does not read. */
  reading = true;
  pendingBytes = 0;

  constructor(handler: HttpHandler, head: RequestHead, turn: (work: () => void) => void) {
    this.#turn = turn;
    let sink!: RequestSink;
    turn(() => {
      sink = handler.handle(head, this);
    });
    this.#sink = sink;
  }

  get status(): number {
    return this.answer?.status ?? 0;
  }

  get congested(): boolean {
    return this.#sink.congested;
  }

  send(bytes: Uint8Array): void {
    this.#turn(() => this.#sink.data(bytes, 0, bytes.length));
  }

  /** Completes the request. */
  finish(trailers?: FieldBlock): this {
    this.#turn(() => this.#sink.end(trailers));
    return this;
  }

  abort(failure: ExchangeFailure): void {
    this.#turn(() => this.#sink.abort(failure));
  }

  /** What waited has gone to the client. */
  read(): void {
    this.reading = true;
    this.pendingBytes = 0;
    this.#turn(() => this.#sink.responseWritten());
  }

  #check(): void {
    if (this.over !== undefined) throw new Error('called after the end');
  }

  interim(status: number): void {
    this.#check();
    this.interims.push(status);
  }

  head(head: ResponseHead): void {
    this.#check();
    if (this.answer !== undefined) throw new Error('a second head');
    this.answer = head;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#check();
    if (this.answer === undefined) throw new Error('octets before the head');
    this.body.add(bytes, start, end);
    if (!this.reading) this.pendingBytes += end - start;
  }

  fail(failure: ExchangeFailure, reason: string): void {
    this.#check();
    this.over = failure;
    this.reason = reason;
  }

  requestRelieved(): void {
    this.relieved++;
  }

  end(trailers: FieldBlock | undefined): void {
    this.#check();
    if (this.answer === undefined) throw new Error('an end before the head');
    this.over = 'end';
    this.trailers = trailers;
  }
}

/** A server's end of one exchange. */
export class ServedRequest implements RequestSink {
  readonly head: RequestHead;
  readonly responder: Responder;
  readonly body = new Gathered();
  trailers: FieldBlock | undefined;
  ended = false;
  aborted: ExchangeFailure | undefined;
  congested = false;
  written = 0;
  #onEnd: (() => void) | undefined;

  constructor(head: RequestHead, responder: Responder) {
    this.head = head;
    this.responder = responder;
  }

  /** Called when the request is complete. */
  set onEnd(work: () => void) {
    this.#onEnd = work;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.ended || this.aborted !== undefined) throw new Error('octets after the end');
    this.body.add(bytes, start, end);
  }

  end(trailers: FieldBlock | undefined): void {
    if (this.ended || this.aborted !== undefined) throw new Error('a second end');
    this.ended = true;
    this.trailers = trailers;
    this.#onEnd?.();
  }

  abort(failure: ExchangeFailure): void {
    this.aborted = failure;
  }

  responseWritten(): void {
    this.written++;
  }

  /** Answers with a text. */
  reply(body: string, head: Partial<ResponseHead> = {}): void {
    const bytes = new TextEncoder().encode(body);
    this.responder.head(answer({ contentLength: bytes.length, ...head }));
    if (bytes.length > 0) this.responder.data(bytes, 0, bytes.length);
    this.responder.end(undefined);
  }

  get full(): boolean {
    return this.responder.pendingBytes >= maxPendingBytes;
  }
}

/** A server that keeps its requests for the test to answer, or does with each what `serve` says. */
export class TestServer implements HttpHandler {
  readonly requests: ServedRequest[] = [];
  readonly #serve: ((request: ServedRequest) => void) | undefined;

  constructor(serve?: (request: ServedRequest) => void) {
    this.#serve = serve;
  }

  handle(head: RequestHead, responder: Responder): RequestSink {
    const request = new ServedRequest(head, responder);
    this.requests.push(request);
    this.#serve?.(request);
    return request;
  }

  get last(): ServedRequest {
    const last = this.requests.at(-1);
    if (last === undefined) throw new Error('no request has come');
    return last;
  }
}

/** Answers each request with this text when it is complete. */
export function replying(body: string): TestServer {
  return new TestServer((request) => {
    request.onEnd = () => request.reply(body);
  });
}

/** Nothing is left of any request: no address, no delivery, no stream, no octet of a window. */
export function assertAtRest(network: VirtualNetwork, routers: readonly HttpRouter[]): void {
  network.run(500);
  for (const { router, windows, ingresses, servers } of routers) {
    const { forwarder } = router.control;
    assert.equal(forwarder.incoming.inFlight, 0, `${router.id}: deliveries from neighbours`);
    assert.equal(forwarder.outgoing.inFlight, 0, `${router.id}: deliveries to neighbours`);
    assert.equal(windows.windowOf(0), windowBytes, `${router.id}: windows`);
    const watched = ingresses.reduce((sum, ingress) => sum + ingress.watchedRouters, 0);
    assert.equal(
      forwarder.temporaryAddresses,
      watched + servers.filter(({ isOffered }) => isOffered).length,
      `${router.id}: addresses for answers`,
    );
    for (const ingress of ingresses) assert.equal(ingress.active, 0, `${router.id}: requests of clients`);
    for (const server of servers) assert.equal(server.outstanding, 0, `${router.id}: requests to ${server.options.name}`);
  }
}

/** Routers in a row. */
export class Chain {
  readonly network: VirtualNetwork;
  readonly routers: readonly HttpRouter[];
  readonly links: readonly VirtualLink[];

  constructor(length: number, seed = 1) {
    this.network = new VirtualNetwork(seed);
    this.routers = Array.from({ length }, (_, index) => new HttpRouter(this.network, `r${index}`));
    this.links = this.routers.slice(1).map(({ router }, index) => this.network.link(this.routers[index].router, router));
  }

  assertAtRest(): void {
    assertAtRest(this.network, this.routers);
  }

  get first(): HttpRouter {
    return this.routers[0];
  }

  get last(): HttpRouter {
    return this.routers.at(-1) ?? this.routers[0];
  }
}
