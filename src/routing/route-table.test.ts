import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { LinkTable, type Neighbour } from './hello.ts';
import { defaultTimers } from './limits.ts';
import { linkStateOf, LinkStateGraph } from './link-state-graph.ts';
import { AddressDirectory, LocalAddresses } from './mobile-addresses.ts';
import { PathScratch } from './path-scratch.ts';
import { RouterIndex } from './router-index.ts';
import { RouteTableBuilder, type ConsumeRights } from './route-table-builder.ts';
import { Topology } from './topology.ts';

/** Router r0 among routers joined by `edges` (all of cost 1); the link to a neighbour rN is number N. */
function tables(
  edges: readonly (readonly [number, number])[],
  rights?: ConsumeRights,
): { builder: RouteTableBuilder; directory: AddressDirectory; change(edges: readonly (readonly [number, number])[]): void } {
  const index = new RouterIndex();
  const graph = new LinkStateGraph(index, 'r0');
  const topology = new Topology(graph, new PathScratch());
  const directory = new AddressDirectory();
  const builder = new RouteTableBuilder(topology, directory, new LocalAddresses(0), rights);
  const change = (now: readonly (readonly [number, number])[]): void => {
    const peers = new Map<string, Map<string, number>>([['r0', new Map()]]);
    for (const [a, b] of now) {
      for (const [from, to] of [
        [a, b],
        [b, a],
      ])
        peers.set(`r${from}`, (peers.get(`r${from}`) ?? new Map<string, number>()).set(`r${to}`, 1));
    }
    for (const [id, costs] of peers) graph.set(index.indexOf(id), linkStateOf(index, costs));
    topology.update();
    const neighbours = new Map<string, Neighbour>();
    for (const id of peers.get('r0')?.keys() ?? []) neighbours.set(id, { link: Number(id.slice(1)), cost: 1 });
    builder.topologyChanged(new LinkTable(defaultTimers), neighbours);
  };
  change(edges);
  return { builder, directory, change };
}

/** r0 - r1 - r2 - r3, and r0 - r4. */
const line: readonly (readonly [number, number])[] = [
  [0, 1],
  [1, 2],
  [2, 3],
  [0, 4],
];

test('routes say cost, hops and first link, and sizes count what can be reached', () => {
  const { table } = tables(line).builder;
  const route = table.routers.get('r3');
  assert.deepEqual([route?.cost, route?.hops, route?.link, route?.nextHop], [3, 3, 1, 'r1']);
  assert.equal(table.routers.get('r3'), route, 'made once');
  assert.equal(table.routers.get('r0'), undefined);
  assert.equal(table.routers.has('nobody'), false);
  assert.deepEqual([table.routers.size, table.radius], [4, 3]);
  assert.deepEqual([...table.routers.keys()].sort(), ['r1', 'r2', 'r3', 'r4']);
  assert.deepEqual([...table.firstLinks].sort(), [1, 4]);
});

test('the radius is the most hops of any route', () => {
  const pairs = fc.array(
    fc.tuple(fc.nat(9), fc.nat(9)).filter(([a, b]) => a !== b),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(pairs, (edges) => {
      const { table } = tables(edges).builder;
      const routes = [...table.routers.values()];
      assert.equal(table.radius, Math.max(0, ...routes.map(({ hops }) => hops)));
      assert.equal(table.routers.size, routes.length);
      for (const { link, routerId } of routes) assert.ok(table.firstLinks.includes(link), routerId);
    }),
  );
});

test('routes that stay are kept over a change elsewhere, and paths of an old table stay', () => {
  const { builder, change } = tables([...line, [1, 3]]);
  const before = builder.table;
  const far = before.routers.get('r3');
  change([...line, [2, 3]]);
  assert.equal(before.routers.get('r3'), far);
  assert.equal(builder.table.routers.get('r3')?.cost, 3);
  assert.equal(before.routers.get('r3')?.cost, 2);
  assert.ok(builder.table.epoch > before.epoch);
});

test('addresses lead to reachable routers only, nearest first', () => {
  const { builder, directory, change } = tables(line);
  for (const [id, key] of [
    ['r3', 'Mx'],
    ['r4', 'Mx'],
    ['r9', 'Mx'],
    ['r9', 'My'],
  ] as const) {
    directory.apply({
      id,
      mobileSequence: 1 + directory.sequenceOf(id),
      absolute: false,
      add: [{ key, treatment: 3 }],
      del: [],
      skipped: 0,
    });
  }
  builder.addressesChanged(directory.takeChanged());
  const { table } = builder;
  assert.deepEqual(
    table.addresses.get('Mx')?.routers.map(({ routerId }) => routerId),
    ['r4', 'r3'],
  );
  assert.deepEqual([table.addresses.has('My'), table.addresses.get('My'), table.addresses.size], [false, undefined, 1]);
  assert.deepEqual([...table.addresses.keys()], ['Mx']);
  change([...line, [3, 9]]);
  assert.deepEqual(
    [...builder.table.addresses.values()].map(({ key, routers }) => [key, routers.length]),
    [
      ['Mx', 3],
      ['My', 1],
    ],
  );
  directory.flush('r3');
  builder.addressesChanged(directory.takeChanged());
  assert.equal(builder.table.addresses.get('Mx')?.routers.length, 2);
});

test('with rights, messages of a router can only come from a neighbour on its side', () => {
  const rights: ConsumeRights = {
    mayConsume: (routerId, address) => routerId !== 'r3' || address === 'allowed',
    knowsRightsOf: (routerId) => routerId !== 'r4',
  };
  const { table } = tables(line, rights).builder;
  assert.deepEqual(
    [table.mayConsume('r3', 'allowed'), table.mayConsume('r3', 'other'), table.mayConsume('r2', 'other')],
    [true, false, true],
  );
  assert.equal(table.isFeasibleIngress('r1', 'r3'), true);
  assert.equal(table.isFeasibleIngress('r4', 'r3'), false);
  assert.equal(table.isFeasibleIngress('r4', 'r4'), true);
  assert.equal(table.isFeasibleIngress('r4', 'r0'), false, 'an own message does not come back');
  assert.equal(table.isFeasibleIngress('r4', 'nobody'), true, 'whether it may send at all is another question');
  const ring = tables([...line, [3, 4]], rights).builder.table;
  assert.equal(ring.isFeasibleIngress('r4', 'r3'), true);
});

test('without rights nobody is asked where he comes from', () => {
  const { table } = tables(line).builder;
  assert.equal(table.isFeasibleIngress('r4', 'r3'), true);
  assert.equal(table.mayConsume('r3', 'anything'), true);
});
