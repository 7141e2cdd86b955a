import type { ControlMap } from './control-message.ts';
import { limits } from './limits.ts';
import { linkStateOf, unknownLinkState, type LinkState, type LinkStateGraph } from './link-state-graph.ts';
import { PendingRequest } from './request.ts';
import type { RouterIndex } from './router-index.ts';

/** Numbers in the index after which only routers that have spoken themselves get one: some dozen generations of the largest network. */
const maxNumbers = 65_536;

const noPeers: ReadonlyMap<string, number> = new Map();

/** The last answer given to a router, so that it is not repeated without need. */
export interface AnswerGiven {
  sequence: number;
  atMs: number;
}

/** What is known of one other router. */
export class RouterRecord {
  readonly routerId: string;
  /** Boot time in seconds as it says; undefined until it says. */
  instance: number | undefined = undefined;
  /** The instance before. One that comes back is no restart: two routers have this id. */
  previousInstance: number | undefined = undefined;
  /** When `instance` was first heard. */
  instanceSinceMs: number = -Infinity;
  /** That two routers have this id has been told. */
  doubleReported = false;
  /** Sequence of `peers`; 0 while its link state is unknown. */
  linkStateSequence = 0;
  peers: ReadonlyMap<string, number> = noPeers;
  /** It has a newer link state than is known here, and by what is known it cannot be asked, or does not answer. */
  outdated = false;
  /** What the paths take from it, as long as nothing changes. */
  linkState: LinkState = unknownLinkState;
  site: ControlMap | undefined = undefined;
  /** Last RA or LSU; -Infinity if only others have told of it. */
  lastHeardMs: number = -Infinity;
  /** The link that its last advertisement or request came in on. */
  heardOn: number | undefined = undefined;
  /** Newest sequences it has advertised. */
  advertisedLinkStateSequence = 0;
  advertisedMobileSequence = 0;
  readonly linkStateRequest: PendingRequest = new PendingRequest();
  readonly mobileRequest: PendingRequest = new PendingRequest();
  /** It asked while there was no path to it; it is answered when there is. */
  owesLinkState = false;
  owesAddresses = false;
  readonly linkStateAnswer: AnswerGiven = { sequence: -1, atMs: -Infinity };
  readonly mobileAnswer: AnswerGiven = { sequence: -1, atMs: -Infinity };
  /** Nothing has come yet since it was asked for its addresses for the first time on this path. */
  addressesUnconfirmed = false;
  /** A message of its own has come. */
  speaks: boolean;
  reachable = false;
  unreachableSinceMs = 0;
  /** Sweeps in which neither a link state of its own nor anyone's peer list spoke for it. */
  idleSweeps = 0;
  versionReported = false;

  constructor(routerId: string, speaks: boolean) {
    this.routerId = routerId;
    this.speaks = speaks;
  }

  clearLinkState(): void {
    this.peers = noPeers;
    this.linkStateSequence = 0;
    this.outdated = false;
    this.linkState = unknownLinkState;
    this.site = undefined;
  }
}

/** The routers known and their link states. */
export class LinkStateDatabase {
  readonly #records = new Map<string, RouterRecord>();
  /** Routers removed that the graph may still have. */
  #removed: string[] = [];

  get(routerId: string): RouterRecord | undefined {
    return this.#records.get(routerId);
  }

  all(): Iterable<RouterRecord> {
    return this.#records.values();
  }

  get size(): number {
    return this.#records.size;
  }

