import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WeatherError } from '../../base/errors.ts';
import { addAddress, decodeAddress, dumpAddresses } from './address-message.ts';
import { Attributes, attributeList } from './attributes.ts';
import { addressText, kernelAddress, macText } from './ip-address.ts';
import { changeLink, createVeth, decodeLink, deleteLink, deleteLinkGroup, dumpLinks, getLink } from './link-message.ts';
import {
  type NetlinkMessage,
  type NetlinkRequest,
  decodeError,
  decodeMessages,
  encodeRequests,
  headerBytes,
  messageFlags,
} from './message.ts';
import { decodeNeighbour, getNeighbour, neighbourStates, probeNeighbour, putNeighbour } from './neighbour-message.ts';
import { NetlinkError } from './netlink-error.ts';
import { type Route, addRoute, decodeRoute, lookUpRoute } from './route-message.ts';

/** Octets as `strace -e write=3` shows them. */
function octets(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** As it would be sent. */
function sent(request: NetlinkRequest): Uint8Array {
  return encodeRequests([request], 1, messageFlags.acknowledge);
}

/** As the kernel would tell it. */
function told(request: NetlinkRequest): NetlinkMessage {
  const [message] = decodeMessages(sent(request));
  assert.ok(message !== undefined);
  return message;
}

const ipv4 = (...address: number[]): Uint8Array => Uint8Array.from(address);
const ipv6 = (text: string): Uint8Array => octets(text.padEnd(32, '0'));
const anyAddress = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }));
const anyMac = fc.uint8Array({ minLength: 6, maxLength: 6 });
const anyIndex = fc.integer({ min: 1, max: 0x7fffffff });
const anyName = fc.string({ unit: fc.constantFrom('a', 'b', 'z', '0', '9', '-', '.', '_'), minLength: 1, maxLength: 15 });

