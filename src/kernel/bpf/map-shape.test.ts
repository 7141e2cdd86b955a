import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapTypes, readOnlyForPrograms } from './kernel-constants.ts';
import { type MapShape, recordBytes, shapeDifferences } from './map-shape.ts';

const shape: MapShape = { name: 'ports', type: mapTypes.hash, keyBytes: 4, valueBytes: 12, maxEntries: 16, flags: 0 };

test('two shapes differ in what they differ', () => {
  assert.deepEqual(shapeDifferences(shape, shape), []);
  assert.deepEqual(shapeDifferences({ ...shape, keyBytes: 8, maxEntries: 32 }, shape), [
    'octets in a key: 8 instead of 4',
    'entries: 32 instead of 16',
  ]);
  assert.deepEqual(shapeDifferences({ ...shape, type: mapTypes.lruHash }, shape), ['type: 9 instead of 1']);
});

test('a map of devices has a flag that nobody asked for', () => {
  const devices = { ...shape, type: mapTypes.devmapHash };
  assert.deepEqual(shapeDifferences({ ...devices, flags: readOnlyForPrograms }, devices), []);
  assert.deepEqual(shapeDifferences({ ...shape, flags: readOnlyForPrograms }, shape), ['flags: 128 instead of 0']);
});

test('a record of a per-CPU map holds every CPU’s', () => {
  assert.equal(recordBytes(shape, 4), 12);
  assert.equal(recordBytes({ ...shape, type: mapTypes.perCpuHash }, 4), 64);
});
