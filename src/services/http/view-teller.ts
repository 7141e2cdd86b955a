import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { Downstream, LocalConsumer, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { noAnnotations } from '../../forwarding/router-annotations.ts';
import type { ServerView } from '../balancing/balanced-server.ts';
import { RecordKind, httpContentType } from './message-writer.ts';
import type { MessageWriter } from './message-writer.ts';
import { RefusedRequest } from './refused-request.ts';
import { decodeWatch, encodeServers, maxViewedServers } from './server-view-codec.ts';
import { watchMs } from './server-watch.ts';
import { SingleRecord } from './single-record.ts';

/** Watches at one router: as many routers and addresses as are used together anywhere that has been seen, several times over. */
export const maxWatches = 16_384;
/** Watches of one router among them, so that one cannot take the place of all others. */
export const maxWatchesOfOne = 2_048;
/** Changes of load are told so often at most, ... */
const leastIntervalMs = 50;
/** ... and less often when many watch one address: each message costs this much time of the interval. */
const intervalPerWatchMs = 2;
/** What was not taken is told again after this time. */
const tellAgainMs = 200;

/** What the teller asks of the servers here. */
export interface ViewSource {
  /** The servers of an address as `asker` is to see them. */
  views(address: string, asker: string): readonly ServerView[];
}

/** One router that watches one address. */
class Watch implements Upstream {
  readonly origin: string;
  readonly address: string;
  readonly replyTo: string;
  readonly #lost: (watch: Watch) => void;
  untilMs = 0;
  /** What was told last. */
  told: readonly ServerView[] | undefined;

  constructor(origin: string, address: string, replyTo: string, lost: (watch: Watch) => void) {
    this.origin = origin;
    this.address = address;
    this.replyTo = replyTo;
    this.#lost = lost;
  }

  update(state: DeliveryState, settled: boolean, _sectionOffset: number, _error: AmqpError | undefined): void {
    if (settled && state !== DeliveryState.accepted) this.#lost(this);
  }

  relieved(): void {}
}

/** Those who watch one address. */
interface WatchedAddress {
  readonly watches: Set<Watch>;
  /** The only router that watches; undefined when there are several. */
  onlyOrigin: string | undefined;
  /** Loads have changed; told at that time. */
  dueMs: number;
  lastToldMs: number;
}

/** Tells routers that watch an address of the servers here: at once when one is ready or not any more, a little later when loads change. */
export class ViewTeller implements LocalConsumer {
  readonly #forwarder: Forwarder;
  readonly #source: ViewSource;
  readonly #writer: MessageWriter;
  readonly #nowMs: () => number;
  readonly #wake: (dueMs: number) => void;
  readonly #byReplyTo = new Map<string, Watch>();
  readonly #byAddress = new Map<string, WatchedAddress>();
  readonly #byOrigin = new Map<string, number>();

  constructor(forwarder: Forwarder, source: ViewSource, writer: MessageWriter, nowMs: () => number, wake: (dueMs: number) => void) {
    this.#forwarder = forwarder;
    this.#source = source;
    this.#writer = writer;
    this.#nowMs = nowMs;
    this.#wake = wake;
  }

  get size(): number {
    return this.#byReplyTo.size;
  }

  // ---- questions ----

  deliver(head: MessageHead, upstream: Upstream, origin: string): Downstream {
    const { replyTo } = head;
    // The answers go to the router that asks, and nowhere else.
    if (head.contentType !== httpContentType || replyTo === null || !replyTo.startsWith(`amqp:/_topo/0/${origin}/`)) {
      return new RefusedRequest(upstream, DeliveryState.released, undefined);
    }
    return new SingleRecord(RecordKind.watch, head.bodyStart - head.annotationsEnd, upstream, (bytes, start, end) =>
      this.#asked(origin, decodeWatch(bytes, start, end), replyTo),
    );
  }

  #asked(origin: string, address: string, replyTo: string): void {
    if (!this.#forwarder.table.mayConsume(origin, address)) return;
    const nowMs = this.#nowMs();
    let watch = this.#byReplyTo.get(replyTo);
    if (watch !== undefined && watch.address !== address) return;
    if (watch === undefined) {
      const count = this.#byOrigin.get(origin) ?? 0;
      if (this.#byReplyTo.size >= maxWatches || count >= maxWatchesOfOne) return;
      watch = new Watch(origin, address, replyTo, (lost) => this.#notTaken(lost));
      this.#byReplyTo.set(replyTo, watch);
      this.#byOrigin.set(origin, count + 1);
      this.#addressOf(address).watches.add(watch);
      this.#countOrigins(address);
    }
    watch.untilMs = nowMs + watchMs;
    this.#wake(watch.untilMs);
    this.#tell(watch, this.#source.views(address, origin));
  }

  #addressOf(address: string): WatchedAddress {
    let watched = this.#byAddress.get(address);
    if (watched === undefined) {
      watched = { watches: new Set(), onlyOrigin: undefined, dueMs: Infinity, lastToldMs: -Infinity };
      this.#byAddress.set(address, watched);
    }
    return watched;
  }

  #countOrigins(address: string): void {
    const watched = this.#byAddress.get(address);
    if (watched === undefined) return;
    if (watched.watches.size === 0) {
      this.#byAddress.delete(address);
      return;
    }
    let only: string | undefined;
    for (const { origin } of watched.watches) {
      if (only !== undefined && origin !== only) {
        watched.onlyOrigin = undefined;
        return;
      }
      only = origin;
    }
    watched.onlyOrigin = only;
  }

  #end(watch: Watch): void {
    this.#byReplyTo.delete(watch.replyTo);
    const count = (this.#byOrigin.get(watch.origin) ?? 0) - 1;
    if (count > 0) this.#byOrigin.set(watch.origin, count);
    else this.#byOrigin.delete(watch.origin);
    this.#byAddress.get(watch.address)?.watches.delete(watch);
    this.#countOrigins(watch.address);
  }

  // ---- answers ----

  /** A server of the address is ready or not any more, has come or gone. */
  readinessChanged(address: string): void {
    const watched = this.#byAddress.get(address);
    if (watched !== undefined) this.#tellAll(address, watched);
  }

  /** The number of requests from `origin` has changed. */
  loadChanged(address: string, origin: string): void {
    const watched = this.#byAddress.get(address);
    // Who asks is told of the requests of others only.
    if (watched === undefined || watched.dueMs < Infinity || watched.onlyOrigin === origin) return;
    const intervalMs = Math.max(leastIntervalMs, watched.watches.size * intervalPerWatchMs);
    watched.dueMs = Math.max(this.#nowMs(), watched.lastToldMs + intervalMs);
    this.#wake(watched.dueMs);
  }

  #tellAll(address: string, watched: WatchedAddress): void {
    watched.dueMs = Infinity;
    watched.lastToldMs = this.#nowMs();
    for (const watch of watched.watches) {
      const views = this.#source.views(address, watch.origin);
      if (watch.told === undefined || !areEqual(views, watch.told)) this.#tell(watch, views);
    }
  }

  #tell(watch: Watch, views: readonly ServerView[]): void {
    watch.told = views;
    const { replyTo } = watch;
    const writer = this.#writer;
    writer.reset();
    writer.sections(replyTo, null, null);
    const bodyStart = writer.written;
    encodeServers(writer, views.slice(0, maxViewedServers));
    const message = writer.take();
    const head: MessageHead = {
      annotations: noAnnotations,
      annotationsEnd: 0,
      priority: 4,
      to: replyTo,
      replyTo: null,
      correlationId: null,
      contentType: httpContentType,
      bodyStart,
    };
    const downstream = this.#forwarder.forward(head, false, false, undefined, watch);
    if (typeof downstream === 'number') this.#notTaken(watch);
    else downstream.send(message.bytes, message.start, message.end, false);
  }

  /** Told again until the watch ends: routes may be changing. */
  #notTaken(watch: Watch): void {
    watch.told = undefined;
    const watched = this.#byAddress.get(watch.address);
    if (watched === undefined || !watched.watches.has(watch)) return;
    watched.dueMs = Math.min(watched.dueMs, this.#nowMs() + tellAgainMs);
    this.#wake(watched.dueMs);
  }

  handleTimeout(nowMs: number): void {
    for (const watch of [...this.#byReplyTo.values()]) {
      if (watch.untilMs <= nowMs) this.#end(watch);
      else this.#wake(watch.untilMs);
    }
    for (const [address, watched] of this.#byAddress) {
      if (watched.dueMs <= nowMs) this.#tellAll(address, watched);
      if (watched.dueMs < Infinity) this.#wake(watched.dueMs);
    }
  }
}

function areEqual(one: readonly ServerView[], other: readonly ServerView[]): boolean {
  if (one.length !== other.length) return false;
  return one.every((view, index) => {
    const same = other[index];
    return view.id === same.id && view.ready === same.ready && view.others === same.others;
  });
}
