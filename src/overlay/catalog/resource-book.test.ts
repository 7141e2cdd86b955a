import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Random } from '../../base/random.ts';
import { overlap } from '../resources/address-types.ts';
import { parseOverlayResources, type PlacedResource } from '../resources/resources.ts';
import { formatCatalogMessages, parseCatalogMessages } from './catalog-messages.ts';
import { Catalog } from './catalog.ts';
import { ResourceBook, usePrefix, type FileResource } from './resource-book.ts';

const random: Random = {
  number: () => 0.5,
  fill(target): void {
    target.fill(1);
  },
};
const dayMs = 86_400_000;

function docs(...documents: readonly string[]): readonly PlacedResource[] {
  return parseOverlayResources(documents.map((text) => `{apiVersion: caravan.dev/v1alpha1, ${text}}\n`).join('---\n'), 'FILE');
}

const vpc = (name: string, spec = '{prefixes: [10.0.0.0/8]}'): string => `kind: VPC, metadata: {name: ${name}}, spec: ${spec}`;
const subnet = (name: string, of: string, prefix: string): string =>
  `kind: Subnet, metadata: {name: ${name}}, spec: {vpc: ${of}, prefixes: [${prefix}]}`;

interface Host {
  readonly catalog: Catalog;
  readonly book: ResourceBook;
}

function host(hostId: number, files: readonly FileResource[] = []): Host {
  const catalog = new Catalog({ hostId, random, stored: [], nowMs: 0 });
  return { catalog, book: new ResourceBook({ catalog, hostId, files, epoch: () => 3, isHost: (id) => id < 9 }) };
}

/** Tells each host what the other has. */
function join(one: Host, other: Host, oneId: number, otherId: number): void {
  one.catalog.connected(otherId, 0);
  other.catalog.connected(oneId, 0);
  for (let round = 0; round < 8; round++) {
    for (const [from, to, fromId] of [[one, other, oneId] as const, [other, one, otherId] as const]) {
      for (const output of from.catalog.takeOutputs()) {
        if (output.kind === 'send') to.catalog.receive(fromId, parseCatalogMessages(formatCatalogMessages(output.messages)) ?? [], 0);
      }
    }
  }
}

test('networks get numbers of the host that wrote them, and others read them', () => {
  const [one, two] = [host(1), host(2)];
  one.book.apply(docs(vpc('red'), vpc('blue')), true, 5);
  join(one, two, 1, 2);
  two.book.apply(docs(subnet('front', 'red', '10.0.0.0/24')), true, 6);
  join(one, two, 1, 2);
  for (const { book } of [one, two]) {
    const { vpcs, subnets } = book.networks();
    assert.deepEqual(
      vpcs.map(({ name, vni }) => [name, vni]),
      [
        ['blue', 4098],
        ['red', 4097],
      ],
    );
    assert.deepEqual(
      subnets.map(({ name, vni, subnetId, createdEpoch }) => [name, vni, subnetId, createdEpoch]),
      [['front', 4097, 8193, 3]],
    );
    assert.equal(book.networks(), book.networks(), 'one object until something changes');
  }
  const before = one.book.networks();
  one.catalog.set('slice/red/x/one', [], 7);
  assert.equal(one.book.networks(), before, 'other records change nothing');
});

test('all of a list is written, or nothing', () => {
  const { catalog, book } = host(1);
  assert.throws(() => book.apply(docs(vpc('red'), subnet('front', 'red', '11.0.0.0/24')), false, 5), {
    code: 'resource-conflict',
    message: "FILE:3: spec.prefixes[0]: 11.0.0.0/24 is not inside of 10.0.0.0/8 of VPC 'red'",
  });
  assert.deepEqual([...catalog.entries('resource/')], []);
  // The order in the list does not matter.
  const outcomes = book.apply(docs(subnet('front', 'red', '10.0.0.0/24'), vpc('red')), false, 5);
  assert.deepEqual(
    outcomes.map(({ name, outcome }) => [name, outcome]),
    [
      ['red', 'created'],
      ['front', 'created'],
    ],
  );
});

