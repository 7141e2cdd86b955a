/**
 * Cost of paths and route tables in large networks: `node --expose-gc bench/micro/routing.ts`.
 *
 * Two shapes: `random`, where every router has about 4 links, and `rings`, a ring of rings of 32. One link is cut and joined again,
 * a different one each time, as one router sees it: `full` computes all paths, `update` brings them up to date, `table` makes the
 * route table and looks up one far router. Median of the changes, in microseconds; memory is what one more router in the process costs.
 */
import { parseArgs } from 'node:util';
import { LinkTable, type Neighbour } from '../../src/routing/hello.ts';
import { defaultTimers } from '../../src/routing/limits.ts';
import { linkStateOf, LinkStateGraph, type LinkState } from '../../src/routing/link-state-graph.ts';
import { AddressDirectory, LocalAddresses } from '../../src/routing/mobile-addresses.ts';
import { PathScratch } from '../../src/routing/path-scratch.ts';
import { RouterIndex } from '../../src/routing/router-index.ts';
import { RouteTableBuilder } from '../../src/routing/route-table-builder.ts';
import { shortestPaths } from '../../src/routing/shortest-paths.ts';
import { Topology } from '../../src/routing/topology.ts';

type Links = Map<number, Set<number>>;

function join(links: Links, a: number, b: number): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ]) {
    const peers = links.get(from) ?? new Set<number>();
    links.set(from, peers.add(to));
  }
}

/** A random cycle through all and a second one: connected, and 4 links each. */
function randomLinks(size: number, number: () => number): Links {
  const links: Links = new Map();
  for (let cycle = 0; cycle < 2; cycle++) {
    const order = Array.from({ length: size }, (_, at) => at);
    for (let at = size - 1; at > 0; at--) {
      const other = Math.floor(number() * (at + 1));
      [order[at], order[other]] = [order[other], order[at]];
    }
    for (const [at, router] of order.entries()) join(links, router, order[(at + 1) % size]);
  }
  return links;
}

function ringLinks(size: number): Links {
  const ring = 32;
  const links: Links = new Map();
  for (let start = 0; start < size; start += ring) {
    const length = Math.min(ring, size - start);
    for (let at = 0; at < length; at++) join(links, start + at, start + ((at + 1) % length));
    join(links, start, (start + ring) % size);
  }
  return links;
}

/** Numbers in [0, 1), the same in every run. */
function seeded(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

function measure(shape: string, size: number, changes: number): Record<string, string | number> {
  const number = seeded();
  const links = shape === 'random' ? randomLinks(size, number) : ringLinks(size);
  const index = new RouterIndex();
  for (let router = 0; router < size; router++) index.indexOf(`router-${router}`);
  const states = new Map<number, LinkState>();
  const stateOf = (router: number): LinkState =>
    linkStateOf(
      index,
      Array.from(links.get(router) ?? [], (peer) => [index.idOf(peer), 1]),
    );
  for (const router of links.keys()) states.set(router, stateOf(router));

  const scratch = new PathScratch();
  const others: Topology[] = [];
  const topologyOf = (id: string): Topology => {
    const graph = new LinkStateGraph(index, id);
    for (const [router, state] of states) graph.set(router, state);
    return new Topology(graph, scratch);
  };
  globalThis.gc?.();
  const before = process.memoryUsage();
  for (let router = 1; router <= 100; router++) others.push(topologyOf(`router-${router}`));
  globalThis.gc?.();
  const after = process.memoryUsage();
  const bytes = (after.heapUsed + after.external - before.heapUsed - before.external) / others.length;
  const topology = topologyOf('router-0');
  const { graph } = topology;
  const builder = new RouteTableBuilder(topology, new AddressDirectory(), new LocalAddresses(0));
  const neighbours = new Map<string, Neighbour>(Array.from(links.get(0) ?? [], (peer) => [index.idOf(peer), { link: peer, cost: 1 }]));
  const connections = new LinkTable(defaultTimers);

  const times = { full: [] as number[], update: [] as number[], table: [] as number[] };
  const time = (into: number[], work: () => void): void => {
    const start = performance.now();
    work();
    into.push((performance.now() - start) * 1000);
  };
  for (let change = 0; change < changes; change++) {
    const a = 1 + Math.floor(number() * (size - 1));
    const b = [...(links.get(a) ?? [])].find((peer) => peer !== 0);
    if (b === undefined) continue;
    for (const joined of [false, true]) {
      for (const [from, to] of [
        [a, b],
        [b, a],
      ]) {
        if (joined) links.get(from)?.add(to);
        else links.get(from)?.delete(to);
        graph.set(from, stateOf(from));
      }
      time(times.update, () => void topology.update());
      time(times.full, () => void shortestPaths(graph, graph.self, scratch));
      time(times.table, () => {
        builder.topologyChanged(connections, neighbours);
        builder.table.routers.get(index.idOf(size - 1));
      });
    }
  }
  return {
    shape,
    routers: size,
    'full µs': Math.round(median(times.full)),
    'update µs': Math.round(median(times.update)),
    'table µs': Math.round(median(times.table)),
    'KiB per router': Math.round(bytes / 1024),
  };
}

const { values } = parseArgs({ options: { changes: { type: 'string', default: '200' } } });
const rows = [];
for (const size of [1_000, 10_000]) for (const shape of ['random', 'rings']) rows.push(measure(shape, size, Number(values.changes)));
console.table(rows);
