import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Topology } from './shortest-paths.ts';

type Graph = Map<string, Map<string, number>>;

/** Directed graphs with costs that may differ by direction, equal costs being frequent. */
const graphs = fc
  .record({
    size: fc.integer({ min: 1, max: 12 }),
    edges: fc.array(fc.tuple(fc.nat(11), fc.nat(11), fc.integer({ min: 0, max: 4 })), { maxLength: 60 }),
  })
  .map(({ size, edges }): Graph => {
    const ids = Array.from({ length: size }, (_, index) => `r${String(index).padStart(2, '0')}`);
    const graph: Graph = new Map(ids.map((id) => [id, new Map()]));
    for (const [from, to, cost] of edges) if (from < size && to < size && from !== to) graph.get(ids[from])?.set(ids[to], cost);
    return graph;
  });

/** Floyd and Warshall: distances between all pairs. */
function distances(graph: Graph): Map<string, Map<string, number>> {
  const ids = [...graph.keys()];
  const all = new Map(ids.map((a) => [a, new Map(ids.map((b) => [b, a === b ? 0 : (graph.get(a)?.get(b) ?? Infinity)]))]));
  const at = (a: string, b: string): number => all.get(a)?.get(b) ?? Infinity;
  for (const via of ids) for (const a of ids) for (const b of ids) all.get(a)?.set(b, Math.min(at(a, b), at(a, via) + at(via, b)));
  return all;
}

/** Shortest-path tree by repeated selection of the nearest router, lower id first: slow and plain. */
function predecessors(graph: Graph, root: string): Map<string, string> {
  const cost = new Map([[root, 0]]);
  const before = new Map<string, string>();
  const done = new Set<string>();
  for (;;) {
    const open = [...cost].filter(([id]) => !done.has(id)).sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
    if (open.length === 0) return before;
    const [id, reached] = open[0];
    done.add(id);
    for (const [peer, edge] of graph.get(id) ?? []) {
      if (done.has(peer) || reached + edge >= (cost.get(peer) ?? Infinity)) continue;
      cost.set(peer, reached + edge);
      before.set(peer, id);
    }
  }
}

function passesThrough(before: Map<string, string>, self: string, destination: string): boolean {
  for (let at = before.get(destination); at !== undefined; at = before.get(at)) if (at === self) return true;
  return false;
}

test('costs equal those of an independent algorithm, and paths add up', () => {
  fc.assert(
    fc.property(graphs, (graph) => {
      const expected = distances(graph);
      for (const self of graph.keys()) {
        const found = new Map<string, number>();
        let radius = 0;
        new Topology(self, graph).eachReachable((id, cost, hops, nextHop) => {
          found.set(id, cost);
          radius = Math.max(radius, hops);
          const first = graph.get(self)?.get(nextHop);
          assert.notEqual(first, undefined, 'the next hop is a peer');
          assert.equal((first ?? 0) + (expected.get(nextHop)?.get(id) ?? 0), cost);
        });
        const reachable = [...(expected.get(self) ?? [])].filter(([id, cost]) => id !== self && cost < Infinity);
        assert.deepEqual(found, new Map(reachable));
        assert.equal(new Topology(self, graph).radius, radius);
      }
    }),
    { numRuns: 200 },
  );
});

test('valid origins are those whose tree goes through this router', () => {
  fc.assert(
    fc.property(graphs, (graph) => {
      for (const self of graph.keys()) {
        const topology = new Topology(self, graph);
        const own = predecessors(graph, self);
        for (const origin of graph.keys()) {
          const before = predecessors(graph, origin);
          for (const destination of graph.keys()) {
            if (destination === self) continue;
            const expected = origin === self || (own.has(origin) && passesThrough(before, self, destination));
            assert.equal(topology.isValidOrigin(destination, origin), expected, `${origin} -> ${self} -> ${destination}`);
          }
        }
      }
    }),
    { numRuns: 100 },
  );
});

test('of two equal paths the one through the lower id is taken', () => {
  const topology = new Topology(
    'a',
    new Map([
      [
        'a',
        new Map([
          ['c', 1],
          ['b', 1],
        ]),
      ],
      ['b', new Map([['d', 1]])],
      ['c', new Map([['d', 1]])],
      ['d', new Map()],
    ]),
  );
  const hops: string[] = [];
  topology.eachReachable((id, _cost, _hops, nextHop) => hops.push(`${id} by ${nextHop}`));
  assert.deepEqual(hops, ['b by b', 'c by c', 'd by b']);
});

test('peers that are not known themselves are left out', () => {
  const topology = new Topology('a', new Map([['a', new Map([['ghost', 1]])]]));
  topology.eachReachable((id) => assert.fail(id));
  assert.equal(topology.isValidOrigin('ghost', 'a'), true);
  assert.equal(topology.isValidOrigin('a', 'ghost'), false);
});