for (const [what, documents, code, message] of [
  ['a name twice in a list', [vpc('a'), vpc('a')], 'resource-duplicate', 'FILE:3: metadata.name: stands there twice'],
  ['a subnet over another one', [subnet('b', 'red', '10.0.0.128/25')], 'resource-conflict', "overlaps subnet 'front'"],
  ['a VNI that another VPC has', [vpc('a', '{vni: 4097, prefixes: [10.0.0.0/8]}')], 'resource-conflict', "VPC 'red' has VNI 4097 already"],
  ['another VNI', [vpc('red', '{vni: 5, prefixes: [10.0.0.0/8]}')], 'resource-fixed', 'FILE:1: spec.vni: cannot be changed from 4097'],
  ['other prefixes of a subnet', [subnet('front', 'red', '10.0.1.0/24')], 'resource-fixed', 'cannot be changed'],
  ['a VPC that its subnet is not in any more', [vpc('red', '{prefixes: [11.0.0.0/8]}')], 'resource-conflict', "Subnet 'front'"],
  ['a peer with the same addresses', [vpc('a', '{prefixes: [10.1.0.0/16], peers: [red]}')], 'resource-conflict', 'peers cannot share'],
] as const) {
  test(`refused: ${what}`, () => {
    const { book } = host(1);
    book.apply(docs(vpc('red'), subnet('front', 'red', '10.0.0.0/24')), true, 5);
    const before = JSON.stringify(book.list());
    assert.throws(
      () => book.apply(docs(...documents), false, 6),
      (error: Error & { code?: string }) => error.code === code && error.message.includes(message),
    );
    assert.equal(JSON.stringify(book.list()), before);
  });
}

test('what stays the same is not written, what is new must be new where that is asked', () => {
  const { catalog, book } = host(1);
  book.apply(docs(vpc('red')), true, 5);
  const { version } = catalog;
  assert.deepEqual(book.apply(docs(vpc('red')), false, 6)[0]?.outcome, 'unchanged');
  assert.equal(catalog.version, version);
  assert.throws(() => book.apply(docs(vpc('red')), true, 7), { code: 'resource-exists' });
  assert.deepEqual(book.apply(docs(vpc('red', '{prefixes: [10.0.0.0/8, 11.0.0.0/8]}')), false, 8)[0]?.outcome, 'changed');
  assert.equal(book.networks().vpcs[0]?.vni, 4097, 'its number stays');
});

test('peers wait for each other', () => {
  const { book } = host(1);
  book.apply(docs(vpc('a', '{prefixes: [10.0.0.0/16], peers: [b]}')), true, 5);
  assert.deepEqual(book.networks().vpcs[0]?.peers, []);
  book.apply(docs(vpc('b', '{prefixes: [10.1.0.0/16], peers: [a]}')), true, 6);
  assert.deepEqual(
    book.networks().vpcs.map(({ peers }) => peers),
    [['b'], ['a']],
  );
  book.delete({ kind: 'VPC', name: 'a' }, 7);
  assert.deepEqual(book.networks().vpcs[0]?.peers, []);
});

test('of two that two hosts made at once the earlier one counts, and the other has a problem', () => {
  const [one, two] = [host(1), host(2)];
  one.book.apply(docs(vpc('red')), true, 1);
  join(one, two, 1, 2);
  one.catalog.disconnected(2);
  two.catalog.disconnected(1);
  one.book.apply(docs(subnet('a', 'red', '10.0.0.0/24'), vpc('x', '{vni: 9, prefixes: [10.0.0.0/8]}')), true, 5);
  two.book.apply(docs(subnet('b', 'red', '10.0.0.0/16'), vpc('y', '{vni: 9, prefixes: [10.0.0.0/8]}')), true, 4);
  join(one, two, 1, 2);
  for (const { book } of [one, two]) {
    assert.deepEqual(
      book.networks().subnets.map(({ name }) => name),
      ['b'],
    );
    assert.deepEqual(
      book.networks().vpcs.map(({ name }) => name),
      ['red', 'y'],
    );
    const problems = book.list().flatMap(({ resource, problem }) => (problem === undefined ? [] : [resource.metadata.name]));
    assert.deepEqual(problems.sort(), ['a', 'x']);
  }
  // What is in the way goes: the other one is there.
  one.book.checkDelete([{ kind: 'Subnet', name: 'b' }]);
  one.book.delete({ kind: 'Subnet', name: 'b' }, 9);
  assert.deepEqual(
    one.book.networks().subnets.map(({ name }) => name),
    ['a'],
  );
});

