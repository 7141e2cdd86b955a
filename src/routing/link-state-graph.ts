import { limits } from './limits.ts';
import type { RouterIndex } from './router-index.ts';

/**
 * What one router says of its links: its neighbours in ascending order of their index, and the cost of each at the same place.
 * Never changed once made, and shared by whoever holds it.
 */
export interface LinkState {
  readonly peers: Int32Array;
  readonly costs: Int32Array;
  /**
   * Edges towards this router count although it does not confirm them: its link state is not known, or known to be out of date, and
   * can only be asked for along a path.
   */
  readonly open: boolean;
}

const noNeighbours = new Int32Array(0);

/** Stands for a router that is known to exist, but has not told its neighbours yet. */
export const unknownLinkState: LinkState = { peers: noNeighbours, costs: noNeighbours, open: true };

/** The link state with these neighbours and costs. A cost below 1 counts as 1, so that every hop makes a path longer. */
export function linkStateOf(index: RouterIndex, neighbours: Iterable<readonly [string, number]>, open = false): LinkState {
  const entries = Array.from(neighbours, ([routerId, cost]): readonly [number, number] => [index.indexOf(routerId), cost]);
  entries.sort(([one], [other]) => one - other);
  const peers = new Int32Array(entries.length);
  const costs = new Int32Array(entries.length);
  for (const [at, [peer, cost]] of entries.entries()) {
    peers[at] = peer;
    costs[at] = Math.min(Math.max(1, cost), limits.linkCost);
  }
  return { peers, costs, open };
}

/** Whether two link states say the same. */
export function sameLinks(one: LinkState, other: LinkState): boolean {
  if (one.open !== other.open || one.peers.length !== other.peers.length) return false;
  return one.peers.every((peer, place) => other.peers[place] === peer && other.costs[place] === one.costs[place]);
}

/** Whether a router that was passed through is about to leave: it waits for others to find another way. */
export function discouragesTransit(before: LinkState | undefined, after: LinkState | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  const isDear = (cost: number): boolean => cost >= limits.transitDiscouragement;
  return after.costs.some(isDear) && !before.costs.every(isDear);
}

/** Lists up to this long are searched from the start: routers have few links, and that is faster than halving. */
const shortList = 8;

/** Place of a router in an ascending list; -1 if it is not there. */
export function placeOf(peers: Int32Array, router: number): number {
  let low = 0;
  let high = peers.length - 1;
  while (high - low >= shortList) {
    const middle = (low + high) >> 1;
    if ((peers[middle] ?? -1) < router) low = middle + 1;
    else high = middle;
  }
  for (let place = low; place <= high; place++) if (peers[place] === router) return place;
  return -1;
}

/** Routers whose link state is another now, and what it was, at the same place. */
export interface LinkStateChanges {
  readonly routers: readonly number[];
  readonly before: readonly (LinkState | undefined)[];
}

/** Link states at one moment, by router index. */
export interface LinkStates {
  linkState(router: number): LinkState | undefined;
}

/**
 * The link states known to one router, as a graph: an edge counts only when both of its ends report it, so that nobody can draw traffic
 * by claiming a neighbour. Exceptions: this router's own edges, since HELLO has confirmed them, and edges to `open` routers.
 * The cost of an edge is what its near side says.
 *
 * Remembers what each link state was before the changes not yet taken into the paths.
 */
export class LinkStateGraph implements LinkStates {
  readonly index: RouterIndex;
  /** Index of this router. */
  readonly self: number;
  readonly #states: (LinkState | undefined)[] = [];
  /** Routers whose link state has changed, what it was before at the same place, and a mark for each of them by router. */
  #changed: number[] = [];
  #before: (LinkState | undefined)[] = [];
  #isChanged = new Uint8Array(0);
  #open = 0;

  constructor(index: RouterIndex, selfId: string) {
    this.index = index;
    this.self = index.indexOf(selfId);
    this.set(this.self, linkStateOf(index, []));
  }

  linkState(router: number): LinkState | undefined {
    return this.#states[router];
  }

  /** One more than the largest index that may have edges. */
  get size(): number {
    return this.index.size;
  }

  /** Whether any router is `open`: then edges need not be confirmed, and cannot be found from their far end. */
  get hasOpen(): boolean {
    return this.#open > 0;
  }

  get changed(): boolean {
    return this.#changed.length > 0;
  }

  /** Replaces a link state; undefined: the router is not known, and no edge leads to it. The same object changes nothing. */
  set(router: number, state: LinkState | undefined): void {
    while (this.#states.length <= router) this.#states.push(undefined);
    const before = this.#states[router];
    if (before === state) return;
    this.#states[router] = state;
    if (before?.open === true) this.#open--;
    if (state?.open === true) this.#open++;
    if (this.#isChanged[router] === 1) return;
    if (router >= this.#isChanged.length) {
      const marks = new Uint8Array(Math.max(router + 1, this.index.size));
      marks.set(this.#isChanged);
      this.#isChanged = marks;
    }
    this.#isChanged[router] = 1;
    this.#changed.push(router);
    this.#before.push(before);
  }

  /** The changes since the last call. The caller owns the lists. */
  takeChanges(): LinkStateChanges {
    const changes = { routers: this.#changed, before: this.#before };
    for (const router of this.#changed) this.#isChanged[router] = 0;
    this.#changed = [];
    this.#before = [];
    return changes;
  }

  /** Cost of the edge between two routers as it counts; Infinity if it does not. */
  edgeCost(from: number, to: number): number {
    return edgeCost(this, this.self, from, to);
  }
}

/** Cost of an edge in a graph seen from `self`; Infinity if it does not count. */
export function edgeCost(states: LinkStates, self: number, from: number, to: number): number {
  const near = states.linkState(from);
  const far = states.linkState(to);
  if (near === undefined || far === undefined) return Infinity;
  const place = placeOf(near.peers, to);
  if (place < 0) return Infinity;
  const counts = from === self || far.open || placeOf(far.peers, from) >= 0;
  return counts ? (near.costs[place] ?? Infinity) : Infinity;
}
