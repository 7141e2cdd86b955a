import type { LinkStateGraph } from './link-state-graph.ts';
import type { PathScratch } from './path-scratch.ts';
import { touchesPaths, updatedPaths } from './shortest-paths-update.ts';
import { shortestPaths, type PathTree } from './shortest-paths.ts';

/**
 * The graph of link states seen from one router: the paths to all others, brought up to date when told, and answers about the paths of
 * others, worked out when asked for and kept until the graph changes.
 */
export class Topology {
  readonly graph: LinkStateGraph;
  readonly #scratch: PathScratch;
  #tree: PathTree;
  #version = 0;
  #computations = 0;
  /** By origin: a bit for each destination that this origin reaches through this router. */
  readonly #through = new Map<number, Uint8Array>();
  /** By router: the part of the network it is in when this router is left out. */
  #parts: Int32Array | undefined;

  constructor(graph: LinkStateGraph, scratch: PathScratch) {
    this.graph = graph;
    this.#scratch = scratch;
    graph.takeChanges();
    this.#tree = shortestPaths(graph, graph.self, scratch);
  }

  /** The paths from this router: another object when any of them changes. */
  get tree(): PathTree {
    return this.#tree;
  }

  /** Grows with each `update` that took in a change. */
  get version(): number {
    return this.#version;
  }

  /**
   * How often paths had to be computed: not for a change of edges of which none that is gone or dearer carries a path, and none that is new
   * or cheaper shortens one. That is seen by looking at these edges alone.
   */
  get computations(): number {
    return this.#computations;
  }

  /** Takes the changes of the graph into the paths. True if any path has changed. */
  update(): boolean {
    if (!this.graph.changed) return false;
    const before = this.#tree;
    const changes = this.graph.takeChanges();
    if (touchesPaths(this.graph, before, changes)) {
      this.#computations++;
      this.#tree = updatedPaths(this.graph, before, changes, this.#scratch);
    }
    this.#version++;
    this.#through.clear();
    this.#parts = undefined;
    return this.#tree !== before;
  }

  /** Whether there is a path to another router. */
  reaches(router: number): boolean {
    return router !== this.graph.self && (this.#tree.cost[router] ?? Infinity) < Infinity;
  }

  /**
   * Whether the shortest path from `origin` to `destination` goes through this router: only then may this router pass on a
   * multicast message of that origin towards that destination. Always so for this router's own messages.
   */
  isValidOrigin(destination: number, origin: number): boolean {
    if (origin === this.graph.self) return destination !== this.graph.self;
    // An origin without a path from here is treated as unknown.
    if (destination < 0 || !this.reaches(origin)) return false;
    const bits = this.#throughSelf(origin);
    return (((bits[destination >> 3] ?? 0) >> (destination & 7)) & 1) === 1;
  }

  /** Whether `router` can be reached from `neighbour` without passing this router. */
  isBehind(neighbour: number, router: number): boolean {
    const { self } = this.graph;
    if (neighbour < 0 || router < 0 || neighbour === self || router === self) return false;
    this.#parts ??= this.#partsWithoutSelf();
    return neighbour === router || (this.#parts[neighbour] ?? -1) === (this.#parts[router] ?? -2);
  }

  /** Memory: one bit per router for each origin asked about. */
  #throughSelf(origin: number): Uint8Array {
    const known = this.#through.get(origin);
    if (known !== undefined) return known;
    const { self, size } = this.graph;
    const { previous } = shortestPaths(this.graph, origin, this.#scratch);
    const bits = new Uint8Array((size + 7) >> 3);
    /** 1: through this router, 2: not. Each router is walked over once. */
    const verdicts = this.#scratch.marks(size);
    const walked = this.#scratch.list;
    for (let router = 0; router < size; router++) {
      let at = router;
      for (walked.length = 0; at >= 0 && at !== self && verdicts[at] === 0; at = previous[at] ?? -1) walked.push(at);
      const verdict = at === self || (at >= 0 && verdicts[at] === 1) ? 1 : 2;
      for (const passed of walked) {
        verdicts[passed] = verdict;
        if (verdict === 1) bits[passed >> 3] = (bits[passed >> 3] ?? 0) | (1 << (passed & 7));
      }
    }
    walked.length = 0;
    verdicts.fill(0, 0, size);
    this.#through.set(origin, bits);
    return bits;
  }

  #partsWithoutSelf(): Int32Array {
    const { graph } = this;
    const parts = Int32Array.from({ length: graph.size }, (_, router) => router);
    const partOf = (router: number): number => {
      let root = router;
      for (let above = parts[root] ?? root; above !== root; above = parts[root] ?? root) root = above;
      for (let at = router; at !== root;) {
        const above = parts[at] ?? root;
        parts[at] = root;
        at = above;
      }
      return root;
    };
    for (let router = 0; router < graph.size; router++) {
      if (router === graph.self) continue;
      for (const peer of graph.linkState(router)?.peers ?? []) {
        if (peer !== graph.self && graph.edgeCost(router, peer) < Infinity) parts[partOf(router)] = partOf(peer);
      }
    }
    for (let router = 0; router < graph.size; router++) parts[router] = partOf(router);
    return parts;
  }
}
