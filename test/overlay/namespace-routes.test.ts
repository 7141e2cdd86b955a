import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import type { Socket } from 'node:dgram';
import type { Server } from 'node:net';
import { after, before, test } from 'node:test';
import { ip } from '../../examples/overlay/network.ts';
import type { Pod } from '../../examples/overlay/pod.ts';
import { DaemonRig, type RigResource, patienceMs, skipWithoutDaemons, within } from '../../examples/overlay/daemon-rig.ts';

/**
 * Peered VPCs and ways out, through real daemons and programs: three hosts, and a namespace that is the world, which has no way back to pods.
 * Red and green have the same addresses; blue has others and is a peer of red.
 */

const skip = skipWithoutDaemons();
const world = { ipv4: '198.51.100.7', ipv6: '2001:db8:1::7' } as const;
const port = 7000;
/** A socket of IPv6 takes the port of IPv4, too. */
const port6 = 7001;
const transferPort = 7002;
const vnis = { red: 91, blue: 92, green: 93 } as const;
const addresses = {
  red: { ipv4: '10.1.0.0/24', ipv6: 'fd00:0:0:1::/64' },
  blue: { ipv4: '10.2.0.0/24', ipv6: 'fd00:0:0:2::/64' },
  green: { ipv4: '10.1.0.0/24', ipv6: 'fd00:0:0:1::/64' },
} as const;
type Name = keyof typeof vnis;

const vpc = (name: Name, more: object = {}): RigResource => {
  const { ipv4, ipv6 } = addresses[name];
  return { kind: 'VPC', name, spec: { vni: vnis[name], prefixes: [ipv4, ipv6], dns: 'off', ...more } };
};
const subnet = (name: Name): RigResource => {
  const { ipv4, ipv6 } = addresses[name];
  const fixed = [ipv4.replace('.0/24', '.128/25')];
  return { kind: 'Subnet', name: `${name}-front`, spec: { vpc: name, prefixes: [ipv4, ipv6], fixed } };
};

let rig: DaemonRig;
let worldName: string;
const servers: Server[] = [];
const sockets = new Set<Socket>();
const pods: Record<string, Pod> = {};
const pod = (name: string): Pod => pods[name]!;

before(async () => {
  if (skip !== false) return;
  rig = await DaemonRig.start({ prefix: 'cvroute', hosts: 3, vpcs: [] });
  await makeWorld();
  await rig.apply(1, vpc('red', { peers: ['blue'] }), vpc('blue', { peers: ['red'] }), vpc('green'));
  await rig.apply(1, subnet('red'), subnet('blue'), subnet('green'));
  for (const name of ['red', 'green'] as const) {
    pods[`${name} one`] = await rig.add(1, name, `${name}-front`, '10.1.0.130');
    pods[`${name} two`] = await rig.add(2, name, `${name}-front`, '10.1.0.131');
  }
  pods['blue one'] = await rig.add(1, 'blue', 'blue-front', '10.2.0.130');
  pods['blue two'] = await rig.add(2, 'blue', 'blue-front', '10.2.0.131');
});
after(async () => {
  for (const server of servers) server.close();
  for (const socket of sockets) socket.close();
  await rig?.[Symbol.asyncDispose]();
});

/** Behind the switch, as another machine that knows nothing of pods. */
async function makeWorld(): Promise<void> {
  const { network } = rig;
  worldName = network.makeNamespace('world');
  const sw = `${network.prefix}-sw`;
  await ip(worldName, `link add u type veth peer name world netns ${sw}`);
  await ip(sw, 'link set world master br0 up');
  await ip(worldName, 'address add 192.0.2.100/24 dev u');
  await ip(worldName, 'address add 2001:db8::100/64 dev u nodad');
  await ip(worldName, `address add ${world.ipv4}/32 dev lo`);
  await ip(worldName, `address add ${world.ipv6}/128 dev lo nodad`);
  await ip(worldName, 'link set lo up');
  await ip(worldName, 'link set u up');
  // So that it answers as whom it was asked.
  await ip(worldName, `route replace 192.0.2.0/24 dev u src ${world.ipv4}`);
  await ip(worldName, '-6 route del 2001:db8::/64 dev u');
  await ip(worldName, `-6 route add 2001:db8::/64 dev u src ${world.ipv6}`);
  for (const { namespace, number } of network.hosts) {
    await ip(namespace, `address add 2001:db8::${number}/64 dev u nodad`);
    await ip(namespace, `route add ${world.ipv4}/32 via 192.0.2.100`);
    await ip(namespace, `-6 route add ${world.ipv6}/128 via 2001:db8::100`);
  }
}

