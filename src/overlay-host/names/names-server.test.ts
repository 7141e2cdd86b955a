import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { ip, namespacesMissing, NamespaceRig } from '../../kernel/netlink/namespace-rig.test.ts';
import { loadInternetCalls, NamespaceSockets } from '../../kernel/netlink/namespace-sockets.ts';
import { addressHex } from '../../overlay/control/address.ts';
import type { Zones } from '../../overlay/dns/answer.ts';
import { decodeMessage } from '../../overlay/dns/decode.ts';
import { encodeMessage } from '../../overlay/dns/encode.ts';
import { internetClass, messageLimit, nameOf, recordTypes, type DnsMessage, type ResourceRecord } from '../../overlay/dns/message.ts';
import { dig, digMissing } from './dig.test.ts';
import { framed, parseResolvers, Resolvers, type Resolver } from './names-resolvers.ts';
import { NameServer } from './names-server.ts';
import { freePort } from '../../../test/e2e/ports.ts';

const skip = namespacesMissing() ?? digMissing();

/** A server on this host that knows one name, by UDP and TCP; `edit` may spoil its answers, and 'silent' gives none. */
async function outsideServer(edit: (answer: DnsMessage) => DnsMessage | 'silent'): Promise<Resolver & AsyncDisposable & { asked: number }> {
  const answerTo = (octets: Uint8Array): Uint8Array | undefined => {
    const query = decodeMessage(octets);
    assert.ok(query !== undefined);
    outside.asked++;
    const [question] = query.questions;
    assert.ok(question !== undefined);
    const record: ResourceRecord = {
      name: question.name,
      type: recordTypes.a,
      recordClass: internetClass,
      ttlSeconds: 60,
      data: { kind: 'address', address: Uint8Array.fromHex(addressHex('192.0.2.7')) },
    };
    const answer = edit({ ...query, isResponse: true, answers: [record] });
    return answer === 'silent' ? undefined : encodeMessage(answer, messageLimit);
  };
  const udp = createSocket('udp4');
  udp.on('message', (octets, from) => {
    const answer = answerTo(octets);
    if (answer !== undefined) udp.send(answer, from.port, from.address);
  });
  const tcp = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (octets: Buffer) => {
      const answer = answerTo(octets.subarray(2));
      if (answer !== undefined) socket.end(Buffer.concat([Buffer.of(answer.length >> 8, answer.length & 255), answer]));
    });
  });
  // One that is free for UDP may be taken for TCP, by a connection of anybody.
  const port = await freePort();
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  tcp.listen(port, '127.0.0.1');
  await once(tcp, 'listening').catch((error: Error) => {
    udp.close();
    throw error;
  });
  const outside = {
    address: '127.0.0.1',
    port,
    asked: 0,
    async [Symbol.asyncDispose](): Promise<void> {
      udp.close();
      tcp.close();
      await once(tcp, 'close');
    },
  };
  return outside;
}

const many = Array.from({ length: 16 }, (_, at) => addressHex(`fd00::${(at + 1).toString(16)}`));
const longName = `${'m'.repeat(60)}.${'n'.repeat(60)}`;
const zones: Zones = {
  vpc: 'red',
  prefixes: [{ address: addressHex('10.0.0.0'), length: 120 }],
  names: new Map([
    [
      'red',
      {
        vpc: 'red',
        addresses: new Map([
          ['db', [addressHex('10.0.0.20')]],
          [longName, many],
        ]),
        branches: new Set(),
        names: new Map([[addressHex('10.0.0.20'), 'db']]),
      },
    ],
  ]),
  serial: 1,
  forwards: true,
};

/** A name server in a namespace of its own, with these resolvers outside. */
function start(stack: DisposableStack, resolvers: readonly Resolver[], asked: Partial<Zones> = {}): string {
  const rig = stack.use(new NamespaceRig());
  rig.add('vpc');
  ip(rig.name('vpc'), 'link', 'set', 'lo', 'up');
  const sockets = stack.use(new NamespaceSockets(rig.calls, loadInternetCalls(rig.calls), `/run/netns/${rig.name('vpc')}`));
  const server = stack.use(
    new NameServer({
      sockets,
      zones: () => ({ ...zones, ...asked }),
      resolvers: stack.use(new Resolvers(() => resolvers, 700)),
      nowMs: () => performance.now(),
      log: silentLogger,
    }),
  );
  server.listen(['127.0.0.1', '::1']);
  return rig.name('vpc');
}

test('dig asks for names of a VPC, by UDP and TCP, IPv4 and IPv6', { skip }, async () => {
  using stack = new DisposableStack();
  const namespace = start(stack, []);
  for (const server of ['@127.0.0.1', '@::1']) {
    assert.equal(await dig(namespace, server, '+short', 'db.red.overlay'), '10.0.0.20\n');
    assert.equal(await dig(namespace, server, '+short', '+tcp', 'DB.red.overlay'), '10.0.0.20\n');
  }
  assert.equal(await dig(namespace, '@127.0.0.1', '+short', '-x', '10.0.0.20'), 'db.red.overlay.\n');
  const nobody = await dig(namespace, '@127.0.0.1', 'nobody.red.overlay');
  assert.match(nobody, /status: NXDOMAIN.*flags: qr aa rd ra/s);
  assert.match(nobody, /red\.overlay\.\s+5\s+IN\s+SOA/);
  // 16 addresses of IPv6 and a long name do not fit into 512 octets: dig comes again by TCP.
  assert.match(await dig(namespace, '@127.0.0.1', '+noedns', '+ignore', `${longName}.red.overlay`, 'AAAA'), /flags: qr aa tc/);
  assert.equal((await dig(namespace, '@127.0.0.1', '+noedns', '+short', `${longName}.red.overlay`, 'AAAA')).trim().split('\n').length, 16);
  assert.match(await dig(namespace, '@127.0.0.1', '+edns=1', '+noednsneg', 'db.red.overlay'), /status: BADVERS/);
});

