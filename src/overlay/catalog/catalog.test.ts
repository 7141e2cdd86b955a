import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Random } from '../../base/random.ts';
import { formatCatalogMessages, parseCatalogMessages } from './catalog-messages.ts';
import { catalogLimits } from './catalog-record.ts';
import { Catalog } from './catalog.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

function seeded(seed: number): Random {
  let state = seed;
  const number = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
  return {
    number,
    fill(target): void {
      target.fill(Math.floor(number() * 256));
    },
  };
}

interface Machine {
  catalog: Catalog;
  readonly disk: Map<string, unknown>;
}

/** Hosts whose texts go over a network that may lose, double and delay them. */
class World {
  readonly random: Random;
  readonly machines: Machine[];
  readonly #cut = new Set<string>();
  #texts: { readonly from: number; readonly to: number; readonly text: string }[] = [];
  nowMs = 1_000_000;

  constructor(size: number, seed: number) {
    this.random = seeded(seed);
    this.machines = Array.from({ length: size }, (_, at) => {
      const disk = new Map<string, unknown>();
      return { disk, catalog: this.#catalog(at, disk) };
    });
    for (let at = 0; at < size; at++) this.#connect(at);
  }

  at(host: number): Catalog {
    return this.machines[host]!.catalog;
  }

  /** The process starts anew with what is on its disk. */
  restart(host: number, keepsDisk = true): void {
    const machine = this.machines[host]!;
    this.flush();
    if (!keepsDisk) machine.disk.clear();
    this.#texts = this.#texts.filter(({ to }) => to !== host);
    machine.catalog = this.#catalog(host, machine.disk);
    for (let other = 0; other < this.machines.length; other++) this.#join(host, other);
  }

  /** Another host comes, which has nothing. */
  grow(): void {
    const disk = new Map<string, unknown>();
    this.machines.push({ disk, catalog: this.#catalog(this.machines.length, disk) });
    this.#connect(this.machines.length - 1);
  }

  /** Two hosts lose each other, or find each other again. */
  setCut(one: number, other: number, isCut: boolean): void {
    const key = [one, other].sort().join('/');
    if (isCut) {
      this.#cut.add(key);
      this.at(one).disconnected(other + 1);
      this.at(other).disconnected(one + 1);
    } else if (this.#cut.delete(key)) this.#join(one, other);
  }

  run(forMs: number, loss: number): void {
    const untilMs = this.nowMs + forMs;
    for (; this.nowMs < untilMs; this.nowMs += 100) {
      for (const { catalog } of this.machines) catalog.handleTimeout(this.nowMs);
      this.flush();
      const texts = this.#texts;
      this.#texts = [];
      for (const message of texts) {
        if (this.random.number() < loss) continue;
        if (this.random.number() < loss) this.#texts.push(message);
        const { from, to, text } = message;
        if (this.#cut.has([from, to].sort().join('/'))) continue;
        const parsed = parseCatalogMessages(text);
        assert.ok(parsed, 'what a host sends is well formed');
        this.at(to).receive(from + 1, parsed, this.nowMs);
      }
    }
  }

  /** Time passes with nobody there. */
  sleep(forMs: number): void {
    this.nowMs += forMs;
  }

  flush(): void {
    for (const [from, { catalog, disk }] of this.machines.entries()) {
      for (const output of catalog.takeOutputs()) {
        if (output.kind === 'send') this.#texts.push({ from, to: output.to - 1, text: formatCatalogMessages(output.messages) });
        else if (output.value === undefined) disk.delete(output.key);
        else disk.set(output.key, output.value);
      }
    }
  }

  contents(host: number): Record<string, unknown> {
    return Object.fromEntries(this.at(host).entries(''));
  }

  #catalog(host: number, disk: ReadonlyMap<string, unknown>): Catalog {
    const hasOthers = (): boolean => this.machines.length > 1;
    return new Catalog({ hostId: host + 1, random: this.random, stored: [...disk], nowMs: this.nowMs, hasOthers });
  }

  #connect(host: number): void {
    for (let other = 0; other < host; other++) this.#join(host, other);
  }

  #join(one: number, other: number): void {
    if (one === other || this.#cut.has([one, other].sort().join('/'))) return;
    this.at(one).connected(other + 1, this.nowMs);
    this.at(other).connected(one + 1, this.nowMs);
  }
}

test('all hosts become equal, whatever the network does', () => {
  const host = fc.nat(3);
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'resource/VPC/red');
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), host, key, value: fc.nat(5) }),
    fc.record({ kind: fc.constant('delete' as const), host, key }),
    fc.record({ kind: fc.constant('restart' as const), host }),
    fc.record({ kind: fc.constant('lose' as const), host }),
    fc.record({ kind: fc.constant('cut' as const), host, other: host, isCut: fc.boolean() }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(100, 1000, 12_000) }),
  );
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(0, 0.3, 0.9), fc.array(step, { maxLength: 40 }), (seed, loss, steps) => {
      const world = new World(4, seed);
      for (const one of steps) {
        if (one.kind === 'set') world.at(one.host).set(one.key, one.value, world.nowMs);
        else if (one.kind === 'delete') world.at(one.host).delete(one.key, world.nowMs);
        else if (one.kind === 'restart') world.restart(one.host);
        else if (one.kind === 'lose') world.restart(one.host, false);
        else if (one.kind === 'cut') {
          if (one.host !== one.other) world.setCut(one.host, one.other, one.isCut);
        } else world.run(one.ms, loss);
      }
      for (let one = 0; one < 4; one++) for (let other = 0; other < one; other++) world.setCut(one, other, false);
      world.run(25_000, 0);
      for (let at = 1; at < 4; at++) assert.deepEqual(world.contents(at), world.contents(0));
      const [first] = world.machines;
      const again = new Catalog({ hostId: 1, random: world.random, stored: first!.disk, nowMs: world.nowMs });
      assert.deepEqual(Object.fromEntries(again.entries('')), world.contents(0), 'the disk says the same');
    }),
    { numRuns: 150 },
  );
});

