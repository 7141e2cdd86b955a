import { roundTripOf } from './hello-extension.ts';
import { LinkDamping } from './link-damping.ts';
import { limits, type RoutingTimers } from './limits.ts';
import type { Hello } from './message-body.ts';
import { ProbeLoss } from './probe-loss.ts';
import { ShortestTrip } from './round-trip.ts';

/** A link on which nothing was heard for this many times the age is dead: a new connection heals sooner. */
const deadAges = 2;
/** The age of a link grows by this many round trips: what it costs to notice a lost packet and to send it again. */
const tripsInAge = 4;
/** No link is given longer than this, however slow it is or says it is. */
const longestAgeMs = 10_000;

/** One control link, and what HELLO has found out about it. */
interface ControlLink {
  readonly link: number;
  readonly cost: number;
  /** Grows with each link: of links of equal cost the latest is used. */
  readonly order: number;
  /** The router at the other end: given by the owner of the link, or the first to say HELLO on it. */
  peerId: string | undefined;
  /** The life of that router: when it started, in seconds. */
  instance: number;
  /** When the peer last said HELLO; -Infinity if it has not, or too long ago. */
  heardAtMs: number;
  /** When the peer last said that it hears this router; -Infinity if it has not, or too long ago. */
  confirmedAtMs: number;
  /** When anything last came from the peer, HELLO or not. */
  lifeAtMs: number;
  /** Until then it is not used though confirmed. */
  heldUntilMs: number;
  /** The same if there is no other way to its neighbour. */
  soleHeldUntilMs: number;
  /** When it counts as dead; Infinity while it is not silent. */
  deadAtMs: number;
  /** Period of the peer's HELLO as it announces; undefined if it does not: then the timers of a skupper-router hold. */
  peerIntervalMs: number | undefined;
  /** The peer's clock in its last HELLO, and when that came. */
  peerSentMs: number | undefined;
  peerSentAtMs: number;
  readonly trip: ShortestTrip;
  readonly loss: ProbeLoss;
}

/** What HELLO has measured on a link. */
export interface LinkProbes {
  /** The shortest round trip of the last seconds. */
  readonly roundTripMs: number;
  /** Part of the neighbour's HELLOs that came late or not at all, 0 to 1. */
  readonly lossRatio: number;
}

/** What a HELLO changed. */
export interface HelloOutcome {
  /** The peer was not heard before on this link: it wants to know at once that it is heard. */
  readonly newlyHeard: boolean;
  /** The link works both ways from now on. */
  readonly newlyConfirmed: boolean;
  /** The peer hears this router no more: the link, which was in use, has ceased to work both ways. */
  readonly lost: boolean;
  /** The HELLO names another router than the one at the end of this link; it was not taken into account. */
  readonly wrongPeer: boolean;
}

/** What time has changed. */
export interface LinkChanges {
  /** Peers of links that were in use and are no longer confirmed. */
  readonly lost: string[];
  /** Links whose peers are heard no more, and should know at once. */
  readonly unheard: number[];
  /** Links that have been silent for so long that they are to be closed. */
  readonly dead: { readonly link: number; readonly routerId: string }[];
  /** Some link has been held back long enough. */
  gained: boolean;
}

/** The link that a neighbour is reached by. */
export interface Neighbour {
  readonly link: number;
  readonly cost: number;
}

/**
 * The HELLO protocol: which links work in both directions, and to whom.
 *
 * Each router says on each control link whom it hears there. A link is confirmed while the peer says that it hears this router.
 * `seen` is kept per link, so that of two links to the same router one that is deaf in one direction is not used because the
 * other works. A neighbour is reached by its cheapest confirmed link, unless that is held back for having come and gone.
 */
export class LinkTable {
  readonly #links = new Map<number, ControlLink>();
  readonly #timers: RoutingTimers;
  readonly #damping = new LinkDamping();
  readonly #held = new Set<ControlLink>();
  #nextOrder = 0;
  #quickLinks = 0;
  #dueMs = Infinity;
  /** The end of the last standstill of this process: what has come in that time may still wait to be read. */
  #wokenAtMs = -Infinity;
  #discouragingTransit = false;

  constructor(timers: RoutingTimers) {
    this.#timers = timers;
  }

  get size(): number {
    return this.#links.size;
  }

  /** When `advance` next has something to do; perhaps too early, never too late. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Whether some peer announces its HELLO period. */
  get hasQuickLinks(): boolean {
    return this.#quickLinks > 0;
  }

  has(link: number): boolean {
    return this.#links.has(link);
  }