  /**
   * The record of a router, made if need be. When there is no room, a router that nobody has ever heard speak makes place
   * for one that does (`speaks`): a forged peer list must not shut out real routers. Undefined when there is no room at all.
   */
  learn(routerId: string, speaks: boolean): RouterRecord | undefined {
    const known = this.#records.get(routerId);
    if (known !== undefined) {
      known.speaks ||= speaks;
      return known;
    }
    if (this.#records.size >= limits.routers && !(speaks && this.#evictSilent())) return undefined;
    const record = new RouterRecord(routerId, speaks);
    this.#records.set(routerId, record);
    return record;
  }

  /** Whether some router names this one as a peer. */
  isNamed(routerId: string): boolean {
    for (const record of this.#records.values()) if (record.peers.has(routerId)) return true;
    return false;
  }

  /** Stores a link state. True if its peers are others than before. */
  update(record: RouterRecord, sequence: number, peers: ReadonlyMap<string, number>, site: ControlMap | undefined): boolean {
    const changed = !samePeers(record.peers, peers);
    record.linkStateSequence = sequence;
    record.site = site;
    if (changed) record.peers = peers;
    const wasOpen = record.linkState.open;
    if (changed || wasOpen) record.linkState = unknownLinkState;
    record.outdated = false;
    return changed || wasOpen;
  }

  /** Brings the graph that the paths are computed from up to date, but for routers whose link states come from elsewhere (`isSigner`). */
  writeTo(graph: LinkStateGraph, isSigner: (routerId: string) => boolean): void {
    for (const routerId of this.#removed) {
      if (!this.#records.has(routerId) && !isSigner(routerId)) graph.set(graph.index.indexOf(routerId), undefined);
    }
    this.#removed = [];
    if (graph.index.size >= maxNumbers) this.#numberLateSpeakers(graph.index);
    for (const record of this.#records.values()) {
      if (isSigner(record.routerId)) continue;
      const { linkStateSequence, outdated, linkState } = record;
      if (linkStateSequence > 0 && (linkState === unknownLinkState || linkState.open !== outdated)) {
        record.linkState = linkStateOf(graph.index, numbered(graph.index, record.peers), outdated);
      }
      if (record.speaks || hasNumber(graph.index, record.routerId)) graph.set(graph.index.indexOf(record.routerId), record.linkState);
    }
  }

  /** A router that had no number as long as it had not spoken: those who name it take it up again. */
  #numberLateSpeakers(index: RouterIndex): void {
    for (const { routerId, speaks } of this.#records.values()) {
      if (!speaks || index.find(routerId) >= 0) continue;
      index.indexOf(routerId);
      for (const other of this.#records.values()) if (other.peers.has(routerId)) other.linkState = unknownLinkState;
    }
  }

  /** Clears link states older than `maxAgeMs`; true if any was cleared. */
  expire(nowMs: number, maxAgeMs: number): boolean {
    let changed = false;
    for (const record of this.#records.values()) {
      if (nowMs - record.lastHeardMs <= maxAgeMs || record.linkStateSequence === 0) continue;
      changed ||= record.peers.size > 0;
      record.clearLinkState();
    }
    return changed;
  }

  /**
   * Removes routers without link state that no router has named as peer for more than two sweeps, and returns them. A router is
   * often heard of before its link state arrives, hence the patience.
   */
  forget(selfPeers: ReadonlySet<string>, isNamed: (routerId: string) => boolean = () => false): RouterRecord[] {
    const named = new Set(selfPeers);
    for (const record of this.#records.values()) for (const peer of record.peers.keys()) named.add(peer);
    const forgotten: RouterRecord[] = [];
    for (const record of this.#records.values()) {
      if (record.peers.size > 0 || named.has(record.routerId) || isNamed(record.routerId)) record.idleSweeps = 0;
      else if (++record.idleSweeps > 2) forgotten.push(record);
    }
    for (const { routerId } of forgotten) this.#remove(routerId);
    return forgotten;
  }

  #evictSilent(): boolean {
    for (const record of this.#records.values()) {
      if (record.speaks) continue;
      this.#remove(record.routerId);
      return true;
    }
    return false;
  }

  #remove(routerId: string): void {
    this.#records.delete(routerId);
    this.#removed.push(routerId);
  }
}

/** Whether a router that only others have told of has, or may have, a number: numbers are not given back, so names alone cannot use them up. */
function hasNumber(index: RouterIndex, routerId: string): boolean {
  return index.find(routerId) >= 0 || index.size < maxNumbers;
}

function numbered(index: RouterIndex, peers: ReadonlyMap<string, number>): (readonly [string, number])[] {
  return [...peers].filter(([routerId]) => hasNumber(index, routerId));
}

function samePeers(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  if (a.size !== b.size) return false;
  for (const [peer, cost] of a) if (b.get(peer) !== cost) return false;
  return true;
}