/** What `ip` of iproute2 6.1 sent for the same, with sequence number 1. It changes links with type 16, we with 19, which creates none. */
const golden: readonly { readonly name: string; readonly request: NetlinkRequest; readonly bytes: string; readonly type?: number }[] = [
  {
    name: 'ip link add vgold0 mtu 1418 numrxqueues 1 numtxqueues 1 type veth peer name eth0 address ... mtu ... netns (descriptor 4)',
    request: createVeth({ name: 'vgold0', mtu: 1418 }, { name: 'eth0', mac: octets('020000000002'), mtu: 1418 }, 4),
    bytes: `a0000000 10000506 01000000 00000000 00000000 00000000 00000000 00000000
            08000400 8a050000 08002000 01000000 08001f00 01000000 0b000300 76676f6c
            64300000 5c001200 08000100 76657468 50000200 4c000100 00000000 00000000
            00000000 00000000 0a000100 02000000 00020000 08000400 8a050000 08002000
            01000000 08001f00 01000000 08001c00 04000000 09000300 65746830 00000000`,
  },
  {
    name: 'ip link set (1217) up',
    request: changeLink(1217, { up: true }),
    bytes: '20000000 10000500 01000000 00000000 00000000 c1040000 01000000 01000000',
    type: 16,
  },
  {
    name: 'ip link set (1217) group 22081',
    request: changeLink(1217, { group: 22081 }),
    bytes: '28000000 10000500 01000000 00000000 00000000 c1040000 00000000 00000000 08001b00 41560000',
    type: 16,
  },
  {
    name: 'ip link set (1217) address ... mtu 1400',
    request: changeLink(1217, { mac: octets('020000000009'), mtu: 1400 }),
    bytes: `34000000 10000500 01000000 00000000 00000000 c1040000 00000000 00000000
            0a000100 02000000 00090000 08000400 78050000`,
    type: 16,
  },
  {
    name: 'ip link set (1217) addrgenmode none',
    request: changeLink(1217, { noGeneratedAddress: true }),
    bytes: `30000000 10000500 01000000 00000000 00000000 c1040000 00000000 00000000
            10001a00 0c000a00 05000800 01000000`,
    type: 16,
  },
  {
    name: 'ip link set (1217) alias pod-1 (with a NUL more than ip sends)',
    request: changeLink(1217, { alias: 'pod-1' }),
    bytes: `2c000000 10000500 01000000 00000000 00000000 c1040000 00000000 00000000 0a001400 706f642d 31000000`,
    type: 16,
  },
  {
    name: 'ip link del (1217)',
    request: deleteLink(1217),
    bytes: '20000000 11000500 01000000 00000000 00000000 c1040000 00000000 00000000',
  },
  {
    name: 'ip link del group 22081',
    request: deleteLinkGroup(22081),
    bytes: '28000000 11000500 01000000 00000000 00000000 00000000 00000000 00000000 08001b00 41560000',
  },
  {
    name: 'ip addr add 10.0.0.2/24 dev (2)',
    request: addAddress(2, { address: ipv4(10, 0, 0, 2), prefixLength: 24 }),
    bytes: '28000000 14000506 01000000 00000000 02180000 02000000 08000200 0a000002 08000100 0a000002',
  },
  {
    name: 'ip addr add fd00::2/64 dev (2) nodad',
    request: addAddress(2, { address: ipv6('fd00000000000000 0000000000000002'), prefixLength: 64 }),
    bytes: `40000000 14000506 01000000 00000000 0a400200 02000000 14000200 fd000000
            00000000 00000000 00000002 14000100 fd000000 00000000 00000000 00000002`,
  },
  {
    name: 'ip route add default via 169.254.1.1 dev (2) onlink mtu 1400 proto static',
    request: addRoute({
      destination: { address: ipv4(0, 0, 0, 0), prefixLength: 0 },
      linkIndex: 2,
      gateway: ipv4(169, 254, 1, 1),
      onLink: true,
      mtu: 1400,
    }),
    bytes: `38000000 18000506 01000000 00000000 02000000 fe040001 04000000 08000500
            a9fe0101 08000400 02000000 0c000800 08000200 78050000`,
  },
  {
    name: 'ip route add 10.9.0.0/16 via 10.0.0.1 dev (2) proto static',
    request: addRoute({ destination: { address: ipv4(10, 9, 0, 0), prefixLength: 16 }, linkIndex: 2, gateway: ipv4(10, 0, 0, 1) }),
    bytes: `34000000 18000506 01000000 00000000 02100000 fe040001 00000000 08000100
            0a090000 08000500 0a000001 08000400 02000000`,
  },
  {
    name: 'ip route add 10.8.0.0/16 dev (2) proto static',
    request: addRoute({ destination: { address: ipv4(10, 8, 0, 0), prefixLength: 16 }, linkIndex: 2 }),
    bytes: '2c000000 18000506 01000000 00000000 02100000 fe04fd01 00000000 08000100 0a080000 08000400 02000000',
  },
  {
    name: 'ip route add fd01::/64 via fd00::1 dev (2) proto static',
    request: addRoute({
      destination: { address: ipv6('fd01'), prefixLength: 64 },
      linkIndex: 2,
      gateway: ipv6('fd00000000000000 0000000000000001'),
    }),
    bytes: `4c000000 18000506 01000000 00000000 0a400000 fe040001 00000000 14000100
            fd010000 00000000 00000000 00000000 14000500 fd000000 00000000 00000000 00000001 08000400 02000000`,
  },
  {
    name: 'ip neigh replace 10.0.0.1 lladdr ... dev (2) nud permanent',
    request: putNeighbour(2, ipv4(10, 0, 0, 1), octets('020000000001')),
    bytes: `30000000 1c000505 01000000 00000000 02000000 02000000 80000000 08000100
            0a000001 0a000200 02000000 00010000`,
  },
];

for (const { name, request, bytes, type } of golden) {
  test(`the octets of: ${name}`, () => {
    const wanted = octets(bytes);
    const found = sent(request);
    if (type !== undefined) {
      assert.equal(found[4], 19);
      found[4] = type;
    }
    assert.equal(hex(found), hex(wanted));
  });
}

