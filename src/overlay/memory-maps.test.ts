import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maps, ownerTables } from './layout/maps.ts';
import { memoryMaps } from './memory-maps.ts';
import { addressHex, octetsOf } from './control/address.ts';

const index = (at: number): Uint8Array => maps.ports.key.encode({ index: at });

test('a hash has a limit, and says so', () => {
  const devices = memoryMaps({ devices: 2 }).map('devices');
  devices.put(index(1), index(1));
  devices.put(index(2), index(2));
  assert.throws(() => devices.put(index(3), index(3)), { code: 'bpf-map-full' });
  devices.put(index(2), index(5));
  assert.throws(() => devices.put(index(2), index(5), 'add'), { code: 'bpf-map' });
  assert.throws(() => devices.put(index(9), index(5), 'replace'), { code: 'bpf-map' });
  assert.deepEqual(devices.get(index(2)), index(5));
  assert.equal(devices.delete(index(2)), true);
  assert.equal(devices.delete(index(2)), false);
  assert.equal([...devices.entries()].length, 1);
});

test('what is given and taken is a copy', () => {
  const devices = memoryMaps().map('devices');
  const value = index(1);
  devices.put(index(1), value);
  value[0] = 9;
  devices.get(index(1))![0] = 8;
  assert.deepEqual(devices.get(index(1)), index(1));
});

test('an array has all its records from the start, and none is deleted', () => {
  const hosts = memoryMaps().map('hosts');
  assert.deepEqual(hosts.get(index(4095)), new Uint8Array(maps.hosts.value.byteLength));
  assert.equal(hosts.get(index(4096)), undefined);
  assert.throws(() => hosts.delete(index(1)), { code: 'bpf-map' });
  assert.throws(() => hosts.put(index(4096), new Uint8Array(maps.hosts.value.byteLength)), { code: 'bpf-map-full' });
});

test('the oldest path gives way', () => {
  const paths = memoryMaps({ paths: 2 }).map('paths');
  const key = (last: number): Uint8Array => maps.paths.key.encode({ vni: 1, address: octetsOf(addressHex(`10.0.0.${last}`)) });
  const value = new Uint8Array(maps.paths.value.byteLength);
  paths.put(key(1), value);
  paths.put(key(2), value);
  paths.get(key(1));
  paths.put(key(3), value);
  assert.equal(paths.get(key(2)), undefined);
  assert.ok(paths.get(key(1)) !== undefined);
});

test('a subnet is found by its longest prefix, within its VNI', () => {
  const subnets = memoryMaps().map('subnets');
  const key = (vni: number, text: string, length: number): Uint8Array =>
    maps.subnets.key.encode({ prefixLength: 32 + length, vni, address: octetsOf(addressHex(text)) });
  const value = (mark: number): Uint8Array => new Uint8Array(maps.subnets.value.byteLength).fill(mark);
  subnets.put(key(1, '10.0.0.0', 104), value(1));
  subnets.put(key(1, '10.1.2.128', 121), value(2));
  subnets.put(key(2, '10.0.0.0', 104), value(3));
  assert.equal(subnets.get(key(1, '10.1.2.200', 128))?.[0], 2);
  assert.equal(subnets.get(key(1, '10.1.2.100', 128))?.[0], 1);
  assert.equal(subnets.get(key(2, '10.1.2.200', 128))?.[0], 3);
  assert.equal(subnets.get(key(3, '10.1.2.200', 128)), undefined);
});

test('a table is replaced as a whole', () => {
  const tables = memoryMaps().mapOfMaps('owner_tables');
  const table = Array.from({ length: ownerTables.slots }, () => new Uint8Array(ownerTables.value.byteLength));
  tables.swap(3, table);
  assert.deepEqual(tables.get(3), table);
  assert.throws(() => tables.swap(4096, table), { code: 'bpf-map-full' });
  assert.throws(() => tables.swap(1, table.slice(1)), /bug/);
  assert.equal(tables.clear(3), true);
  assert.equal(tables.clear(3), false);
});