const asWritten = (address = ''): string => address.replace('::ffff:', '');

test('peers reach each other, at one host and across, IPv4 and IPv6', { skip }, async () => {
  for (const [from, to] of [
    ['red one', 'blue one'],
    ['red one', 'blue two'],
    ['blue two', 'red one'],
    ['blue one', 'red two'],
  ] as const) {
    for (const address of [pod(to).address, pod(to).ipv6]) assert.ok(await rig.reaches(pod(from), address), `${from} to ${to}, ${address}`);
  }
  servers.push(await rig.tcp.listen(pod('blue two').namespace, port, (socket) => socket.end(asWritten(socket.remoteAddress))));
  assert.equal(await said(pod('red one'), '10.2.0.131'), '10.1.0.130');
});

test('a VPC with the addresses of a peer is none: it reaches nobody, and nobody answers it', { skip }, async () => {
  assert.ok(await rig.reaches(pod('green one'), '10.1.0.131'));
  assert.equal(await rig.reaches(pod('green one'), '10.2.0.130', 700), false);
  assert.equal(await rig.reaches(pod('green two'), pod('blue one').ipv6, 700), false);
  assert.equal(await rig.counted(vnis.blue, 'untrusted'), 0);
});

/** What the server says to a connection from a pod. */
async function said(from: Pod, address: string, fromPort = 0): Promise<string> {
  let text = '';
  const socket = await rig.tcp.connect(from.namespace, address, port, fromPort);
  for await (const part of socket.setEncoding('utf8')) text += part;
  return text;
}

async function open(namespace: string, family: 'udp4' | 'udp6', at: number): Promise<Socket> {
  const socket = await rig.sockets.openUdp(namespace, at, family);
  sockets.add(socket);
  return socket;
}

/** A server of UDP that says as whom it sees its client. */
async function mirror(namespace: string, family: 'udp4' | 'udp6', at = port): Promise<void> {
  const socket = await open(namespace, family, at);
  socket.on('message', (_, { address, port: from }) => socket.send(address, from, address));
}

/** As whom a pod is seen; undefined when nobody answers. */
async function seenAs(
  from: Pod,
  address: string,
  fromPort: number,
  { to = address.includes(':') ? port6 : port, timeoutMs = patienceMs } = {},
): Promise<string | undefined> {
  const socket = await open(from.namespace, address.includes(':') ? 'udp6' : 'udp4', fromPort);
  let seen: string | undefined;
  socket.on('message', (message) => (seen = message.toString()));
  // A host without the way may say so.
  socket.on('error', () => undefined);
  await within(timeoutMs, () => (socket.send('who am I', to, address), seen !== undefined));
  sockets.delete(socket);
  socket.close();
  return seen;
}

const isHost = (seen: string | undefined): boolean => /^(?:192\.0\.2\.|2001:db8::)[123]$/.test(seen ?? '');
const namesFolder = '/run/netns';
/** Names of the namespaces of a VPC at our hosts: they end with the number of the host's own. */
function gatewaysOf(vni: number): string[] {
  const numbers = rig.network.hosts.map(({ namespace }) => statSync(`${namesFolder}/${namespace}`).ino);
  return numbers.map((number) => `caravan-vpc-${vni}-${number}`).filter((name) => existsSync(`${namesFolder}/${name}`));
}

test('without a way out nothing outside is reached', { skip }, async () => {
  await mirror(worldName, 'udp4');
  await mirror(worldName, 'udp6', port6);
  assert.equal(await seenAs(pod('red one'), world.ipv4, 5000, { timeoutMs: 700 }), undefined);
  assert.ok((await rig.counted(vnis.red, 'noRoute')) > 0);
  assert.deepEqual(gatewaysOf(vnis.red), []);
});

test('with a way out pods are seen as hosts: two tenants with the same addresses and ports at once, IPv4 and IPv6', { skip }, async () => {
  await rig.apply(2, vpc('red', { peers: ['blue'], egress: {} }), vpc('green', { egress: {} }));
  for (const address of [world.ipv4, world.ipv6]) {
    for (const number of ['one', 'two']) {
      const seen = await Promise.all((['red', 'green'] as const).map((name) => seenAs(pod(`${name} ${number}`), address, 5000)));
      assert.ok(seen.every(isHost), `${number} to ${address}: ${seen.join()}\n${rig.logs()}`);
    }
  }
  servers.push(await rig.tcp.listen(worldName, port, (socket) => socket.end(asWritten(socket.remoteAddress))));
  const texts = await Promise.all((['red', 'green'] as const).map((name) => said(pod(`${name} one`), world.ipv4, 6000)));
  assert.ok(texts.every(isHost), texts.join());
  assert.ok(await rig.reaches(pod('red two'), world.ipv4), 'ping');
});

