import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinuxMapOfMaps } from './linux-map-of-maps.ts';
import { openDescriptors, skipWithoutKernel, TestKernel, unsigned32, unsigned64 } from './test-kernel.ts';

const skip = skipWithoutKernel();

const source = `
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64); } numbers SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 20000); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, __u32); __type(value, __u64); } many SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_HASH); __uint(max_entries, 8); __type(key, __u32); __type(value, __u32); } counters SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 8); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, __u64); __type(value, __u64); } subnets SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_DEVMAP_HASH); __uint(max_entries, 4); __type(key, __u32); __type(value, __u32); } devices SEC(".maps");
struct table { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 3); __type(key, __u32); __type(value, __u64); };
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 4); __type(key, __u32); __array(values, struct table); } tables SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");

/* Counts at the interface, says what is at place 2 of table 1, and puts 8 octets before the packet. */
SEC("xdp") int count(struct xdp_md *packet) {
  __u32 ifindex = packet->ingress_ifindex, slot = 1, place = 2, one = 1;
  bpf_map_update_elem(&counters, &ifindex, &one, BPF_ANY);
  void *table = bpf_map_lookup_elem(&tables, &slot);
  __u64 *value = table ? bpf_map_lookup_elem(table, &place) : 0;
  if (value) bpf_ringbuf_output(&events, value, sizeof(*value), 0);
  if (bpf_xdp_adjust_head(packet, -8)) return XDP_ABORTED;
  unsigned char *data = (void *)(long)packet->data;
  if (data + 8 > (unsigned char *)(long)packet->data_end) return XDP_ABORTED;
  data[0] = 0xaa;
  return XDP_TX;
}

SEC("tc") int classify(struct __sk_buff *packet) {
  __u32 ifindex = packet->ifindex;
  __u64 length = packet->len;
  bpf_map_update_elem(&numbers, &ifindex, &length, BPF_ANY);
  return 7;
}
`;

test('programs run on packets', { skip }, () => {
  using kernel = new TestKernel();
  const object = kernel.bpf.open(kernel.compile('programs', source));
  const packet = Uint8Array.from({ length: 64 }, (_, index) => index);

  const counted = object.program('count').testRun(packet, { ifindex: 1 });
  assert.equal(counted.verdict, 3);
  assert.deepEqual([...counted.packet], [0xaa, 0, 0, 0, 0, 0, 0, 0, ...packet]);
  assert.deepEqual(
    [...object.map('counters').entries()].map(([key]) => key),
    [unsigned32(1)],
  );

  const classified = object.program('classify').testRun(packet, { ifindex: 1 });
  assert.equal(classified.verdict, 7);
  assert.deepEqual(classified.packet, packet);
  assert.deepEqual(object.map('numbers').get(unsigned32(1)), unsigned64(64));

  assert.ok(object.program('classify').testRun(packet, { repeat: 100 }).durationNs < 1e9);
  assert.throws(() => object.program('count').testRun(packet.subarray(0, 13)), { code: 'bpf-test-run' });
  assert.throws(() => object.program('count').testRun(packet, { ifindex: 0x7fffffff }), {
    code: 'bpf-test-run',
    message: /interface 2147483647/,
  });
  assert.throws(() => object.program('none'), { code: 'bpf-object', message: /no program none; it has: count, classify/ });
});