test('a write is everywhere after one message, and the last writer wins', () => {
  const world = new World(3, 1);
  world.run(100, 0);
  world.at(0).set('x', { n: 1 }, world.nowMs);
  world.run(100, 0);
  for (let at = 0; at < 3; at++) assert.deepEqual(world.at(at).get('x'), { n: 1 });
  world.at(1).set('x', { n: 2 }, world.nowMs);
  world.at(2).set('x', { n: 3 }, world.nowMs);
  world.run(100, 0);
  for (let at = 0; at < 3; at++) assert.deepEqual(world.at(at).get('x'), { n: 3 });
  world.at(0).delete('x', world.nowMs);
  world.run(100, 0);
  for (let at = 0; at < 3; at++) assert.equal(world.at(at).get('x'), undefined);
});

test('what changed can be asked for', () => {
  const catalog = new World(1, 1).at(0);
  catalog.set('resource/VPC/red', 1, 0);
  const { version } = catalog;
  assert.deepEqual(catalog.changedSince(version), []);
  catalog.set('resource/VPC/red', 1, 0);
  assert.equal(catalog.version, version, 'the same value is no change');
  catalog.set('resource/VPC/blue', 2, 0);
  catalog.delete('resource/VPC/red', 0);
  catalog.delete('resource/VPC/red', 0);
  assert.deepEqual(catalog.changedSince(version), ['resource/VPC/blue', 'resource/VPC/red']);
  assert.deepEqual([...catalog.entries('resource/')], [['resource/VPC/blue', 2]]);
  for (let at = 0; at < 20_000; at++) catalog.set('n', at, 0);
  assert.equal(catalog.changedSince(version), undefined);
  assert.equal(catalog.changedSince(catalog.version - 5000)?.length, 5000);
});

test('a host that was away for less than a day learns what was deleted; one that was away for longer forgets what the others do not have', () => {
  for (const away of [20 * hourMs, 30 * hourMs]) {
    const world = new World(3, 3);
    world.at(0).set('old', 1, world.nowMs);
    world.at(0).set('kept', 1, world.nowMs);
    world.run(11_000, 0);
    world.setCut(2, 0, true);
    world.setCut(2, 1, true);
    world.at(0).delete('old', world.nowMs);
    for (let hour = 0; hour * hourMs < away; hour++) {
      world.sleep(hourMs);
      world.run(200, 0);
    }
    assert.equal(world.at(0).size, away > dayMs ? 1 : 2, 'graves last a day');
    world.at(2).set('new', 2, world.nowMs);
    world.setCut(2, 1, false);
    world.run(25_000, 0);
    for (let at = 0; at < 3; at++) assert.deepEqual(world.contents(at), { kept: 1, new: 2 }, `host ${at}, away for ${away / hourMs} h`);
  }
});

test('of two hosts that do not hear each other for days none brings back what the other has deleted', () => {
  const world = new World(2, 6);
  world.at(0).set('old', 1, world.nowMs);
  world.at(1).set('kept', 1, world.nowMs);
  world.run(11_000, 0);
  world.setCut(0, 1, true);
  world.at(0).delete('old', world.nowMs);
  world.at(0).set('short', 1, world.nowMs);
  world.at(0).delete('short', world.nowMs);
  for (let hour = 0; hour < 60; hour++) {
    world.sleep(hourMs);
    world.run(200, 0);
    if (hour === 30) world.restart(0);
  }
  world.at(1).set('new', 2, world.nowMs);
  world.setCut(0, 1, false);
  world.run(25_000, 0);
  for (let at = 0; at < 2; at++) {
    assert.deepEqual(world.contents(at), { kept: 1, new: 2 });
    assert.equal(world.at(at).size, 2, 'the graves are forgotten then');
  }
});