test('what others need is not deleted alone', () => {
  const { book } = host(1);
  book.apply(docs(vpc('red'), subnet('front', 'red', '10.0.0.0/24')), true, 5);
  assert.throws(() => book.checkDelete([{ kind: 'VPC', name: 'red' }]), { code: 'resource-in-use', message: /Subnet front would be left/ });
  book.checkDelete([
    { kind: 'VPC', name: 'red' },
    { kind: 'Subnet', name: 'front' },
    { kind: 'Endpoint', name: 'none' },
  ]);
  assert.equal(book.delete({ kind: 'Endpoint', name: 'none' }, 6).outcome, 'absent');
  assert.equal(book.delete({ kind: 'Subnet', name: 'front' }, 6).outcome, 'deleted');
});

test('a number rests for a day', () => {
  const { catalog, book } = host(1);
  const vniOf = (nowMs: number): number | undefined => {
    book.apply(docs(vpc('red')), true, nowMs);
    const { vni } = book.networks().vpcs[0] ?? {};
    book.delete({ kind: 'VPC', name: 'red' }, nowMs);
    return vni;
  };
  const given = Array.from({ length: 4095 }, () => vniOf(5));
  assert.equal(new Set(given).size, 4095);
  assert.throws(() => vniOf(6), { code: 'numbers-exhausted' });
  book.sweep(dayMs + 4);
  assert.equal([...catalog.entries('resting/')].length, 4095);
  book.sweep(dayMs + 5);
  assert.equal([...catalog.entries('resting/')].length, 0);
  assert.equal(vniOf(dayMs + 6), 4097);
});

test('a VNI that rests is given to nobody but a VPC of the same name', () => {
  const { catalog, book } = host(1);
  // Of the numbers of a host that is not there.
  const vni = 9 * 4096 + 77;
  const red = `{vni: ${vni}, prefixes: [10.0.0.0/8]}`;
  book.apply(docs(vpc('red', red)), true, 5);
  book.delete({ kind: 'VPC', name: 'red' }, 6);
  assert.throws(() => book.apply(docs(vpc('blue', red)), true, 6 + dayMs - 1), { code: 'resource-resting', message: /rests for 1 h more/ });
  book.apply(docs(vpc('red', red)), true, 7);
  book.delete({ kind: 'VPC', name: 'red' }, 8);
  book.apply(docs(vpc('blue', red)), true, 8 + dayMs);
  assert.deepEqual(
    book.networks().vpcs.map(({ name, vni }) => [name, vni]),
    [['blue', vni]],
  );
  book.sweep(8 + dayMs);
  assert.equal([...catalog.entries('resting/')].length, 0, 'also when no host gives such numbers');
});

test('resources of files are there, and nobody changes them', () => {
  const files = docs(vpc('red', '{vni: 7, prefixes: [10.0.0.0/8]}'), subnet('front', 'red', '10.0.0.0/24')).map((placed, at) => ({
    resource: placed.resource,
    place: (path: readonly (string | number)[]) => placed.place(path),
    subnetId: at === 1 ? 12 : undefined,
  }));
  const { book } = host(1, files);
  assert.deepEqual(
    book.networks().subnets.map(({ name, vni, subnetId, createdEpoch }) => [name, vni, subnetId, createdEpoch]),
    [['front', 7, 12, 1]],
  );
  assert.deepEqual(
    book.list().map(({ origin }) => origin),
    ['file', 'file'],
  );
  assert.throws(() => book.apply(docs(vpc('red')), false, 5), { code: 'resource-in-file' });
  assert.throws(() => book.checkDelete([{ kind: 'VPC', name: 'red' }]), { code: 'resource-in-file' });
  book.apply(docs(subnet('back', 'red', '10.0.1.0/24')), true, 5);
  assert.equal(book.networks().subnets.length, 2);
});