  add(link: number, cost: number, peerId: string | undefined): void {
    this.#links.set(link, {
      link,
      cost,
      order: this.#nextOrder++,
      peerId,
      instance: 0,
      heardAtMs: -Infinity,
      confirmedAtMs: -Infinity,
      lifeAtMs: -Infinity,
      heldUntilMs: -Infinity,
      soleHeldUntilMs: -Infinity,
      deadAtMs: Infinity,
      peerIntervalMs: undefined,
      peerSentMs: undefined,
      peerSentAtMs: 0,
      trip: new ShortestTrip(),
      loss: new ProbeLoss(),
    });
  }

  /** Removes a link; its peer if the link was in use. */
  remove(link: number, nowMs: number): string | undefined {
    const removed = this.#links.get(link);
    if (removed === undefined) return undefined;
    this.#links.delete(link);
    if (removed.peerIntervalMs !== undefined) this.#quickLinks--;
    if (removed.confirmedAtMs === -Infinity) return undefined;
    return this.#unconfirm(removed, nowMs) ? removed.peerId : undefined;
  }

  /** Links whose peers announce their HELLO period (`quick`), or the others. */
  numbers(quick: boolean): number[] {
    const numbers: number[] = [];
    for (const { link, peerIntervalMs } of this.#links.values()) if ((peerIntervalMs !== undefined) === quick) numbers.push(link);
    return numbers;
  }

  /** What has been measured on a link; undefined when its peer does not answer probes. */
  probesOf(link: number): LinkProbes | undefined {
    const at = this.#links.get(link);
    if (at?.peerIntervalMs === undefined || at.trip.leastMs === 0) return undefined;
    return { roundTripMs: at.trip.leastMs, lossRatio: at.loss.ratio };
  }

  /** Ids heard on a link lately. */
  seen(link: number): readonly string[] {
    const { peerId, heardAtMs } = this.#links.get(link) ?? { peerId: undefined, heardAtMs: -Infinity };
    return peerId !== undefined && heardAtMs > -Infinity ? [peerId] : [];
  }

  /** The peer's clock as it is to be given back now; undefined if the peer has not told it. */
  echoMs(link: number, nowMs: number): number | undefined {
    const at = this.#links.get(link);
    return at?.peerSentMs === undefined ? undefined : at.peerSentMs + nowMs - at.peerSentAtMs;
  }

  /** Something came on a link at `atMs`. While octets flow a peer is not silent: HELLO may wait behind them. */
  lifeOf(link: number, atMs: number): void {
    const at = this.#links.get(link);
    if (at !== undefined) at.lifeAtMs = Math.max(at.lifeAtMs, atMs);
  }

  /** A HELLO of another router came over a known link. */
  receive(link: number, hello: Hello, selfId: string, nowMs: number): HelloOutcome {
    const at = this.#links.get(link);
    if (at === undefined || (at.peerId !== undefined && at.peerId !== hello.id)) {
      return { newlyHeard: false, newlyConfirmed: false, lost: false, wrongPeer: true };
    }
    at.peerId = hello.id;
    at.instance = hello.instance;
    this.#noteExtension(at, hello, nowMs);
    const newlyHeard = at.heardAtMs === -Infinity;
    const wasConfirmed = at.confirmedAtMs > -Infinity;
    at.heardAtMs = nowMs;
    at.deadAtMs = Infinity;
    const confirms = hello.seen.includes(selfId);
    // HELLOs come in order: a peer of this kind that has heard this router and names it no more does not hear it any more.
    const lost = wasConfirmed && !confirms && at.peerIntervalMs !== undefined && this.#unconfirm(at, nowMs);
    if (confirms) at.confirmedAtMs = nowMs;
    if (confirms && !wasConfirmed) this.#confirmed(at, nowMs);
    this.#dueMs = Math.min(this.#dueMs, this.#deadlineOf(at));
    return { newlyHeard, newlyConfirmed: confirms && !wasConfirmed, lost, wrongPeer: false };
  }

  #noteExtension(at: ControlLink, { extension }: Hello, nowMs: number): void {
    // A router that offers no period of its own keeps to the timers of a skupper-router.
    if (this.#timers.quickHelloIntervalMs === 0) return;
    if ((extension !== undefined) !== (at.peerIntervalMs !== undefined)) this.#quickLinks += extension === undefined ? -1 : 1;
    at.peerIntervalMs = extension?.intervalMs;
    at.peerSentMs = extension?.sentMs;
    at.peerSentAtMs = nowMs;
    const tripMs = extension?.echoMs === undefined ? undefined : roundTripOf(extension.echoMs, nowMs);
    if (tripMs !== undefined) at.trip.measured(tripMs, nowMs);
    if (extension !== undefined && at.heardAtMs > -Infinity) at.loss.heard(nowMs - at.heardAtMs, extension.intervalMs, nowMs);
  }

  #confirmed(at: ControlLink, nowMs: number): void {
    const { ms, soleMs } = this.#damping.hold(at.peerId ?? '', at.instance, nowMs);
    at.heldUntilMs = nowMs + ms;
    at.soleHeldUntilMs = nowMs + Math.min(ms, soleMs);
    if (at.heldUntilMs > nowMs) this.#held.add(at);
  }

  /** True if the link was in use. */
  #unconfirm(at: ControlLink, nowMs: number): boolean {
    at.confirmedAtMs = -Infinity;
    this.#damping.lost(at.peerId ?? '', at.instance, nowMs);
    return !this.#held.delete(at);
  }

  /** A peer that has not been heard, or has not confirmed, for this long is lost. */
  #ageMs(at: ControlLink): number {
    const { helloMaxAgeMs, quickHelloIntervalMs, quickHelloMaxAgeMs } = this.#timers;
    if (at.peerIntervalMs === undefined) return helloMaxAgeMs;
    const ageMs = quickHelloMaxAgeMs * Math.max(1, at.peerIntervalMs / quickHelloIntervalMs);
    return Math.max(quickHelloMaxAgeMs, Math.min(longestAgeMs, ageMs + tripsInAge * at.trip.leastMs));
  }

  /** When this link changes by itself. */
  #deadlineOf(at: ControlLink): number {
    const oldestMs = Math.min(
      at.heardAtMs === -Infinity ? Infinity : at.heardAtMs,
      at.confirmedAtMs === -Infinity ? Infinity : at.confirmedAtMs,
    );
    const expiresAtMs = Math.max(Math.max(oldestMs, at.lifeAtMs) + this.#ageMs(at), this.#patienceEndMs(at));
    return Math.min(expiresAtMs, at.deadAtMs, this.#held.has(at) ? at.heldUntilMs : Infinity);
  }

  /** After a standstill each peer gets one more period to be heard. */
  #patienceEndMs(at: ControlLink): number {
    return this.#wokenAtMs + (at.peerIntervalMs ?? this.#timers.helloIntervalMs);
  }

  /** This process stood still until now: its own pause must not look like the death of others. */
  woken(nowMs: number): void {
    this.#wokenAtMs = nowMs;
  }

  /** Forgets what has grown old, and ends holds; undefined if nothing is due. */
  advance(nowMs: number): LinkChanges | undefined {
    if (nowMs < this.#dueMs) return undefined;
    const changes: LinkChanges = { lost: [], unheard: [], dead: [], gained: false };
    this.#dueMs = Infinity;
    for (const at of this.#links.values()) {
      this.#expire(at, nowMs, changes);
      this.#dueMs = Math.min(this.#dueMs, this.#deadlineOf(at));
    }
    return changes;
  }

  #expire(at: ControlLink, nowMs: number, changes: LinkChanges): void {
    const ageMs = this.#ageMs(at);
    const patient = nowMs < this.#patienceEndMs(at) || nowMs - at.lifeAtMs < ageMs;
    if (at.heardAtMs > -Infinity && nowMs - at.heardAtMs >= ageMs && !patient) {
      at.heardAtMs = -Infinity;
      if (at.peerIntervalMs !== undefined) {
        changes.unheard.push(at.link);
        at.deadAtMs = nowMs + (deadAges - 1) * ageMs;
      }
    }
    if (at.confirmedAtMs > -Infinity && nowMs - at.confirmedAtMs >= ageMs && !patient) {
      if (this.#unconfirm(at, nowMs) && at.peerId !== undefined) changes.lost.push(at.peerId);
    }
    if (nowMs >= at.deadAtMs && patient) {
      at.deadAtMs = nowMs + ageMs;
    } else if (nowMs >= at.deadAtMs) {
      at.deadAtMs = Infinity;
      changes.dead.push({ link: at.link, routerId: at.peerId ?? '' });
    }
    if (nowMs >= at.heldUntilMs && this.#held.delete(at)) changes.gained = true;
  }

  /** Shortens the hold of links whose neighbours cannot be reached otherwise. */
  shortenHolds(isReachable: (routerId: string) => boolean): void {
    for (const at of this.#held) {
      if (isReachable(at.peerId ?? '')) continue;
      at.heldUntilMs = Math.min(at.heldUntilMs, at.soleHeldUntilMs);
      this.#dueMs = Math.min(this.#dueMs, at.heldUntilMs);
    }
  }

  /** From now on all links look so dear that only what begins or ends here goes over them. */
  discourageTransit(): void {
    this.#discouragingTransit = true;
  }

  /** Neighbours by id, with the cheapest usable link of each (the latest of equals). */
  neighbours(): Map<string, Neighbour> {
    const best = new Map<string, ControlLink>();
    for (const link of this.#links.values()) {
      if (link.peerId === undefined || link.confirmedAtMs === -Infinity || this.#held.has(link)) continue;
      const other = best.get(link.peerId);
      if (other === undefined || link.cost < other.cost || (link.cost === other.cost && link.order > other.order)) {
        best.set(link.peerId, link);
      }
    }
    return new Map([...best].map(([id, { link, cost }]) => [id, { link, cost: this.#told(cost) }]));
  }

  #told(cost: number): number {
    return this.#discouragingTransit ? Math.min(limits.linkCost, limits.transitDiscouragement + cost) : cost;
  }

  /** The router at the end of each confirmed link. */
  confirmed(): Map<number, string> {
    const confirmed = new Map<number, string>();
    for (const { link, peerId, confirmedAtMs } of this.#links.values()) {
      if (peerId !== undefined && confirmedAtMs > -Infinity) confirmed.set(link, peerId);
    }
    return confirmed;
  }
}
