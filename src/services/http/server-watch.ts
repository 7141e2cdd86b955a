import type { Random } from '../../base/random.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { linkLost } from '../../forwarding/remote-leg.ts';
import { noAnnotations } from '../../forwarding/router-annotations.ts';
import type { BalancedServer, ServerView } from '../balancing/balanced-server.ts';
import { ServerSet } from '../balancing/server-set.ts';
import type { BalancingPolicy } from '../balancing/server-set.ts';
import type { ServerChoice } from './ingress-context.ts';
import { RecordKind, httpContentType } from './message-writer.ts';
import type { MessageWriter } from './message-writer.ts';
import { RefusedRequest } from './refused-request.ts';
import { decodeServers, encodeWatch, servicesName } from './server-view-codec.ts';
import { SingleRecord } from './single-record.ts';

/** A router is asked again this often: so it knows that somebody still wants to hear. */
export const renewMs = 10_000;
/** It tells for so long without being asked again; what it told holds as long. */
export const watchMs = 30_000;
/** After a question was lost on its way. */
const askAgainMs = 200;

export interface ServerWatchContext {
  readonly forwarder: Forwarder;
  readonly random: Random;
  readonly writer: MessageWriter;
  readonly nowMs: () => number;
  /** `dueMs` may be earlier than it was. */
  readonly dueChanged: () => void;
}

/**
 * The servers of one address in the whole network, as the router sees them where requests enter: it asks each router that has some, and is
 * told of every change.
 */
export class ServerWatch implements ServerChoice {
  readonly #forwarder: Forwarder;
  readonly #address: string;
  readonly #writer: MessageWriter;
  readonly #set: ServerSet;
  readonly #routers = new Map<string, WatchedRouter>();
  /** Of them, those that have told what they have. */
  #known = 0;
  /** When something is to be asked or given up. */
  dueMs: number = Infinity;
  readonly #nowMs: () => number;
  readonly #dueChanged: () => void;

  constructor(address: string, policy: BalancingPolicy, { forwarder, random, writer, nowMs, dueChanged }: ServerWatchContext) {
    this.#forwarder = forwarder;
    this.#address = address;
    this.#writer = writer;
    this.#nowMs = nowMs;
    this.#dueChanged = dueChanged;
    this.#set = new ServerSet(policy, random);
  }

  get servers(): readonly BalancedServer[] {
    return this.#set.servers;
  }

  get watchedRouters(): number {
    return this.#routers.size;
  }

  choose(nowMs: number, tried: readonly BalancedServer[]): BalancedServer | undefined {
    return this.#set.choose(nowMs, tried);
  }

  get mayBeElsewhere(): boolean {
    return this.#known < this.#routers.size || this.#routers.size === 0;
  }

  /** Asks routers that have come, and those that are reached by another way than before; forgets those that are gone. */
  routesChanged(nowMs: number): void {
    const { routerId } = this.#forwarder;
    const present = new Set<string>();
    if (this.#forwarder.localConsumers(this.#address) > 0) {
      present.add(routerId);
      this.#see(routerId, 0, ownLink, nowMs);
    }
    for (const router of this.#forwarder.routersOf(this.#address)) {
      present.add(router.routerId);
      this.#see(router.routerId, router.cost, router.link, nowMs);
    }
    for (const router of [...this.#routers.values()]) if (!present.has(router.routerId)) this.#forget(router);
  }

  #see(routerId: string, cost: number, link: number, nowMs: number): void {
    let router = this.#routers.get(routerId);
    if (router === undefined) {
      router = new WatchedRouter(routerId, this);
      router.replyTo = this.#forwarder.addTemporary(router);
      this.#routers.set(routerId, router);
    } else if (router.link === link) {
      if (router.cost === cost) return;
      router.cost = cost;
      if (router.views !== undefined) this.#set.update(routerId, cost, router.views);
      return;
    }
    router.cost = cost;
    router.link = link;
    this.#ask(router, nowMs);
  }

  #forget(router: WatchedRouter): void {
    this.#routers.delete(router.routerId);
    this.#forwarder.removeTemporary(router.replyTo);
    this.#unknow(router);
  }

