import { WeatherError } from '../base/errors.ts';
import type { LineStream } from '../host/line-server.ts';
import { formatResponse, respond, statusCodes, type ManagementRequest } from '../management/management-protocol.ts';
import { failure } from '../router/management.ts';
import type { Router } from '../router/router.ts';
import { WakeTimer } from '../router/wake-timer.ts';
import { Inquiry } from '../services/inquiry/inquiry.ts';
import { readTriedServers, serversName, type TriedServer } from '../services/inquiry/server-view.ts';
import { PingRounds } from '../services/ping/ping-rounds.ts';
import type { PingHop, PingResult } from '../services/ping/ping-try.ts';
import type { NetworkSite, NetworkView } from './network-view.ts';
import { likelyWay, pingTargets, type PingTargets } from './ping-targets.ts';

/** Pings under way for clients of one site: each is somebody at a terminal, or a program. */
const maxPings = 16;

/** From one ping to the next. */
export const leastIntervalMs = 100;

export interface PingRequestOptions {
  readonly target: string;
  readonly count: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** The first answer. */
export interface PingStarted {
  readonly type: 'started';
  readonly kind: PingTargets['kind'];
  readonly name: string;
  readonly sites: readonly Pick<NetworkSite, 'routerId' | 'name' | 'relation' | 'cost' | 'nextHop'>[];
  /** Sites of the service that are not pinged, because there are too many. */
  readonly left: number;
}

/** One ping that has ended, with the names of sites. */
export interface PingReported extends Omit<PingResult, 'hops' | 'wayBack'> {
  readonly type: 'answer';
  readonly name: string;
  /** Whether a link of this site leads to it, as the answer went. */
  readonly relation: 'self' | 'direct' | 'relayed';
  readonly hops: readonly (PingHop & { readonly name: string })[];
  /** Names on the way back, when it was another one; else null. */
  readonly wayBack: readonly string[] | null;
}

/** Whether the servers of a site accept connections. */
export interface PingServers {
  readonly type: 'servers';
  readonly routerId: string;
  readonly name: string;
  readonly servers: readonly TriedServer[];
  /** Why the site did not tell; empty when it did. */
  readonly reason: string;
}

export interface PingDone {
  readonly type: 'done';
}

export type PingBody = PingStarted | PingReported | PingServers | PingDone;

/** Pings that clients of the site's socket have asked for. */
export class SitePings {
  readonly #running = new Set<RunningPing>();

  /** Pings until all is answered or `client` goes. Throws InputError `unknown-target`, WeatherError `nobody-offers` and `too-many-pings`. */
  start(router: Router, network: NetworkView, options: PingRequestOptions, request: ManagementRequest, client: LineStream): PingStarted {
    if (this.#running.size >= maxPings) {
      throw new WeatherError('too-many-pings', `${maxPings} pings are under way at this site`, { remedy: 'end some of them' });
    }
    const targets = pingTargets(network, options.target);
    const ping: RunningPing = new RunningPing(router, network, targets, options, request, client, () => this.#running.delete(ping));
    this.#running.add(ping);
    // The first answer goes out before what follows.
    setImmediate(() => ping.start());
    const { kind, name, sites, left } = targets;
    const shown = sites.map((site) => ({
      routerId: site.routerId,
      name: site.name,
      relation: site.relation,
      cost: site.cost,
      nextHop: site.nextHop,
    }));
    return { type: 'started', kind, name, sites: shown, left };
  }

  /** The router is about to stop. */
  end(reason: string): void {
    for (const ping of [...this.#running]) ping.cut(new WeatherError('ping-ended', reason, { remedy: 'ping again when the site runs' }));
  }
}

class RunningPing {
  readonly #router: Router;
  readonly #targets: PingTargets;
  readonly #request: ManagementRequest;
  readonly #client: LineStream;
  readonly #ended: () => void;
  readonly #names: ReadonlyMap<string, string>;
  readonly #rounds: PingRounds;
  readonly #wake: WakeTimer;
  /** Questions about servers. */
  readonly #inquiries = new Set<Inquiry>();
  readonly #timeoutMs: number;
  #giveUp: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(
    router: Router,
    network: NetworkView,
    targets: PingTargets,
    { count, intervalMs, timeoutMs }: PingRequestOptions,
    request: ManagementRequest,
    client: LineStream,
    ended: () => void,
  ) {
    this.#router = router;
    this.#targets = targets;
    this.#request = request;
    this.#client = client;
    this.#ended = ended;
    this.#timeoutMs = timeoutMs;
    this.#names = new Map(network.sites.map(({ routerId, name }) => [routerId, name]));
    // A router of another kind tells nothing about a site.
    const foreign = new Set(
      network.sites
        .filter(({ version, signed, relation }) => relation !== 'self' && version === null && !signed)
        .map(({ routerId }) => routerId),
    );
    const clock = { nowMs: () => performance.now(), wallMs: () => Date.now() };
    this.#wake = new WakeTimer({ clock, turns: router.turns }, () => this.#work());
    this.#rounds = new PingRounds({
      forwarder: router.forwarder,
      nowMs: clock.nowMs,
      targets: targets.sites.map((site) => ({ routerId: site.routerId, way: likelyWay(network, site) })),
      count,
      intervalMs,
      timeoutMs,
      isForeign: (routerId) => foreign.has(routerId),
      ended: (result) => this.#report(result),
    });
  }

