import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { linkStateOf, LinkStateGraph, unknownLinkState, type LinkState } from './link-state-graph.ts';
import { PathScratch } from './path-scratch.ts';
import { RouterIndex } from './router-index.ts';
import { touchesPaths, updatedPaths } from './shortest-paths-update.ts';
import { shortestPaths, type PathTree } from './shortest-paths.ts';
import { Topology } from './topology.ts';

/** What each router says: neighbours and costs. */
type Statements = Map<string, Map<string, number>>;

const most = 12;
const allIds = Array.from({ length: most }, (_, at) => `r${(at * 7) % most}`);

/** Graphs with costs that may differ by direction, equal costs being frequent; some edges are told by one end only. */
const statements = fc
  .record({
    size: fc.integer({ min: 1, max: most }),
    edges: fc.array(fc.tuple(fc.nat(most - 1), fc.nat(most - 1), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 4 })), {
      maxLength: 40,
    }),
  })
  .map(({ size, edges }): Statements => {
    const all: Statements = new Map(allIds.slice(0, size).map((id) => [id, new Map()]));
    for (const [a, b, there, back] of edges) {
      if (a >= size || b >= size || a === b) continue;
      all.get(allIds[a])?.set(allIds[b], there);
      if (back > 0) all.get(allIds[b])?.set(allIds[a], back);
    }
    return all;
  });

/** The edges that count as `self` sees it. */
function counted(all: Statements, self: string): Statements {
  return new Map(
    [...all].map(([id, peers]) => [id, new Map([...peers].filter(([peer]) => all.has(peer) && (id === self || all.get(peer)?.has(id))))]),
  );
}

function graphOf(all: Statements, self: string, index = new RouterIndex()): LinkStateGraph {
  const graph = new LinkStateGraph(index, self);
  for (const [id, peers] of all) graph.set(index.indexOf(id), linkStateOf(index, peers));
  return graph;
}

/** Floyd and Warshall: distances between all pairs. */
function distances(all: Statements): Map<string, Map<string, number>> {
  const ids = [...all.keys()];
  const found = new Map(ids.map((a) => [a, new Map(ids.map((b) => [b, a === b ? 0 : (all.get(a)?.get(b) ?? Infinity)]))]));
  const at = (a: string, b: string): number => found.get(a)?.get(b) ?? Infinity;
  for (const via of ids) for (const a of ids) for (const b of ids) found.get(a)?.set(b, Math.min(at(a, b), at(a, via) + at(via, b)));
  return found;
}

/** The router before each one on the path from the root, by the rule as it is written down. */
function predecessors(edges: Statements, root: string): Map<string, string> {
  const from = distances(edges).get(root);
  const distance = (id: string): number => from?.get(id) ?? Infinity;
  const before = new Map<string, string>();
  for (const id of edges.keys()) {
    if (id === root || distance(id) === Infinity) continue;
    const last = [...edges.keys()].filter((peer) => distance(peer) + (edges.get(peer)?.get(id) ?? Infinity) === distance(id));
    before.set(id, last.sort((a, b) => distance(a) - distance(b) || (a < b ? -1 : 1))[0]);
  }
  return before;
}

/** By id, what a tree says. */
function treeById(graph: LinkStateGraph, tree: PathTree): Map<string, { cost: number; before: string | undefined }> {
  const found = new Map<string, { cost: number; before: string | undefined }>();
  for (const [router, cost] of tree.cost.entries()) {
    if (cost === Infinity) continue;
    const before = tree.previous[router];
    found.set(graph.index.idOf(router), { cost, before: before < 0 ? undefined : graph.index.idOf(before) });
  }
  return found;
}