  #unknow(router: WatchedRouter): void {
    if (router.views === undefined) return;
    router.views = undefined;
    this.#known--;
    this.#set.remove(router.routerId);
  }

  #ask(router: WatchedRouter, nowMs: number): void {
    this.#askAt(router, nowMs + renewMs);
    const to = `amqp:/_topo/0/${router.routerId}/${servicesName}`;
    const { replyTo } = router;
    const writer = this.#writer;
    writer.reset();
    writer.sections(to, replyTo, null);
    const bodyStart = writer.written;
    encodeWatch(writer, this.#address);
    const message = writer.take();
    const head: MessageHead = {
      annotations: noAnnotations,
      annotationsEnd: 0,
      priority: 4,
      to,
      replyTo,
      correlationId: null,
      contentType: httpContentType,
      bodyStart,
    };
    const downstream = this.#forwarder.forward(head, false, false, undefined, router);
    if (typeof downstream === 'number') this.questionLost(router);
    else downstream.send(message.bytes, message.start, message.end, false);
  }

  questionLost(router: WatchedRouter): void {
    if (this.#routers.get(router.routerId) !== router) return;
    this.#askAt(router, Math.min(router.askAtMs, this.#nowMs() + askAgainMs));
  }

  #askAt(router: WatchedRouter, atMs: number): void {
    router.askAtMs = atMs;
    if (atMs >= this.dueMs) return;
    this.dueMs = atMs;
    this.#dueChanged();
  }

  /** A router tells what it has. */
  told(router: WatchedRouter, views: readonly ServerView[]): void {
    if (this.#routers.get(router.routerId) !== router) return;
    if (router.views === undefined) this.#known++;
    router.views = views;
    router.toldAtMs = this.#nowMs();
    this.#set.update(router.routerId, router.cost, views);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    this.dueMs = Infinity;
    for (const router of this.#routers.values()) {
      if (nowMs - router.toldAtMs >= watchMs) this.#unknow(router);
      if (router.askAtMs <= nowMs) this.#ask(router, nowMs);
      this.dueMs = Math.min(this.dueMs, router.askAtMs);
    }
  }

  stop(): void {
    for (const router of [...this.#routers.values()]) this.#forget(router);
  }
}

/** In place of a link number, for this router itself. */
const ownLink = -1;

/** A router that is asked; its answers come to an address of its own. */
class WatchedRouter implements Consumer, Upstream {
  readonly outstanding = 0;
  readonly routerId: string;
  readonly #watch: ServerWatch;
  replyTo = '';
  /** Of the path to it. */
  cost = 0;
  link: number = Number.NaN;
  askAtMs = 0;
  toldAtMs: number = -Infinity;
  /** What it has told; undefined as long as it has not. */
  views: readonly ServerView[] | undefined;

  constructor(routerId: string, watch: ServerWatch) {
    this.routerId = routerId;
    this.#watch = watch;
  }

  deliver(head: MessageHead, upstream: Upstream): Downstream {
    if (head.contentType !== httpContentType) return new RefusedRequest(upstream, DeliveryState.released, undefined);
    return new SingleRecord(RecordKind.servers, head.bodyStart - head.annotationsEnd, upstream, (bytes, start, end) =>
      this.#watch.told(this, decodeServers(bytes, start, end)),
    );
  }

  /** What became of the question. A router that does not know it is asked again when its turn comes. */
  update(state: DeliveryState, settled: boolean, _sectionOffset: number, error: AmqpError | undefined): void {
    if (settled && (error?.condition === linkLost.condition || state === DeliveryState.modified)) this.#watch.questionLost(this);
  }

  relieved(): void {}
}
