import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { counterCodec, sumCounters } from './counter.ts';
import { endpointCodec } from './endpoint.ts';
import { ownerSlot, ownerSlots } from './owners.ts';
import { pathCodec, type Path } from './path.ts';

const u32 = fc.nat({ max: 0xffffffff });
const octets = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });

test('an endpoint is laid out as its struct', () => {
  const mac = Uint8Array.of(2, 3, 4, 5, 6, 7);
  const bytes = endpointCodec.encode({ kind: 1, hostId: 2, generation: 3, ifindex: 0x01020304, identity: 5, flags: 0x0607, mac });
  assert.equal(Buffer.from(bytes).toString('hex'), '01000000020000000300000004030201050000000706020304050607');
});

test('what is encoded is decoded, with copies of the octets', () => {
  const paths = fc.record(
    {
      hostId: u32,
      hostGeneration: u32,
      endpointGeneration: u32,
      told: u32,
      expiresNs: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      mac: octets(6),
      previousHostId: fc.nat({ max: 0xffff }),
      identity: u32,
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(paths, (path: Path) => {
      const bytes = pathCodec.encode(path);
      const decoded = pathCodec.decode(bytes);
      bytes.fill(0xff);
      assert.deepEqual(decoded, path);
    }),
  );
});

test('octets of another length, and records of another length, are refused', () => {
  const path: Path = {
    hostId: 1,
    hostGeneration: 1,
    endpointGeneration: 1,
    told: 0,
    expiresNs: 0n,
    mac: new Uint8Array(5),
    previousHostId: 0,
    identity: 0,
  };
  assert.throws(() => pathCodec.encode(path), /path.mac has 5 octets/);
  assert.throws(() => pathCodec.decode(new Uint8Array(39)), /path is 40 octets, not 39/);
});

test('the owner slot is FNV-1a over the VNI and the address', () => {
  const address = new Uint8Array(16);
  address.set([0xff, 0xff, 10, 0, 0, 1], 10);
  let hash = 0x811c9dc5n;
  for (const octet of [0x07, 0x01, 0, 0, ...address]) hash = ((hash ^ BigInt(octet)) * 0x01000193n) & 0xffffffffn;
  assert.equal(ownerSlot({ vni: 0x0107, address }), Number(hash % BigInt(ownerSlots)));
});

test('counters of all CPUs are added up', () => {
  const one = counterCodec.encode({ packets: 2n, bytes: 100n });
  const two = counterCodec.encode({ packets: 3n, bytes: 1n });
  assert.deepEqual(sumCounters(new Uint8Array([...one, ...two])), { packets: 5n, bytes: 101n });
});
