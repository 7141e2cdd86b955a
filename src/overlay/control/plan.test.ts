import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { maps } from '../layout/maps.ts';
import { memoryMaps } from '../memory-maps.ts';
import { ownerTable } from './owner-table.ts';
import { plan, plannedMaps, planTables, recordsOf, type MapContents, type MapRecords, type MapWrite } from './plan.ts';

/** Some records of some maps. */
const contents: fc.Arbitrary<MapContents> = fc
  .array(
    fc.record({
      map: fc.constantFrom(maps.hosts, maps.devices, maps.endpoints, maps.ports),
      key: fc.integer({ min: 1, max: 6 }),
      value: fc.integer({ min: 1, max: 3 }),
    }),
  )
  .map((records) => {
    const built = new Map<string, Map<string, string>>();
    for (const { map, key, value } of records) {
      const of = built.get(map.name) ?? new Map<string, string>();
      of.set(
        key
          .toString(16)
          .padStart(2, '0')
          .padEnd(map.key.byteLength * 2, '0'),
        value.toString(16).padStart(2, '0').repeat(map.value.byteLength),
      );
      built.set(map.name, of);
    }
    return built;
  });

/** Without the records of zeros that arrays have. */
function filled(records: MapRecords): MapRecords {
  return new Map([...records].filter(([, value]) => /[^0]/.test(value)).sort());
}

test('the writes make the maps what they should be, and there is nothing left to do', () => {
  fc.assert(
    fc.property(contents, contents, (before, desired) => {
      const memory = memoryMaps();
      const apply = (writes: readonly MapWrite[]): void => {
        for (const write of writes) {
          if (write.kind === 'put') memory.map(write.map).put(write.key, write.value);
          else if (write.kind === 'delete') assert.equal(memory.map(write.map).delete(write.key), true);
        }
      };
      const dump = (): MapContents => new Map(plannedMaps.map((name) => [name, recordsOf(memory.map(name).entries())]));
      apply(plan(before, dump()));
      apply(plan(desired, dump()));
      for (const name of plannedMaps)
        assert.deepEqual(filled(dump().get(name) ?? new Map()), new Map([...(desired.get(name) ?? [])].sort()));
      assert.deepEqual(plan(desired, dump()), []);
    }),
    { numRuns: 60 },
  );
});

test('what is right is not touched', () => {
  fc.assert(
    fc.property(contents, (same) => {
      assert.deepEqual(plan(same, same), []);
    }),
    { numRuns: 30 },
  );
});

test('what is added comes after what it refers to, and what goes goes before', () => {
  const one = (name: string): [string, MapRecords] => [name, new Map([['01000000', '01']])];
  const all: MapContents = new Map([one(maps.ports.name), one(maps.endpoints.name), one(maps.devices.name), one(maps.hosts.name)]);
  const names = (writes: readonly MapWrite[]): string[] => writes.map(({ map }) => map);
  assert.deepEqual(names(plan(all, new Map())), ['hosts', 'devices', 'endpoints', 'ports']);
  assert.deepEqual(names(plan(new Map(), all)), ['ports', 'endpoints', 'devices', 'hosts']);
});

test('a scope gets its new revision when all its rules are right, and goes before they go', () => {
  const contents = (scope: string, ...policies: readonly string[]): MapContents =>
    new Map([
      [maps.policies.name, new Map(policies.map((key) => [key, '01']))],
      [maps.policyScopes.name, new Map(scope === '' ? [] : [['01', scope]])],
    ]);
  const steps = (before: MapContents, after: MapContents): string[] =>
    plan(after, before).map(({ kind, map }) => `${kind} ${map === maps.policies.name ? 'rule' : 'scope'}`);
  assert.deepEqual(steps(contents('01', '0a'), contents('02', '0b')), ['put rule', 'delete rule', 'put scope']);
  assert.deepEqual(steps(contents('', '0a'), contents('01', '0b')), ['put rule', 'delete rule', 'put scope']);
  assert.deepEqual(steps(contents('01', '0a'), contents('')), ['delete scope', 'delete rule']);
});

test('a service gets its new generation when the backends that are gone are away', () => {
  const contents = (service: string, ...backends: readonly string[]): MapContents =>
    new Map([
      [maps.backends.name, new Map(backends.map((key) => [key, '01']))],
      [maps.services.name, new Map([['01', service]])],
    ]);
  const steps = plan(contents('02', '0b'), contents('01', '0a')).map(({ kind, map }) => `${kind} ${map}`);
  assert.deepEqual(steps, ['put backends', 'delete backends', 'put services']);
});

test('an owner table is replaced as a whole, when it is another one', () => {
  const [one, other] = [ownerTable(1, [1, 2, 3]), ownerTable(1, [1, 2])];
  const before = new Map([
    [1, one],
    [2, one],
    [3, one],
  ]);
  const writes = planTables(
    new Map([
      [1, one],
      [2, other],
      [4, one],
    ]),
    before,
  );
  assert.deepEqual(
    writes.map((write) => [write.kind, write.kind === 'swap' || write.kind === 'clear' ? write.index : undefined]),
    [
      ['swap', 2],
      ['swap', 4],
      ['clear', 3],
    ],
  );
});