test('lookups as ip sends them, without acknowledgement', () => {
  const plain = (request: NetlinkRequest): string => hex(encodeRequests([request], 1, 0));
  assert.equal(
    plain(getNeighbour(2, ipv4(10, 0, 0, 1))),
    hex(octets('24000000 1e000100 01000000 00000000 02000000 02000000 00000000 08000100 0a000001')),
  );
  // ip also asks for the route as the table has it for its own display: flag 0x1000.
  assert.equal(
    plain(lookUpRoute(ipv4(10, 0, 0, 7))),
    hex(octets('24000000 1a000100 01000000 00000000 02200000 00000000 00000000 08000100 0a000007')),
  );
  assert.equal(plain(dumpAddresses()), hex(octets('18000000 16000103 01000000 00000000 00000000 00000000')));
  // Mask 8 in place of 9: no virtual functions either.
  assert.equal(
    plain(getLink('eth0')),
    hex(octets('34000000 12000100 01000000 00000000 00000000 00000000 00000000 00000000 08001d00 08000000 09000300 65746830 00000000')),
  );
  assert.equal(
    plain(dumpLinks()),
    hex(octets('28000000 12000103 01000000 00000000 00000000 00000000 00000000 00000000 08001d00 08000000')),
  );
});

test('several requests in a send keep their order, numbers and lengths', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 1 << 30 }),
      (bodies, first) => {
        const requests = bodies.map((body, index) => ({ type: index, flags: 0x400, body, what: '' }));
        const messages = decodeMessages(encodeRequests(requests, first, 4));
        assert.deepEqual(
          messages,
          bodies.map((body, index) => ({ type: index, flags: 0x405, sequence: first + index, body })),
        );
      },
    ),
  );
});

test('a veth pair is read back, near and far end', () => {
  fc.assert(
    fc.property(anyName, anyName, anyMac, fc.integer({ min: 68, max: 65535 }), anyIndex, (near, far, mac, mtu, group) => {
      const message = told(createVeth({ name: near, mac, mtu, group }, { name: far, mac, mtu, group }, 9));
      const {
        name,
        mac: readMac,
        mtu: readMtu,
        group: readGroup,
        kind,
        receiveQueues,
        transmitQueues,
      } = decodeLink(message) ?? assert.fail();
      assert.deepEqual(
        { name, mac: readMac, mtu: readMtu, group: readGroup, kind, receiveQueues, transmitQueues },
        { name: near, mac, mtu, group, kind: 'veth', receiveQueues: 1, transmitQueues: 1 },
      );
      const peer = new Attributes(message.body.subarray(16)).nested(18)?.nested(2)?.octets(1) ?? assert.fail();
      const ofPeer = decodeLink({ ...message, body: peer }) ?? assert.fail();
      assert.deepEqual({ name: ofPeer.name, mac: ofPeer.mac, group: ofPeer.group }, { name: far, mac, group });
      assert.equal(new Attributes(peer.subarray(16)).u32(28), 9);
    }),
  );
});

test('addresses, routes and neighbours are read back', () => {
  fc.assert(
    fc.property(
      anyAddress,
      anyAddress,
      anyIndex,
      anyMac,
      fc.integer({ min: 1, max: 65535 }),
      fc.boolean(),
      (one, other, index, mac, mtu, onLink) => {
        const address = kernelAddress(one);
        const prefixLength = 1 + (mtu % (address.length * 8));
        const {
          linkIndex,
          address: readAddress,
          prefixLength: readLength,
        } = decodeAddress(told(addAddress(index, { address: one, prefixLength }))) ?? assert.fail();
        assert.deepEqual({ linkIndex, readAddress, readLength }, { linkIndex: index, readAddress: address, readLength: prefixLength });

        const gateway = kernelAddress(other);
        const route: Route = {
          destination: { address, prefixLength },
          linkIndex: index,
          gateway,
          onLink,
          mtu,
          source: gateway,
          priority: mtu,
        };
        assert.deepEqual(decodeRoute(told(addRoute(route))), { ...route, table: 254, type: 1 });

        assert.deepEqual(decodeNeighbour(told(putNeighbour(index, one, mac))), {
          linkIndex: index,
          address,
          mac,
          state: neighbourStates.permanent,
        });
        assert.equal(decodeNeighbour(told(probeNeighbour(index, one)))?.mac, undefined);
      },
    ),
  );
});

