import type { LinkStateDatabase } from './link-state-database.ts';
import type { LinkStateGraph } from './link-state-graph.ts';
import type { RecordStore } from './record-store.ts';

/** Numbers are given back when there are so many times as many as routers are known, and some more. */
const staleShare = 2;
const staleCount = 1_024;
/** At most this often: long after the last table in which an old number stood has been replaced. */
const intervalMs = 60_000;

/**
 * Gives back the numbers of routers that have gone, so that a network in which routers come and go for years needs no more memory than its size.
 * To be called when the graph has taken all changes and the paths are up to date.
 */
export class RouterNumbers {
  readonly #graph: LinkStateGraph;
  #lastMs = -Infinity;

  constructor(graph: LinkStateGraph) {
    this.#graph = graph;
  }

  giveBack(database: LinkStateDatabase, store: RecordStore | undefined, nowMs: number): void {
    const { index, self } = this.#graph;
    if (index.isShared || nowMs - this.#lastMs < intervalMs) return;
    if (index.count <= staleCount + staleShare * (database.size + (store?.size ?? 0))) return;
    this.#lastMs = nowMs;
    const isNamed = new Uint8Array(index.size);
    const note = (peers: Int32Array): void => {
      for (const peer of peers) isNamed[peer] = 1;
    };
    for (let router = 0; router < index.size; router++) note(this.#graph.linkState(router)?.peers ?? noPeers);
    for (const { linkState } of database.all()) note(linkState.peers);
    index.release((router) => {
      const isKnown = this.#graph.linkState(router) !== undefined || store?.at(router) !== undefined;
      return isKnown || router === self || isNamed[router] === 1;
    });
  }
}

const noPeers = new Int32Array(0);
