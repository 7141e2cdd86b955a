/** The records and maps of the data path are the same in C and in TypeScript: the object's BTF beside the codecs. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { reason } from '../../src/overlay/layout/counter.ts';
import { relayedEventCodec } from '../../src/overlay/layout/event.ts';
import { backendTables, maps, ownerTables } from '../../src/overlay/layout/maps.ts';
import type { PlacedField } from '../../src/overlay/layout/record.ts';
import { skipWithoutKernel, TestKernel } from '../../src/kernel/bpf/test-kernel.ts';

interface BtfType {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly members?: readonly { readonly name: string; readonly bits_offset: number }[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
}

function whySkip(): string | false {
  const kernel = skipWithoutKernel();
  if (kernel !== false) return kernel;
  try {
    execFileSync('bpftool', ['version'], { stdio: 'ignore' });
  } catch {
    return 'needs bpftool (apt install bpftool)';
  }
  return false;
}

const skip = whySkip();

function readTypes(): BtfType[] {
  const folder = mkdtempSync(join(tmpdir(), 'caravan-btf-'));
  try {
    execFileSync('sh', ['bpf/build.sh', folder], { stdio: 'pipe' });
    const text = execFileSync('bpftool', ['-j', 'btf', 'dump', 'file', join(folder, 'overlay.o')], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    return (JSON.parse(text) as { types: BtfType[] }).types;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const camelCase = (name: string): string => name.toLowerCase().replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
/** Records that are one number have no struct. */
const numbers = ['index_key'];

test('records have the sizes and offsets of their structs, and reasons their numbers', { skip }, () => {
  const types = readTypes();
  const codecs = [
    ...Object.values(maps).flatMap(({ key, value }) => [key, value]),
    ownerTables.value,
    backendTables.value,
    relayedEventCodec,
  ];
  const names = new Set<string>();
  for (const { structName, byteLength, fields } of codecs as readonly {
    structName: string;
    byteLength: number;
    fields: readonly PlacedField[];
  }[]) {
    if (numbers.includes(structName)) continue;
    names.add(structName);
    const struct = types.find(({ kind, name }) => kind === 'STRUCT' && name === structName);
    assert.equal(struct?.size, byteLength, structName);
    const members = struct.members!.filter(({ name }) => name !== 'reserved').map(({ name, bits_offset: bits }) => [name, bits / 8]);
    assert.deepEqual(
      members,
      fields.map(({ name, offset }) => [snakeCase(name), offset]),
      structName,
    );
  }
  assert.equal(names.size, 29);
  const enumOf = (name: string): Record<string, number> =>
    Object.fromEntries(
      types.find((type) => type.kind === 'ENUM' && type.name === name)!.values!.map(({ name, val }) => [camelCase(name), val]),
    );
  assert.deepEqual(enumOf('reason'), { ...reason });
});

test('maps have the sizes and limits that the codecs say', { skip }, () => {
  using kernel = new TestKernel();
  execFileSync('sh', ['bpf/build.sh', kernel.folder], { stdio: 'pipe' });
  const object = kernel.bpf.open(join(kernel.folder, 'overlay.o'));
  for (const { name, key, value, maxEntries } of Object.values(maps)) {
    const map = object.map(name);
    const perCpu = name === maps.counters.name;
    assert.deepEqual([map.keyBytes, map.maxEntries], [key.byteLength, maxEntries], name);
    assert.equal(perCpu ? map.valueBytes % value.byteLength : map.valueBytes, perCpu ? 0 : value.byteLength, name);
  }
  for (const { name, maxEntries } of [ownerTables, backendTables]) assert.equal(object.mapOfMaps(name).maxEntries, maxEntries);
});