test('maps hold records', { skip }, () => {
  using kernel = new TestKernel();
  const object = kernel.bpf.open(kernel.compile('maps', source));
  const numbers = object.map('numbers');
  assert.deepEqual([numbers.keyBytes, numbers.valueBytes, numbers.maxEntries], [4, 8, 4]);
  assert.equal(numbers.get(unsigned32(1)), undefined);
  for (const number of [1, 2, 3, 4]) numbers.put(unsigned32(number), unsigned64(10 * number), 'add');
  assert.throws(() => numbers.put(unsigned32(5), unsigned64(50)), {
    code: 'bpf-map-full',
    message: 'Map numbers is full: it has room for 4 entries',
  });
  assert.throws(() => numbers.put(unsigned32(1), unsigned64(50), 'add'), { code: 'bpf-map', message: /already/ });
  assert.throws(() => numbers.put(unsigned32(6), unsigned64(50), 'replace'), { code: 'bpf-map', message: /no entry/ });
  numbers.put(unsigned32(1), unsigned64(11), 'replace');
  assert.deepEqual(numbers.get(unsigned32(1)), unsigned64(11));
  assert.equal(numbers.delete(unsigned32(1)), true);
  assert.equal(numbers.delete(unsigned32(1)), false);
  assert.throws(() => numbers.get(new Uint8Array(3)), /bug: map numbers has keys of 4 octets, not 3/);

  const subnets = object.map('subnets');
  const prefix = (bits: number, octet: number): Uint8Array => Uint8Array.of(bits, 0, 0, 0, octet, 0, 0, 0);
  subnets.put(prefix(8, 10), unsigned64(1));
  subnets.put(prefix(4, 16), unsigned64(2));
  assert.deepEqual(subnets.get(prefix(32, 10)), unsigned64(1));
  assert.equal([...subnets.entries()].length, 2);
  for (let octet = 20; octet < 26; octet++) subnets.put(prefix(8, octet), unsigned64(3));
  assert.throws(() => subnets.put(prefix(8, 99), unsigned64(3)), { code: 'bpf-map-full' });

  assert.throws(() => object.map('devices').put(unsigned32(1), unsigned32(0x7fffffff)), { code: 'bpf-map', message: /ENODEV/ });
  object.map('devices').put(unsigned32(1), unsigned32(1));
  assert.deepEqual([...object.map('devices').entries()], [[unsigned32(1), unsigned32(1)]]);
});

test('every entry of a large map is listed once, also while entries are deleted', { skip }, () => {
  using kernel = new TestKernel();
  const many = kernel.bpf.open(kernel.compile('many', source)).map('many');
  for (let number = 0; number < 20_000; number++) many.put(unsigned32(number), unsigned64(number));
  const seen = new Set<number>();
  for (const [key, value] of many.entries()) {
    const number = new DataView(key.buffer).getUint32(0, true);
    assert.deepEqual(value, unsigned64(number));
    assert.ok(!seen.has(number));
    seen.add(number);
    many.delete(key);
  }
  assert.equal(seen.size, 20_000);
  assert.deepEqual([...many.entries()], []);
});

test('an inner array is replaced as a whole', { skip }, () => {
  using kernel = new TestKernel();
  const object = kernel.bpf.open(kernel.compile('tables', source));
  const tables = object.mapOfMaps('tables');
  const told = (): number[] => {
    object.program('count').testRun(new Uint8Array(64));
    return kernel.bpf.drainEvents(object, 'events', 10).map((record) => new DataView(record.buffer).getUint32(0, true));
  };
  assert.deepEqual(told(), []);
  tables.swap(1, [1, 2, 30].map(unsigned64));
  assert.deepEqual(told(), [30]);
  tables.swap(1, [1, 2, 31].map(unsigned64));
  assert.deepEqual(told(), [31]);
  assert.equal(tables.clear(1), true);
  assert.equal(tables.clear(1), false);
  assert.deepEqual(told(), []);
  assert.throws(() => tables.swap(1, [unsigned64(1)]), /bug: an inner array of tables has 3 values, not 1/);
  assert.throws(() => tables.swap(4, [1, 2, 3].map(unsigned64)), /bug: tables has slots 0 to 3, not 4/);
});

test('many inner arrays are replaced at once', { skip }, () => {
  using kernel = new TestKernel();
  const object = kernel.bpf.open(
    kernel.compile(
      'slots',
      `struct table { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); };
       struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 600); __type(key, __u32); __array(values, struct table); } tables SEC(".maps");
       SEC("xdp") int sum(struct xdp_md *packet) {
         __u64 total = 0;
         for (__u32 slot = 0, first = 0; slot < 600; slot++) {
           __u32 key = slot;
           void *table = bpf_map_lookup_elem(&tables, &key);
           __u64 *value = table ? bpf_map_lookup_elem(table, &first) : 0;
           if (value) total += *value;
         }
         return total;
       }`,
    ),
  );
  const tables = object.mapOfMaps('tables');
  assert.ok(tables instanceof LinuxMapOfMaps);
  const before = openDescriptors();
  tables.swapAll(Array.from({ length: 600 }, (_, slot) => [slot, [unsigned64(slot)]] as const));
  assert.equal(openDescriptors(), before);
  const total = (): number => object.program('sum').testRun(new Uint8Array(64)).verdict;
  assert.equal(total(), (599 * 600) / 2);
  tables.swapAll([]);
  tables.swapAll([
    [0, [unsigned64(1)]],
    [599, [unsigned64(0)]],
  ]);
  assert.equal(total(), (598 * 599) / 2 + 1);
  assert.throws(() => tables.swapAll([[600, [unsigned64(0)]]]), /bug: tables has slots 0 to 599, not 600/);
  assert.equal(openDescriptors(), before);
});