test('users of a subnet are hosts of the overlay', () => {
  const { catalog, book } = host(1);
  catalog.set(`${usePrefix(5)}2`, { host: 'two' }, 0);
  catalog.set(`${usePrefix(5)}9`, { host: 'gone' }, 0);
  catalog.set(`${usePrefix(51)}3`, { host: 'three' }, 0);
  assert.deepEqual(book.usersOf(5), ['two']);
});

test('records that this version cannot read are left alone', () => {
  const { catalog, book } = host(1);
  catalog.set(
    'resource/VPC/new',
    { kind: 'VPC', metadata: { name: 'new' }, spec: { prefixes: [], colour: 'red' }, status: { created: 1 } },
    0,
  );
  catalog.set('resource/Other/new', 5, 0);
  catalog.set(
    'resource/VPC/b',
    { kind: 'VPC', metadata: { name: 'a' }, spec: { prefixes: ['10.0.0.0/8'] }, status: { created: 1, vni: 5 } },
    0,
  );
  assert.deepEqual(book.networks().vpcs, []);
  assert.deepEqual(book.list(), []);
});

test('whatever two hosts do apart, together they see the same networks', () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const step = fc.oneof(
    fc.record({ at: fc.nat(1), kind: fc.constant('vpc' as const), name, vni: fc.constantFrom(5, 6), peer: name }),
    fc.record({
      at: fc.nat(1),
      kind: fc.constant('subnet' as const),
      name,
      of: name,
      prefix: fc.constantFrom('10.0.0.0/16', '10.0.0.0/24', '10.1.0.0/16'),
    }),
    fc.record({ at: fc.nat(1), kind: fc.constant('delete' as const), name, what: fc.constantFrom('VPC' as const, 'Subnet' as const) }),
    fc.record({ at: fc.nat(1), kind: fc.constant('join' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const hosts = [host(1), host(2)] as const;
      let nowMs = 0;
      for (const one of steps) {
        const { book } = hosts[one.at]!;
        nowMs++;
        try {
          if (one.kind === 'vpc')
            book.apply(docs(vpc(one.name, `{vni: ${one.vni}, prefixes: [10.0.0.0/8], peers: [${one.peer}]}`)), false, nowMs);
          else if (one.kind === 'subnet') book.apply(docs(subnet(one.name, one.of, one.prefix)), false, nowMs);
          else if (one.kind === 'delete') {
            book.checkDelete([{ kind: one.what, name: one.name }]);
            book.delete({ kind: one.what, name: one.name }, nowMs);
          } else {
            join(hosts[0], hosts[1], 1, 2);
            for (const [at, other] of [0, 1].entries()) hosts[other]!.catalog.disconnected(2 - at);
          }
        } catch (error) {
          if (!(error instanceof Error && 'code' in error)) throw error;
        }
      }
      join(hosts[0], hosts[1], 1, 2);
      const [one, two] = hosts.map(({ book }) => ({ networks: book.networks(), listed: JSON.stringify(book.list()) }));
      assert.deepEqual(one!.networks, two!.networks);
      assert.equal(one!.listed, two!.listed);
      const { vpcs, subnets } = one!.networks;
      assert.equal(new Set(vpcs.map(({ vni }) => vni)).size, vpcs.length, 'VNIs are apart');
      for (const { vpc: of } of subnets)
        assert.ok(
          vpcs.some((candidate) => candidate.name === of),
          'a subnet has its VPC',
        );
      for (const { subnetId, vni, prefixes } of subnets) {
        const clashes = subnets.filter(
          (other) => other.subnetId !== subnetId && other.vni === vni && overlap(other.prefixes[0]!, prefixes[0]!),
        );
        assert.deepEqual(clashes, [], 'subnets are apart');
      }
    }),
    { numRuns: 200 },
  );
});