test('a host that was alone for days keeps all when another one comes', () => {
  const world = new World(1, 7);
  world.at(0).set('a', 1, world.nowMs);
  world.at(0).set('gone', 1, world.nowMs);
  world.at(0).delete('gone', world.nowMs);
  world.flush();
  for (let hour = 0; hour < 60; hour++) {
    world.sleep(hourMs);
    world.run(200, 0);
  }
  assert.equal(world.at(0).size, 1, 'nobody else has to know of graves');
  world.sleep(10 * dayMs);
  world.restart(0);
  world.grow();
  world.run(25_000, 0);
  for (let at = 0; at < 2; at++) assert.deepEqual(world.contents(at), { a: 1 });
});

test('hosts that were all off for days forget nothing', () => {
  const world = new World(2, 4);
  world.at(0).set('a', 1, world.nowMs);
  world.run(11_000, 0);
  world.setCut(0, 1, true);
  world.at(1).set('b', 2, world.nowMs);
  world.run(1000, 0);
  world.sleep(10 * dayMs);
  world.restart(0);
  world.restart(1);
  world.setCut(0, 1, false);
  world.run(25_000, 0);
  assert.deepEqual(world.contents(0), { a: 1, b: 2 });
  assert.deepEqual(world.contents(1), { a: 1, b: 2 });
});

test('limits: a longer value, a longer key and one record more are refused', () => {
  const catalog = new World(1, 1).at(0);
  const fits = 'x'.repeat(catalogLimits.textLength - 2);
  catalog.set('k'.repeat(catalogLimits.keyLength), fits, 0);
  assert.throws(() => catalog.set('long', `${fits}x`, 0), { code: 'catalog-value' });
  assert.throws(() => catalog.set('k'.repeat(catalogLimits.keyLength + 1), 1, 0), /printable ASCII/);
  for (let at = catalog.size; at < catalogLimits.records; at++) catalog.set(`n${at}`, at, 0);
  catalog.takeOutputs();
  assert.throws(() => catalog.set('one more', 1, 0), { code: 'catalog-full' });
  catalog.set('n5', 'changed', 0);
  const record = { type: 'record', text: '1', counter: 9_000_000, hostId: 2, ageMs: 0 } as const;
  catalog.receive(
    2,
    [
      { ...record, key: 'of another host' },
      { ...record, key: 'n6' },
    ],
    0,
  );
  assert.equal(catalog.get('of another host'), undefined);
  assert.equal(catalog.refused, 1);
  assert.equal(catalog.get('n6'), 1);
});

test('a large catalog comes over whole, and no text is longer than a connection takes', () => {
  const world = new World(1, 5);
  const value = '\u00e4"'.repeat(4000);
  for (let at = 0; at < 1500; at++) world.at(0).set(`resource/OverlayService/service-${at}`, value, world.nowMs);
  world.flush();
  const late = new Catalog({ hostId: 2, random: world.random, stored: [], nowMs: world.nowMs });
  let { nowMs } = world;
  late.connected(1, nowMs);
  world.at(0).connected(2, nowMs);
  for (let rounds = 0; rounds < 400 && late.size < 1500; rounds++, nowMs += 100) {
    for (const [from, to, id] of [[late, world.at(0), 2] as const, [world.at(0), late, 1] as const]) {
      from.handleTimeout(nowMs);
      for (const output of from.takeOutputs()) {
        if (output.kind !== 'send') continue;
        const text = formatCatalogMessages(output.messages);
        assert.ok(new TextEncoder().encode(text).length < 1_048_576);
        to.receive(id, parseCatalogMessages(text) ?? assert.fail(), nowMs);
      }
    }
  }
  assert.equal(late.size, 1500);
});

test('texts that no host sends are not taken', () => {
  const good = { type: 'record', key: 'k', text: '1', counter: 1, hostId: 1, ageMs: 0 };
  assert.deepEqual(parseCatalogMessages(JSON.stringify({ catalog: [good] })), [good]);
  const bad: unknown[] = [
    { ...good, key: '' },
    { ...good, key: 'with\nnewline' },
    { ...good, key: 'k'.repeat(257) },
    { ...good, text: 'x'.repeat(catalogLimits.textLength + 1) },
    { ...good, counter: catalogLimits.counter + 1 },
    { ...good, counter: -1 },
    { ...good, hostId: 65_536 },
    { ...good, more: 1 },
    { type: 'digest', buckets: '00', isStale: false },
    { type: 'versions', bucket: 1, from: '', to: '', versions: [['k', 1, 1]], isStale: false },
    { type: 'want', keys: Array.from({ length: 513 }, () => 'k') },
    { type: 'other' },
    null,
  ];
  for (const message of bad) assert.equal(parseCatalogMessages(JSON.stringify({ catalog: [message] })), undefined, JSON.stringify(message));
  for (const text of ['', '[]', '{}', 'null', '{"catalog":1}']) assert.equal(parseCatalogMessages(text), undefined, text);
  const catalog = new World(1, 1).at(0);
  catalog.receive(2, [{ ...good, type: 'record', text: '{no json' }], 0);
  catalog.receive(2, [{ type: 'versions', bucket: 4_000_000_000, from: '', to: '', versions: [['k', 1, 1, 1]], isStale: false }], 0);
  assert.equal(catalog.size, 0);
});