test('costs equal those of an independent algorithm, and the last hop is chosen by distance and id', () => {
  fc.assert(
    fc.property(statements, (all) => {
      for (const self of all.keys()) {
        const edges = counted(all, self);
        const graph = graphOf(all, self);
        for (const root of all.keys()) {
          const before = predecessors(edges, root);
          const expected = [...(distances(edges).get(root) ?? [])].filter(([, cost]) => cost < Infinity);
          const tree = shortestPaths(graph, graph.index.indexOf(root), new PathScratch());
          assert.deepEqual(treeById(graph, tree), new Map(expected.map(([id, cost]) => [id, { cost, before: before.get(id) }])));
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('a tree brought up to date equals one made from scratch', () => {
  /** A router, and what it says from now on; null: it is not known any more; 'open': it has not told its neighbours. */
  const change = fc.record({
    router: fc.nat(most - 1),
    peers: fc.oneof(
      { weight: 6, arbitrary: fc.array(fc.tuple(fc.nat(most - 1), fc.integer({ min: 1, max: 4 })), { maxLength: 5 }) },
      { weight: 1, arbitrary: fc.constantFrom(null, 'open' as const) },
    ),
    /** Whether the far ends confirm. */
    both: fc.boolean(),
  });
  const scratch = new PathScratch();
  fc.assert(
    fc.property(statements, fc.array(fc.array(change, { maxLength: 2 }), { maxLength: 12 }), (all, batches) => {
      // Routers that nobody mentions: a small change is a small share of all.
      const index = new RouterIndex();
      for (const id of allIds) index.indexOf(id);
      for (let extra = 0; extra < 60; extra++) index.indexOf(`x${extra}`);
      const graph = graphOf(all, allIds[0], index);
      graph.takeChanges();
      let tree = shortestPaths(graph, graph.self, scratch);
      for (const batch of batches) {
        for (const { router, peers, both } of batch) {
          const at = index.indexOf(allIds[router]);
          if (peers === null || peers === 'open') {
            if (at !== graph.self) graph.set(at, peers === null ? undefined : unknownLinkState);
            continue;
          }
          const said = new Map(peers.filter(([peer]) => peer !== router).map(([peer, cost]) => [allIds[peer], cost]));
          graph.set(at, linkStateOf(index, said));
          if (both) for (const [peer, cost] of said) addPeer(graph, index.indexOf(peer), allIds[router], cost);
        }
        const before = tree;
        const copy = { cost: before.cost.slice(), previous: before.previous.slice() };
        const changes = graph.takeChanges();
        const touches = touchesPaths(graph, tree, changes);
        tree = updatedPaths(graph, tree, changes, scratch);
        assert.equal(touches, tree !== before, 'the changed edges alone tell whether any path changes');
        const anew = shortestPaths(graph, graph.self, scratch);
        assert.deepEqual(treeById(graph, tree), treeById(graph, anew));
        assert.deepEqual({ cost: before.cost, previous: before.previous }, copy, 'the tree before stays as it was');
        if (tree !== before) assert.notDeepEqual(treeById(graph, tree), treeById(graph, before), 'the same tree is the same object');
      }
    }),
    { numRuns: 1_000 },
  );
});

function addPeer(graph: LinkStateGraph, router: number, peer: string, cost: number): void {
  const state: LinkState | undefined = graph.linkState(router);
  const said = new Map<string, number>([[peer, cost]]);
  for (const [place, known] of state?.peers.entries() ?? []) said.set(graph.index.idOf(known), state?.costs[place] ?? 1);
  graph.set(router, linkStateOf(graph.index, said));
}

test('valid origins are those whose tree goes through this router', () => {
  const passesThrough = (before: Map<string, string>, self: string, destination: string): boolean => {
    for (let at = before.get(destination); at !== undefined; at = before.get(at)) if (at === self) return true;
    return false;
  };
  fc.assert(
    fc.property(statements, (all) => {
      for (const self of all.keys()) {
        const edges = counted(all, self);
        const graph = graphOf(all, self);
        const { index } = graph;
        const topology = new Topology(graph, new PathScratch());
        const own = predecessors(edges, self);
        for (const origin of all.keys()) {
          const before = predecessors(edges, origin);
          for (const destination of all.keys()) {
            if (destination === self) continue;
            const expected = origin === self || (own.has(origin) && passesThrough(before, self, destination));
            const found = topology.isValidOrigin(index.indexOf(destination), index.indexOf(origin));
            assert.equal(found, expected, `${origin} -> ${self} -> ${destination}`);
          }
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('behind a neighbour are the routers that it reaches without this one', () => {
  fc.assert(
    fc.property(statements, (all) => {
      const self = allIds[0];
      const topology = new Topology(graphOf(all, self), new PathScratch());
      const { index } = topology.graph;
      const edges = counted(all, self);
      edges.delete(self);
      for (const peers of edges.values()) peers.delete(self);
      const found = distances(edges);
      for (const a of all.keys()) {
        for (const b of all.keys()) {
          const expected = a !== self && b !== self && (found.get(a)?.get(b) ?? Infinity) < Infinity;
          assert.equal(topology.isBehind(index.indexOf(a), index.indexOf(b)), expected, `${a} -> ${b}`);
        }
      }
    }),
    { numRuns: 100 },
  );
});

test('a claimed neighbour that does not confirm attracts nothing', () => {
  const all: Statements = new Map([
    ['a', new Map([['liar', 1]])],
    [
      'liar',
      new Map([
        ['a', 1],
        ['victim', 1],
      ]),
    ],
    ['victim', new Map()],
  ]);
  const topology = new Topology(graphOf(all, 'a'), new PathScratch());
  const { graph } = topology;
  const victim = graph.index.indexOf('victim');
  assert.equal(topology.reaches(graph.index.indexOf('liar')), true);
  assert.equal(topology.reaches(victim), false);
  graph.set(victim, unknownLinkState);
  assert.equal(topology.update(), true, 'a router whose link state must still be asked for is within reach');
  assert.equal(topology.reaches(victim), true);
});

test('own edges count before the other end has confirmed them, but not towards a router that is not known', () => {
  const index = new RouterIndex();
  const graph = new LinkStateGraph(index, 'a');
  const topology = new Topology(graph, new PathScratch());
  graph.set(
    graph.self,
    linkStateOf(index, [
      ['b', 1],
      ['ghost', 1],
    ]),
  );
  graph.set(index.indexOf('b'), linkStateOf(index, []));
  assert.equal(topology.update(), true);
  assert.equal(topology.reaches(index.indexOf('b')), true);
  assert.equal(topology.reaches(index.indexOf('ghost')), false);
  assert.equal(topology.update(), false, 'nothing has changed since');
});

test('paths are not computed for links that no path goes over', () => {
  const all: Statements = new Map([
    ['a', new Map([['b', 1], ['c', 1]])],
    ['b', new Map([['a', 1], ['c', 1]])],
    ['c', new Map([['a', 1], ['b', 1]])],
  ]); // prettier-ignore
  const topology = new Topology(graphOf(all, 'a'), new PathScratch());
  const { graph } = topology;
  const say = (router: string, peers: readonly string[]): void => {
    graph.set(graph.index.indexOf(router), linkStateOf(graph.index, peers.map((peer) => [peer, 1] as const)));
  }; // prettier-ignore
  for (const peers of [['a'], ['a', 'c'], ['a']]) {
    say('b', peers);
    assert.equal(topology.update(), false);
  }
  assert.deepEqual([topology.computations, topology.version], [0, 3]);
  say('c', ['a']);
  say('b', ['c']);
  topology.update();
  assert.equal(topology.computations, 0, 'own edges count as long as this router says so');
  say('a', ['c']);
  assert.equal(topology.update(), true);
  assert.equal(topology.computations, 1);
});