test('a long transfer comes whole through a way out, both ways, from a pod at each host', { skip }, async () => {
  const body = Buffer.alloc(3_000_000, 'caravan ');
  const echo = await rig.tcp.listen(worldName, transferPort, (socket) => {
    let bytes = 0;
    socket.on('data', (part: Buffer) => {
      if ((bytes += part.length) === body.length) socket.end(body);
    });
  });
  servers.push(echo);
  for (const name of ['red one', 'red two']) {
    const socket = await rig.tcp.connect(pod(name).namespace, world.ipv4, transferPort);
    socket.write(body);
    const parts: Buffer[] = [];
    for await (const part of socket) parts.push(part as Buffer);
    assert.ok(Buffer.concat(parts).equals(body), name);
  }
});

test('hosts, their loopback, gateways and other tenants are not outside', { skip }, async () => {
  const [one] = rig.network.hosts;
  for (const { namespace } of rig.network.hosts) await mirror(namespace, 'udp4', 5353);
  for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3', '127.0.0.1', '169.254.64.0', '169.254.64.1', '10.2.0.1']) {
    assert.equal(await seenAs(pod('green one'), address, 5100, { to: 5353, timeoutMs: 400 }), undefined, address);
  }
  assert.equal(await seenAs(pod('green one'), 'fd63:7661:6e00::2', 5100, { to: 5353, timeoutMs: 400 }), undefined);
  // A peer’s way out is its own.
  assert.equal(await seenAs(pod('blue one'), world.ipv4, 5100, { timeoutMs: 400 }), undefined);
  assert.match(await ip(one!.namespace, 'address show dev u'), /192\.0\.2\.1/);
});

test('a flow goes on while the daemons start anew, and the gateways are the same', { skip }, async () => {
  const before = gatewaysOf(vnis.red);
  const socket = await open(pod('red one').namespace, 'udp4', 5200);
  const seen: string[] = [];
  socket.on('message', (message) => seen.push(message.toString()));
  await within(patienceMs, () => (socket.send('x', port, world.ipv4), seen.length > 0));
  // The host of the pod, and that of its gateway.
  for (const number of new Set([1, Number(seen[0]?.at(-1))])) {
    const host = rig.host(number);
    await host.stop('SIGKILL');
    const sofar = seen.length;
    await within(patienceMs, () => (socket.send('x', port, world.ipv4), seen.length > sofar));
    assert.ok(seen.length > sofar, 'without the daemon');
    await host.start();
  }
  const sofar = seen.length;
  await within(patienceMs, () => (socket.send('x', port, world.ipv4), seen.length > sofar + 3));
  assert.ok(seen.length > sofar);
  assert.equal(new Set(seen).size, 1, [...new Set(seen)].join());
  assert.deepEqual(gatewaysOf(vnis.red), before);
  await rig.connected();
});

test('when a host with a gateway dies, new flows go by another', { skip }, async () => {
  await rig.apply(1, vpc('red', { peers: ['blue'], egress: { hosts: ['host2', 'host3'] } }));
  const first = await seenAs(pod('red one'), world.ipv4, 5300);
  assert.match(first ?? '', /^192\.0\.2\.[23]$/);
  const number = Number(first!.at(-1));
  await ip(rig.host(number).namespace, 'link set u down');
  const other = `192.0.2.${number === 2 ? 3 : 2}`;
  let port5 = 5400;
  assert.ok(await within(patienceMs, async () => (await seenAs(pod('red one'), world.ipv4, ++port5, { timeoutMs: 300 })) === other));
  await ip(rig.host(number).namespace, 'link set u up');
});

test('gateways that nobody needs go, with their rules; so do all when the overlay is removed', { skip }, async () => {
  await rig.apply(1, vpc('red', { peers: ['blue'] }));
  assert.ok(await within(patienceMs, () => gatewaysOf(vnis.red).length === 0), gatewaysOf(vnis.red).join());
  assert.ok(gatewaysOf(vnis.green).length > 0);
  assert.equal(await seenAs(pod('red one'), world.ipv4, 5600, { timeoutMs: 400 }), undefined);
  assert.ok(isHost(await seenAs(pod('green one'), world.ipv4, 5601)));
  await rig.host(3).remove();
  assert.equal(gatewaysOf(vnis.green).length, 2);
  const { namespace } = rig.network.hosts[2]!;
  assert.equal(await ip(namespace, 'link show type veth group default').then((text) => /cv[gp]/.test(text)), false);
});
