import { discouragesTransit, placeOf, type LinkStateGraph } from './link-state-graph.ts';
import type { OriginState } from './origin-state.ts';
import { hasSameLinks } from './record-content.ts';
import type { RecordStore } from './record-store.ts';
import { RouterSet } from './router-set.ts';
import type { SignedRecord } from './signed-record.ts';
import type { Credential } from './trust.ts';
import { Anchors } from './unsigned-routers.ts';

const noPeers = new Int32Array(0);

/** Brings the link states of routers that sign into the graph, and finds out how pressing the paths that follow from them are. */
export class SignedTopology {
  readonly #graph: LinkStateGraph;
  readonly #store: RecordStore;
  /** Origins whose link state the graph has yet to take. */
  readonly #changed = new RouterSet();
  /** Origins that name neighbours which have no number yet. */
  readonly #incomplete = new Set<number>();
  /** Origins that name neighbours which do not sign. */
  readonly #nearUnsigned = new Set<number>();
  /** Set when link states of others have changed; cleared by the owner. */
  hasChanged = false;
  /** Set with it when a link is lost, leads to a router without a path, or its maker wants no transit any more; cleared by the owner. */
  isPressing = false;

  constructor(graph: LinkStateGraph, store: RecordStore) {
    this.#graph = graph;
    this.#store = store;
  }

  /** Whether a router that does not sign is known next to one that does and can be reached. */
  get hasUnsigned(): boolean {
    for (const origin of this.#nearUnsigned) if (this.#store.isReachable(origin)) return true;
    return false;
  }

  /** Whether a link state that waits for routers without records names this one. */
  names(routerId: string): boolean {
    for (const origin of this.#naming()) {
      const peers = this.#store.at(origin)?.linkState?.linkState?.peers ?? [];
      if (peers.some((peer) => peer.routerId === routerId)) return true;
    }
    return false;
  }

  /** Origins that name routers which do not sign, or which only messages of another kind have told of. */
  #naming(): Set<number> {
    return this.#nearUnsigned.union(this.#incomplete);
  }

  /** An origin has another link state, or none any more. */
  change(record: SignedRecord, before: OriginState | undefined, after: OriginState): void {
    const { index } = this.#graph;
    const origin = record.numberIn(index);
    const content = after.linkState?.linkState;
    if (content?.hasUnsigned === true) this.#nearUnsigned.add(origin);
    else this.#nearUnsigned.delete(origin);
    // Most often only slots have been added, or everything was signed again.
    if (before?.linkState !== undefined && hasSameLinks(before.linkState.linkState, content, index)) return;
    this.#changed.add(origin);
    this.hasChanged = true;
    if (this.isPressing && this.#incomplete.size === 0) return;
    const state = content?.graphState(index);
    const peers = state?.peers ?? noPeers;
    // Others may have named this router before it had a number. Its first link state need not name them yet: each one is looked at.
    if (this.#incomplete.size > 0) for (const peer of peers) if (this.#incomplete.has(peer)) this.#changed.add(peer);
    this.isPressing ||= discouragesTransit(before?.linkState?.linkState?.graphState(index), state) || this.#losesEdge(origin, peers);
    for (let place = 0; place < peers.length && !this.isPressing; place++) this.isPressing = this.#leadsOn(origin, peers[place] ?? origin);
  }

  /** Whether a link of `origin` that paths go over, or may, is gone: `peers` are those that it has now. */
  #losesEdge(origin: number, peers: Int32Array): boolean {
    for (const peer of this.#graph.linkState(origin)?.peers ?? noPeers) {
      if (placeOf(peers, peer) < 0 && this.#graph.edgeCost(origin, peer) < Infinity) return true;
    }
    return false;
  }

  /** Whether the edge from `origin`, as it just told, leads from a router with a path to one without, and `peer` tells of it too. */
  #leadsOn(origin: number, peer: number): boolean {
    if (peer === this.#graph.self) return !this.#store.isReachable(origin);
    if (this.#store.isReachable(origin) === this.#store.isReachable(peer)) return false;
    const other = this.#store.at(peer)?.linkState?.linkState?.graphState(this.#graph.index);
    return other !== undefined && placeOf(other.peers, origin) >= 0;
  }

  /** Nothing is known of an origin any more. */
  drop(origin: number): void {
    this.#nearUnsigned.delete(origin);
    this.#changed.add(origin);
    this.hasChanged = true;
  }

  writeTo(graph: LinkStateGraph): void {
    // Where not all sign, routers have got numbers, or lost them, since those who name them were last looked at.
    if (this.#nearUnsigned.size > 0) for (const origin of this.#naming()) this.#changed.add(origin);
    for (const origin of this.#changed.take()) {
      if (origin === graph.self) continue;
      const content = this.#store.at(origin)?.linkState?.linkState;
      graph.set(origin, content?.graphState(graph.index));
      if (content?.isComplete === false) this.#incomplete.add(origin);
      else this.#incomplete.delete(origin);
    }
  }

  /** The credentials of the signing neighbours of each router that does not sign and confirms them (`peersOf`). */
  anchors(
    credentialOf: (routerId: string) => Credential | undefined,
    isSigner: (routerId: string) => boolean,
    peersOf: (routerId: string) => ReadonlyMap<string, number> | undefined,
  ): Anchors {
    const anchors = new Anchors();
    for (const origin of this.#nearUnsigned) {
      const state = this.#store.at(origin);
      const credential = state === undefined ? undefined : credentialOf(state.origin);
      if (state === undefined || credential === undefined || !this.#store.isReachable(origin)) continue;
      for (const { routerId, isUnsigned } of state.linkState?.linkState?.peers ?? []) {
        // Both ends must say so: nobody may lend, and take away again, grants that a router has not asked for.
        if (isUnsigned && !isSigner(routerId) && peersOf(routerId)?.has(state.origin) === true) anchors.add(routerId, credential);
      }
    }
    return anchors;
  }
}