  start(): void {
    if (this.#isOver) return;
    const { closed } = this.#client;
    if (closed.aborted) {
      this.#end();
      return;
    }
    closed.addEventListener('abort', () => this.#end(), { once: true });
    if (this.#targets.kind === 'service') for (const site of this.#targets.sites) this.#askServers(site);
    if (this.#inquiries.size > 0) this.#giveUp = setTimeout(() => this.#serversSilent(), this.#timeoutMs);
    this.#work();
  }

  #work(): void {
    if (this.#isOver) return;
    const nowMs = performance.now();
    if (this.#rounds.nextDeadlineMs() <= nowMs) this.#rounds.handleTimeout(nowMs);
    this.#router.turns.touch();
    this.#continue();
  }

  #continue(): void {
    if (this.#isOver) return;
    if (this.#rounds.isDone && this.#inquiries.size === 0) {
      this.#send({ type: 'done' });
      this.#end();
      return;
    }
    this.#wake.at(this.#rounds.nextDeadlineMs());
  }

  #report({ hops, wayBack, ...result }: PingResult): void {
    const name = (routerId: string): string => this.#names.get(routerId) ?? routerId;
    const way = hops.map(({ routerId }) => routerId);
    const isSameBack = wayBack.length === 0 || wayBack.toReversed().join(' ') === way.join(' ');
    const self = result.routerId === this.#router.routerId;
    this.#send({
      type: 'answer',
      ...result,
      name: name(result.routerId),
      relation: self ? 'self' : hops.length > 1 ? 'relayed' : 'direct',
      hops: hops.map((hop) => ({ ...hop, name: name(hop.routerId) })),
      wayBack: isSameBack ? null : wayBack.map(name),
    });
    this.#continueLater();
  }

  /** What is reported may be told in the middle of other work. */
  #continueLater(): void {
    queueMicrotask(() => this.#continue());
  }

  #askServers({ routerId, name }: NetworkSite): void {
    const inquiry: Inquiry = new Inquiry({
      forwarder: this.#router.forwarder,
      routerId,
      name: serversName,
      body: new Map([['address', this.#targets.name]]),
      ended: (end) => {
        this.#inquiries.delete(inquiry);
        if (end.outcome === 'answered') {
          this.#send({ type: 'servers', routerId, name, servers: readTriedServers(end.content.body), reason: '' });
        } else {
          this.#send({
            type: 'servers',
            routerId,
            name,
            servers: [],
            reason: end.outcome === 'refused' ? end.reason : 'its router does not tell',
          });
        }
        this.#continueLater();
      },
    });
    this.#inquiries.add(inquiry);
    inquiry.start();
  }

  #serversSilent(): void {
    for (const inquiry of this.#inquiries) inquiry.cancel();
    this.#inquiries.clear();
    this.#continue();
  }

  #send(body: PingBody): void {
    if (this.#isOver) return;
    // Who does not read gets no more; the ping ends with the connection.
    this.#client.send(formatResponse(respond(this.#request.id, statusCodes.ok, body)));
  }

  /** Ends the ping and tells the client why. */
  cut(reason: WeatherError): void {
    if (this.#isOver) return;
    this.#client.endWith(formatResponse(failure(this.#request, reason)));
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#rounds.stop();
    for (const inquiry of this.#inquiries) inquiry.cancel();
    this.#wake.stop();
    clearTimeout(this.#giveUp);
    this.#ended();
    this.#router.turns.touch();
  }
}