test("other names are asked of the host's resolvers; the first that says something counts", { skip }, async () => {
  using stack = new DisposableStack();
  await using silent = await outsideServer(() => 'silent');
  await using broken = await outsideServer((answer) => ({ ...answer, rcode: 2, answers: [] }));
  await using good = await outsideServer((answer) => answer);
  const namespace = start(stack, [broken, silent, good]);
  assert.equal(await dig(namespace, '@127.0.0.1', '+short', 'example.org'), '192.0.2.7\n');
  assert.deepEqual([broken.asked, silent.asked, good.asked], [1, 1, 1]);
  assert.equal(await dig(namespace, '@127.0.0.1', '+short', '+tcp', 'example.org'), '192.0.2.7\n');
  assert.match(await dig(namespace, '@127.0.0.1', 'nobody.blue.overlay'), /NXDOMAIN/);
  assert.equal(good.asked, 2);
});

test('answers to another question are not believed; without any the client is told', { skip }, async () => {
  using stack = new DisposableStack();
  await using forger = await outsideServer((answer) => ({
    ...answer,
    questions: [{ name: nameOf('other.org'), type: recordTypes.a, recordClass: internetClass }],
  }));
  const namespace = start(stack, [forger]);
  assert.match(await dig(namespace, '@127.0.0.1', 'example.org'), /SERVFAIL/);
  const local = start(stack, [forger], { forwards: false });
  assert.match(await dig(local, '@127.0.0.1', 'example.org'), /NXDOMAIN/);
  assert.equal(forger.asked, 1);
});

test('what is malformed is told, what is an answer is not heard', { skip }, async () => {
  using stack = new DisposableStack();
  const rig = stack.use(new NamespaceRig());
  rig.add('vpc');
  ip(rig.name('vpc'), 'link', 'set', 'lo', 'up');
  const sockets = stack.use(new NamespaceSockets(rig.calls, loadInternetCalls(rig.calls), `/run/netns/${rig.name('vpc')}`));
  const resolvers = stack.use(new Resolvers(() => []));
  const options = { sockets, zones: () => zones, resolvers, nowMs: () => performance.now(), log: silentLogger };
  stack.use(new NameServer(options)).listen(['127.0.0.1']);
  const client = createSocket('udp4');
  stack.defer(() => void client.close());
  client.bind({ fd: sockets.bound('udp', '127.0.0.1', 0) });
  client.send(Uint8Array.of(9, 9, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0), 53, '127.0.0.1');
  client.send(Uint8Array.of(7, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1), 53, '127.0.0.1');
  const [octets] = (await once(client, 'message')) as [Buffer];
  assert.deepEqual([...octets], [7, 7, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test('a VPC has so many answers in a second, and no more', { skip }, async () => {
  using stack = new DisposableStack();
  const rig = stack.use(new NamespaceRig());
  rig.add('vpc');
  ip(rig.name('vpc'), 'link', 'set', 'lo', 'up');
  const sockets = stack.use(new NamespaceSockets(rig.calls, loadInternetCalls(rig.calls), `/run/netns/${rig.name('vpc')}`));
  const resolvers = stack.use(new Resolvers(() => []));
  const clock = { ms: 0 };
  stack.use(new NameServer({ sockets, zones: () => zones, resolvers, nowMs: () => clock.ms, log: silentLogger })).listen(['127.0.0.1']);
  // db.red.overlay, A, as a message by TCP.
  const query = framed(Uint8Array.fromHex('00010100000100000000000002646203726564076f7665726c61790000010001'));
  const answered = async (queries: number): Promise<number> => {
    const client = new Socket({ fd: sockets.bound('tcp', '127.0.0.1', 0) });
    client.connect({ host: '127.0.0.1', port: 53 });
    let bytes = 0;
    client.on('data', (octets: Buffer) => (bytes += octets.length));
    client.on('error', () => undefined);
    client.end(Buffer.concat(Array.from({ length: queries }, () => query)));
    await once(client, 'close');
    return bytes / (query.length + 16);
  };
  assert.equal(await answered(2000), 2000);
  assert.equal(await answered(1), 0);
  clock.ms = 100;
  assert.equal(await answered(201), 200);
});

test('resolv.conf', () => {
  const text =
    '# nameserver 1.1.1.1\nsearch a\nnameserver 10.0.0.1\n nameserver\tfd00::1 \nnameserver x\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n';
  assert.deepEqual(
    parseResolvers(text).map(({ address, port }) => [address, port]),
    [
      ['10.0.0.1', 53],
      ['fd00::1', 53],
      ['10.0.0.2', 53],
    ],
  );
});
