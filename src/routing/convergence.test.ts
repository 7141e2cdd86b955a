import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { TestNetwork } from './test-network.ts';

interface Wire {
  readonly a: string;
  readonly b: string;
  readonly cost: number;
  readonly delayMs: number;
}

const networks = fc
  .record({
    size: fc.integer({ min: 2, max: 7 }),
    /** Each router but the first is connected to an earlier one, so that the network is whole. */
    parents: fc.array(fc.nat(5), { minLength: 6, maxLength: 6 }),
    extra: fc.array(fc.tuple(fc.nat(6), fc.nat(6)), { maxLength: 6 }),
    costs: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 12, maxLength: 12 }),
    delays: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 12, maxLength: 12 }),
  })
  .map(({ size, parents, extra, costs, delays }) => {
    const ids = Array.from({ length: size }, (_, index) => `router-${index}`);
    const pairs: [number, number][] = ids.slice(1).map((_, index) => [index + 1, parents[index] % (index + 1)]);
    for (const [a, b] of extra) if (a < size && b < size && a !== b) pairs.push([a, b]);
    const wires = pairs.map(([a, b], index): Wire => ({ a: ids[a], b: ids[b], cost: costs[index % 12], delayMs: delays[index % 12] }));
    return { ids, wires };
  });

/** Distances by Floyd and Warshall over wires that work both ways; of parallel wires the cheapest counts. */
function distances(ids: readonly string[], wires: readonly Wire[]): (a: string, b: string) => number {
  const all = new Map<string, number>();
  const at = (a: string, b: string): number => (a === b ? 0 : (all.get(`${a} ${b}`) ?? Infinity));
  for (const { a, b, cost } of wires) {
    all.set(`${a} ${b}`, Math.min(at(a, b), cost));
    all.set(`${b} ${a}`, Math.min(at(b, a), cost));
  }
  for (const via of ids) for (const a of ids) for (const b of ids) all.set(`${a} ${b}`, Math.min(at(a, b), at(a, via) + at(via, b)));
  return at;
}

function check(network: TestNetwork, ids: readonly string[], wires: readonly Wire[]): void {
  const distance = distances(ids, wires);
  for (const a of ids) {
    for (const b of ids) {
      if (a === b) continue;
      const expected = distance(a, b);
      assert.equal(network.cost(a, b), expected === Infinity ? undefined : expected, `${a} to ${b}`);
      const reached = expected < Infinity ? [b] : [];
      assert.deepEqual(network.routersOf(a, `M${b}`), reached, `address of ${b} at ${a}`);
    }
  }
}

test('any network converges to the shortest paths and all addresses, again after a cut, again after repair', () => {
  fc.assert(
    fc.property(networks, fc.nat(20), ({ ids, wires }, victim) => {
      const network = new TestNetwork();
      for (const id of ids) {
        network.router(id);
        network.localAddress(id, `M${id}`);
      }
      const cables = wires.map(({ a, b, cost, delayMs }) => network.connect(a, b, cost, delayMs));
      network.run(6000);
      check(network, ids, wires);
      const cut = victim % wires.length;
      network.cut(cables[cut]);
      network.run(3000);
      check(network, ids, wires.toSpliced(cut, 1));
      network.connect(wires[cut].a, wires[cut].b, wires[cut].cost, wires[cut].delayMs);
      network.run(6000);
      check(network, ids, wires);
    }),
    { numRuns: 60 },
  );
});

test('an update reaches each router exactly once in any settled network', () => {
  fc.assert(
    fc.property(networks, ({ ids, wires }) => {
      const network = new TestNetwork();
      for (const id of ids) network.router(id);
      for (const { a, b, cost, delayMs } of wires) network.connect(a, b, cost, delayMs);
      network.run(6000);
      const before = network.sent.length;
      network.localAddress(ids[0], 'Mservice');
      network.run(500);
      const receivers = network.sent.slice(before).filter(({ message }) => message.opcode === 'MAU');
      assert.deepEqual(receivers.map(({ to }) => to).sort(), ids.slice(1));
    }),
    { numRuns: 60 },
  );
});

test('with messages lost at random the network still converges', () => {
  fc.assert(
    fc.property(networks, fc.array(fc.boolean(), { minLength: 64, maxLength: 64 }), ({ ids, wires }, losses) => {
      const network = new TestNetwork();
      let count = 0;
      network.lose = ({ atMs }) => atMs < 4000 && losses[count++ % losses.length];
      for (const id of ids) {
        network.router(id);
        network.localAddress(id, `M${id}`);
      }
      for (const { a, b, cost, delayMs } of wires) network.connect(a, b, cost, delayMs);
      network.run(45_000);
      check(network, ids, wires);
    }),
    { numRuns: 30 },
  );
});
