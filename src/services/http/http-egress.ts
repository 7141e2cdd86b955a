import type { Clock } from '../../base/clock.ts';
import { WeatherError } from '../../base/errors.ts';
import type { FlowSupplement } from '../../flows/metering.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import type { ServerView } from '../balancing/balanced-server.ts';
import { ServerSet } from '../balancing/server-set.ts';
import { Refusal } from '../tcp/listener.ts';
import type { WindowBudget } from '../tcp/window-budget.ts';
import type { EndOfTurn } from './end-of-turn.ts';
import type { HttpHandler } from './exchange.ts';
import { HttpServer } from './http-server.ts';
import type { HttpServerOptions } from './http-server.ts';
import { MessageWriter } from './message-writer.ts';
import { servicesName } from './server-view-codec.ts';
import { ViewTeller } from './view-teller.ts';
import type { ViewSource } from './view-teller.ts';

/** What a router gives to its HTTP servers. */
export interface HttpEgressContext {
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  readonly random: Random;
  readonly turns: EndOfTurn;
  /** Asks for a call of `handleTimeout` at that time; a later call takes the place of the one before. */
  readonly wakeAt: (dueMs: number) => void;
  readonly windows: WindowBudget;
  readonly log: Logger;
}

/** The servers' side of all HTTP services of a router: one consumer per service address, and one address per server. */
export class HttpEgress implements ViewSource {
  readonly #context: HttpEgressContext;
  readonly #writer = new MessageWriter();
  readonly #services = new Map<string, LocalService>();
  readonly #teller: ViewTeller;
  #wakeAtMs = Infinity;

  constructor(context: HttpEgressContext) {
    const { forwarder, clock } = context;
    this.#context = context;
    this.#teller = new ViewTeller(
      forwarder,
      this,
      this.#writer,
      () => clock.nowMs(),
      (dueMs) => this.#wake(dueMs),
    );
    forwarder.addLocal(servicesName, this.#teller);
  }

  views(address: string, asker: string): readonly ServerView[] {
    return this.#services.get(address)?.views(asker) ?? [];
  }

  #wake(dueMs: number): void {
    if (dueMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = dueMs;
    this.#context.wakeAt(dueMs);
  }

  /** Offers a server, with what adds to the records of its requests. Throws WeatherError `too-many-addresses`. */
  add(options: HttpServerOptions, handler: HttpHandler, supplement?: FlowSupplement): HttpServer {
    const { forwarder, clock, random, turns, windows, log } = this.#context;
    const writer = this.#writer;
    let service = this.#services.get(options.address);
    if (service === undefined) {
      service = new LocalService(forwarder, clock, random);
      if (!forwarder.addConsumer(options.address, service)) {
        throw new WeatherError('too-many-addresses', `httpConnector '${options.name}': this router offers as many addresses as it can`, {
          remedy: 'offer some of them at another site, or let several connectors share an address',
        });
      }
      this.#services.set(options.address, service);
    }
    const local = service;
    const { address } = options;
    const teller = this.#teller;
    const server = new HttpServer(options, handler, {
      forwarder,
      clock,
      turns,
      windows,
      writer,
      log,
      ...(supplement === undefined ? {} : { supplement }),
      readinessChanged: () => {
        local.update();
        teller.readinessChanged(address);
      },
      loadChanged: (origin) => teller.loadChanged(address, origin),
    });
    server.id = forwarder.makeLocal('server', server);
    service.add(server);
    teller.readinessChanged(address);
    return server;
  }

  /** Does what is due. */
  handleTimeout(): void {
    this.#wakeAtMs = Infinity;
    this.#teller.handleTimeout(this.#context.clock.nowMs());
  }

  /** Tells the network that the server is gone, and serves whoever has not heard. */
  conceal(server: HttpServer): void {
    server.conceal();
    const service = this.#services.get(server.options.address);
    if (service !== undefined && service.isConcealed) this.#context.forwarder.concealConsumer(server.options.address, service);
  }

  /** The server takes no new requests. */
  withdraw(server: HttpServer): void {
    const { address } = server.options;
    const service = this.#services.get(address);
    if (service?.has(server) !== true) return;
    service.remove(server);
    server.isOffered = false;
    this.#context.forwarder.removeLocal(server.id);
    this.#teller.readinessChanged(address);
    if (!service.isEmpty) return;
    this.#services.delete(address);
    this.#context.forwarder.removeConsumer(address, service);
  }

  /** Ends all requests of the server. */
  stop(server: HttpServer): void {
    this.withdraw(server);
    server.stop();
  }
}

/** The servers of one address at this router, for messages that were sent to the address itself. */
class LocalService implements Consumer {
  readonly #clock: Clock;
  readonly #forwarder: Forwarder;
  readonly #servers = new Map<string, HttpServer>();
  readonly #set: ServerSet;

  constructor(forwarder: Forwarder, clock: Clock, random: Random) {
    this.#forwarder = forwarder;
    this.#clock = clock;
    this.#set = new ServerSet('balanced', random);
  }

  get outstanding(): number {
    let sum = 0;
    for (const server of this.#servers.values()) sum += server.outstanding;
    return sum;
  }

  get isEmpty(): boolean {
    return this.#servers.size === 0;
  }

  get isConcealed(): boolean {
    for (const server of this.#servers.values()) if (server.isReady) return false;
    return true;
  }

  has(server: HttpServer): boolean {
    return this.#servers.has(server.id);
  }

  add(server: HttpServer): void {
    this.#servers.set(server.id, server);
    this.update();
  }

  remove(server: HttpServer): void {
    this.#servers.delete(server.id);
    this.update();
  }

  views(asker: string): ServerView[] {
    return [...this.#servers.values()].map((server) => server.view(asker));
  }

  /** Servers have come or gone, or are ready or not. */
  update(): void {
    // All their requests are counted here as this router's own.
    const views = [...this.#servers.values()].map((server) => ({ ...server.view(''), others: 0 }));
    this.#set.update(this.#forwarder.routerId, 0, views);
    for (const balanced of this.#set.servers) {
      const server = this.#servers.get(balanced.id);
      if (server !== undefined) server.balanced = balanced;
    }
  }

  deliver(head: MessageHead, upstream: Upstream): Downstream {
    const { ingress } = head.annotations;
    const origin = ingress === null ? this.#forwarder.routerId : ingress.slice(ingress.indexOf('/') + 1);
    const chosen = this.#choose();
    return chosen === undefined ? new Refusal(upstream) : chosen.deliver(head, upstream, origin);
  }

  #choose(): HttpServer | undefined {
    const chosen = this.#set.choose(this.#clock.nowMs(), []);
    return chosen === undefined ? undefined : this.#servers.get(chosen.id);
  }
}
