import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { test } from 'node:test';
import { ip, namespacesMissing, NamespaceRig, openDescriptors } from './namespace-rig.test.ts';
import { loadInternetCalls, NamespaceSockets } from './namespace-sockets.ts';
import { NetlinkError } from './netlink-error.ts';
import { inNamespace, NetworkNamespace, pathOf } from './network-namespace.ts';

const skip = namespacesMissing();

for (const address of ['127.0.0.1', '::1']) {
  test(`a server and a client in a namespace, ${address}: TCP`, { skip }, async () => {
    using rig = new NamespaceRig();
    rig.add('a');
    ip(rig.name('a'), 'link', 'set', 'lo', 'up');
    using sockets = new NamespaceSockets(rig.calls, loadInternetCalls(rig.calls), `/run/netns/${rig.name('a')}`);
    const server = createServer((socket) => socket.end('from inside'));
    server.listen({ fd: sockets.bound('tcp', address, 8080) });
    await once(server, 'listening');
    const client = new Socket({ fd: sockets.bound('tcp', address, 0) });
    client.connect({ host: address, port: 8080 });
    let text = '';
    for await (const octets of client.setEncoding('utf8')) text += String(octets);
    assert.equal(text, 'from inside');
    // Nobody listens there outside.
    const outside = new Socket().connect(8080, address);
    const [error] = (await once(outside, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
    const refused = new Socket({ fd: sockets.bound('tcp', address, 0) });
    refused.connect({ host: address, port: 8081 });
    assert.equal(((await once(refused, 'error')) as [NodeJS.ErrnoException])[0].code, 'ECONNREFUSED');
    server.close();
    await once(server, 'close');
  });

  test(`a server and a client in a namespace, ${address}: UDP`, { skip }, async () => {
    using rig = new NamespaceRig();
    rig.add('a');
    ip(rig.name('a'), 'link', 'set', 'lo', 'up');
    using sockets = new NamespaceSockets(rig.calls, loadInternetCalls(rig.calls), `/run/netns/${rig.name('a')}`);
    const type = address === '::1' ? 'udp6' : 'udp4';
    const [server, client] = [createSocket(type), createSocket(type)];
    server.bind({ fd: sockets.bound('udp', address, 5353) });
    server.on('message', (octets, from) => server.send(octets, from.port, from.address));
    client.bind({ fd: sockets.bound('udp', address, 0) });
    client.send('there and back', 5353, address);
    const [octets] = (await once(client, 'message')) as [Buffer];
    assert.equal(octets.toString(), 'there and back');
    server.close();
    client.close();
  });
}

test('pings are sent and answered in a namespace', { skip }, async () => {
  using rig = new NamespaceRig();
  rig.add('a');
  ip(rig.name('a'), 'link', 'set', 'lo', 'up');
  using namespace = new NetworkNamespace(pathOf(rig.name('a')));
  inNamespace(rig.calls, namespace, () => writeFileSync('/proc/sys/net/ipv4/ping_group_range', '0 2147483647'));
  using sockets = new NamespaceSockets(rig.calls, loadInternetCalls(rig.calls), namespace.path);
  for (const [type, address, request, answer] of [
    ['udp4', '127.0.0.1', 8, 0],
    ['udp6', '::1', 128, 129],
  ] as const) {
    const socket = createSocket(type);
    socket.bind({ fd: sockets.bound('ping', address, 0) });
    // Type, code, checksum, identifier, sequence number, payload.
    socket.send(Buffer.from([request, 0, 0, 0, 0, 0, 0, 7, 0x2a]), 1, address);
    const [octets] = (await once(socket, 'message')) as [Buffer];
    assert.deepEqual([octets[0], octets.readUInt16BE(6), octets[8]], [answer, 7, 0x2a]);
    socket.close();
  }
});

test('a port that is taken is told, and nothing stays open', { skip }, () => {
  using rig = new NamespaceRig();
  rig.add('a');
  ip(rig.name('a'), 'link', 'set', 'lo', 'up');
  using sockets = new NamespaceSockets(rig.calls, loadInternetCalls(rig.calls), `/run/netns/${rig.name('a')}`);
  const first = sockets.bound('udp', '127.0.0.1', 53);
  const before = openDescriptors();
  assert.throws(
    () => sockets.bound('udp', '127.0.0.1', 53),
    (error) => error instanceof NetlinkError && error.errorNumber === 98,
  );
  assert.equal(openDescriptors(), before);
  rig.calls.close(first);
});