test('IPv4 in 16 octets goes out as IPv4', () => {
  const mapped = octets('00000000 00000000 0000ffff 0a000002');
  assert.equal(
    hex(sent(addAddress(2, { address: mapped, prefixLength: 24 }))),
    hex(sent(addAddress(2, { address: ipv4(10, 0, 0, 2), prefixLength: 24 }))),
  );
  assert.equal(addressText(mapped), '10.0.0.2');
  assert.equal(addressText(ipv6('fd00')), 'fd00:0:0:0:0:0:0:0');
  assert.equal(macText(octets('02000000000a')), '02:00:00:00:00:0a');
});

test('of a route with several next hops the first counts, and a gateway of the other family is one', () => {
  const body = octets(`
    02000000 fe030001 00000000
    20000900 10000000 05000000 08000500 0a000001 0c000001 06000000 00000000
    08000f00 fe000000`);
  // The second next hop's length is checked only when it is read, so it may be anything.
  const route = decodeRoute({ type: 24, flags: 0, sequence: 0, body });
  assert.equal(route?.linkIndex, 5);
  assert.deepEqual(route?.gateway, ipv4(10, 0, 0, 1));

  const via = octets(`02000000 fe030001 00000000 16001200 0a00fe80 00000000 00000000 00000000 00010000 08000400 07000000`);
  assert.equal(hex(decodeRoute({ type: 24, flags: 0, sequence: 0, body: via })?.gateway ?? assert.fail()), `fe80${'0'.repeat(26)}01`);
});

test('an error gives the code of its number and the text of the kernel', () => {
  // EEXIST, the request's header only, then the text.
  const text = Buffer.from('device exists\0').toString('hex').padEnd(32, '0');
  const body = octets(`efffffff a0000000 10000506 01000000 00000000 12000100 ${text}`);
  const flags = messageFlags.cappedError | messageFlags.errorAttributes;
  const error = decodeError({ type: 2, flags, sequence: 1, body }, 'creating veth a');
  assert.ok(error instanceof NetlinkError && error instanceof WeatherError);
  assert.equal(error.code, 'netlink-exists');
  assert.equal(error.errorNumber, 17);
  assert.match(error.message, /^creating veth a: .*EEXIST.*: device exists$/);
  assert.ok(error.remedy !== undefined);
  assert.equal(decodeError({ type: 2, flags: 0, sequence: 1, body: new Uint8Array(20) }, ''), undefined);
  assert.equal(decodeError({ type: 3, flags: 2, sequence: 1, body: new Uint8Array(0) }, ''), undefined);
  assert.equal(decodeError({ type: 3, flags: 2, sequence: 1, body: octets('f5ffffff') }, 'listing')?.code, 'netlink-busy');
});

test('whatever octets come, they are read or refused as netlink-reply', () => {
  const refused = (run: () => unknown): void => {
    try {
      run();
    } catch (error) {
      assert.ok(error instanceof NetlinkError && error.code === 'netlink-reply', String(error));
    }
  };
  // Lengths are small numbers, so that many of them fit.
  const octet = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(0, 1, 2, 4, 8, 12, 16, 20) }, { weight: 1, arbitrary: fc.nat(255) });
  const bytes = fc.array(octet, { maxLength: 120 }).map((list) => Uint8Array.from(list));
  fc.assert(
    fc.property(bytes, fc.constantFrom(16, 20, 24, 28), fc.nat(0x3ff), (body, type, flags) => {
      refused(() => decodeMessages(body));
      refused(() => attributeList(body));
      for (const decode of [decodeLink, decodeAddress, decodeRoute, decodeNeighbour]) {
        refused(() => decode({ type, flags, sequence: 0, body }));
      }
      refused(() => decodeError({ type: 2, flags, sequence: 0, body }, ''));
      refused(() => decodeError({ type: 3, flags, sequence: 0, body }, ''));
    }),
    { numRuns: 2000 },
  );
});

test('a message that is cut anywhere is refused or read as fewer', () => {
  const whole = encodeRequests([deleteLink('eth0'), deleteLink(3)], 1, 4);
  for (let length = 0; length < whole.length; length++) {
    let count = 0;
    try {
      count = decodeMessages(whole.subarray(0, length)).length;
    } catch (error) {
      assert.ok(error instanceof NetlinkError);
    }
    assert.ok(count < 2);
  }
  assert.equal(decodeMessages(whole).length, 2);
  assert.equal(headerBytes, 16);
});