test('events are drained oldest first, no more than asked for', { skip }, () => {
  using kernel = new TestKernel();
  const object = kernel.bpf.open(kernel.compile('events', source));
  for (let number = 0; number < 5; number++) {
    object.mapOfMaps('tables').swap(1, [0, 0, number].map(unsigned64));
    object.program('count').testRun(new Uint8Array(64));
  }
  const drain = (limit: number): Uint8Array[] => kernel.bpf.drainEvents(object, 'events', limit);
  assert.deepEqual(drain(0), []);
  assert.deepEqual(drain(2), [0, 1].map(unsigned64));
  assert.deepEqual(drain(3), [2, 3, 4].map(unsigned64));
  assert.deepEqual(drain(1), []);
  object.program('count').testRun(new Uint8Array(64));
  assert.deepEqual(drain(1000), [unsigned64(4)]);
  assert.throws(() => kernel.bpf.drainEvents(object, 'numbers', 1), {
    code: 'bpf-object',
    message: /no ring buffer numbers; it has: events/,
  });
});

test('an object that cannot be used says why', { skip }, () => {
  using kernel = new TestKernel();
  assert.throws(() => kernel.bpf.open('/nowhere/agent.o'), { code: 'bpf-object', message: /nowhere.*ENOENT/ });
  const object = kernel.bpf.open(kernel.compile('closed', source));
  const numbers = object.map('numbers');
  const program = object.program('count');
  object.close();
  object.close();
  assert.throws(() => numbers.get(unsigned32(1)), { code: 'bpf-closed' });
  assert.throws(() => program.testRun(new Uint8Array(64)), { code: 'bpf-closed' });

  const refused = kernel.compile('refused', 'SEC("xdp") int reads_beyond(struct xdp_md *packet) { return *(int *)(long)packet->data; }');
  assert.throws(
    () => kernel.bpf.open(refused),
    (error: Error & { code: string; remedy?: string }) => {
      assert.equal(error.code, 'bpf-verifier');
      assert.match(error.message, /refused\.o cannot be loaded into the kernel: refused \(EACCES\)/);
      assert.match(error.message, /prog 'reads_beyond': BPF program load failed/);
      assert.match(error.message, /invalid access to packet/);
      assert.ok(error.message.length < 10_000);
      assert.match(error.remedy ?? '', /verifier/);
      return true;
    },
  );
  assert.deepEqual(kernel.bpf.openHandles(), []);
});

test('opening and closing a thousand times leaves no descriptor', { skip }, () => {
  using kernel = new TestKernel();
  kernel.bpf.mountBpffs(kernel.pins);
  const file = kernel.compile('descriptors', source);
  const { near } = kernel.vethPair();
  const before = openDescriptors();
  for (let round = 0; round < 1000; round++) {
    const object = kernel.bpf.open(file, { pinFolder: `${kernel.pins}/host` });
    kernel.bpf.drainEvents(object, 'events', 1);
    // Taking a program off waits until no processor runs it any more: some ten milliseconds.
    if (round % 50 === 0) kernel.bpf.attachTcxIngress(object.program('classify'), near).close();
    object.close();
  }
  assert.equal(openDescriptors(), before);
  for (let round = 0; round < 100; round++) assert.throws(() => kernel.bpf.open('/nowhere/agent.o'));
  assert.equal(openDescriptors(), before);
  assert.deepEqual(kernel.bpf.openHandles(), []);
});
