import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DaemonRig, skipWithoutDaemons, within, type RigResource } from '../../examples/overlay/daemon-rig.ts';
import { Plugin, type Pod } from '../../examples/overlay/pod.ts';
import { pluginOf } from '../../examples/overlay/requirements.ts';
import { dig, digMissing } from '../../src/overlay-host/names/dig.test.ts';
import { HostSites } from './host-sites.ts';
import { loadInternetCalls, NamespaceSockets } from '../../src/kernel/netlink/namespace-sockets.ts';
import { pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import { loadSocketCalls } from '../../src/kernel/netlink/socket-calls.ts';

/** Names of a VPC, and endpoints that lead to programs of a host and back, through real daemons and programs: two hosts, a pod at each. */

const skip = skipWithoutDaemons() || (digMissing() ?? false);
const calls = loadSocketCalls();
const project = new URL('../..', import.meta.url).pathname;
const vpc: RigResource = { kind: 'VPC', name: 'red', spec: { vni: 91, prefixes: ['10.0.0.0/8', 'fd00::/48'], dns: 'local' } };
const subnet: RigResource = {
  kind: 'Subnet',
  name: 'front',
  spec: { vpc: 'red', prefixes: ['10.0.0.0/24', 'fd00::/64'], fixed: ['10.0.0.128/25', 'fd00::f000/116'] },
};
const service: RigResource = {
  kind: 'OverlayService',
  name: 'web',
  spec: { vpc: 'red', addresses: ['10.0.0.200'], ports: [{ port: 80 }], selector: { app: 'web' } },
};
const forward = [
  { port: 5432, to: '127.0.0.1:15432' },
  { port: 53, protocol: 'udp', to: '127.0.0.1:15353' },
];
const database = (more: object): RigResource => ({
  kind: 'Endpoint',
  name: 'db',
  spec: { subnet: 'front', host: 'host1', addresses: ['10.0.0.150', 'fd00::f050'], ...more },
});

let rig: DaemonRig;
let near: Pod;
let far: Pod;
const servers: Server[] = [];

before(async () => {
  if (skip !== false) return;
  rig = await DaemonRig.start({ prefix: 'cvname', hosts: 2, vpcs: [] });
  await rig.apply(1, vpc, subnet, service);
  near = await rig.add(1, 'red', 'front');
  // Until the other host knows the subnet.
  const isAdded = await within(10_000, async () => {
    const added = await rig.add(2, 'red', 'front').catch(() => undefined);
    if (added !== undefined) far = added;
    return added !== undefined;
  });
  assert.ok(isAdded, rig.logs());
});
after(async () => {
  for (const server of servers) server.close();
  await rig?.[Symbol.asyncDispose]();
});

/** What dig prints for a pod, asking the DNS address of its subnet. */
async function ask(pod: Pod, ...parameters: readonly string[]): Promise<string> {
  return (await dig(pod.namespace, '@10.0.0.2', '+time=1', '+short', ...parameters)).trim();
}

const answers = (pod: Pod, expected: string, ...parameters: readonly string[]): Promise<boolean> =>
  within(20_000, async () => (await ask(pod, ...parameters)) === expected);

/** All that a socket says until its end. It stays open for what is said to it. */
async function textOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (octets: Buffer) => (text += octets.toString()));
  await once(socket, 'end');
  return text;
}

test('the pods of both hosts have the same names at the same address', { skip }, async () => {
  for (const pod of [near, far]) {
    assert.ok(await answers(pod, '10.0.0.200', 'web.red.overlay'), rig.logs());
    assert.ok(await answers(pod, '10.0.0.200', '@fd00::2', 'web.red.overlay'), rig.logs());
    assert.equal(await ask(pod, '+tcp', 'web.red.overlay'), '10.0.0.200');
    assert.equal(await ask(pod, '-x', '10.0.0.200'), 'web.red.overlay.');
    assert.equal(await ask(pod, 'web.blue.overlay'), '');
  }
});

test('a pod gets a name when its configuration says so, and loses it with its interface', { skip }, async () => {
  const plugin = new Plugin(pluginOf(project));
  const namespace = rig.network.makeNamespace('named');
  const pod = { name: 'named', namespace, host: rig.host(2), vpc: 'red', subnet: 'front' };
  const { status, text } = await plugin.call('ADD', pod, { caravan: { names: true, name: 'shop' } });
  assert.equal(status, 0, text);
  const { dns, ips } = JSON.parse(text) as { dns: object; ips: { address: string }[] };
  assert.deepEqual(dns, { nameservers: ['10.0.0.2', 'fd00::2'], domain: 'red.overlay', search: ['red.overlay'], options: [] });
  const address = ips[0]?.address.split('/')[0] ?? '';
  assert.ok(await answers(near, address, 'shop.red.overlay'), rig.logs());
  await plugin.delete(pod);
  assert.ok(await answers(near, '', 'shop.red.overlay'), rig.logs());
});

test('policies: answers come back where nothing may come in, and questions need a rule where nothing may go out', { skip }, async () => {
  const policy = (more: object): RigResource => ({
    kind: 'OverlayPolicy',
    name: 'all',
    spec: { vpc: 'red', ...more },
  });
  await rig.apply(1, policy({}));
  assert.ok(await within(10_000, async () => !(await rig.reaches(far, near.address, 300))), rig.logs());
  assert.ok(await answers(near, '10.0.0.200', 'web.red.overlay'), rig.logs());
  await rig.apply(1, policy({ policyTypes: ['Egress'] }));
  assert.ok(await within(10_000, async () => (await ask(near, 'web.red.overlay')) !== '10.0.0.200'), rig.logs());
  const ports = [{ port: 53 }, { port: 53, protocol: 'udp' }];
  await rig.apply(1, policy({ policyTypes: ['Egress'], egress: [{ to: [{ prefix: '10.0.0.2/32' }], ports }] }));
  assert.ok(await answers(near, '10.0.0.200', 'web.red.overlay'), rig.logs());
  assert.equal(await ask(near, '+tcp', 'web.red.overlay'), '10.0.0.200');
  await rig.deleteResource(1, 'OverlayPolicy', 'all');
  assert.ok(await within(10_000, () => rig.reaches(far, near.address, 300)), rig.logs());
});

test('names of peers are answered when each names the other; a VPC may be without DNS', { skip }, async () => {
  const { spec } = vpc;
  await rig.apply(
    1,
    { kind: 'VPC', name: 'green', spec: { prefixes: ['172.16.0.0/12'] } },
    { ...service, name: 'mail', spec: { ...service.spec, vpc: 'green', addresses: ['172.16.0.9'] } },
  );
  assert.equal(await ask(far, 'mail.green.overlay'), '');
  await rig.apply(
    1,
    { ...vpc, spec: { ...spec, peers: ['green'] } },
    { kind: 'VPC', name: 'green', spec: { prefixes: ['172.16.0.0/12'], peers: ['red'] } },
  );
  assert.ok(await answers(far, '172.16.0.9', 'mail.green.overlay'), rig.logs());
  assert.equal(await ask(far, '-x', '172.16.0.9'), 'mail.green.overlay.');
  await rig.apply(1, { ...vpc, spec: { ...spec, dns: 'off' } });
  assert.ok(await within(10_000, async () => (await ask(far, 'web.red.overlay')) !== '10.0.0.200'), rig.logs());
  await rig.apply(1, vpc);
  assert.ok(await answers(far, '10.0.0.200', 'web.red.overlay'), rig.logs());
  assert.equal(await ask(far, 'mail.green.overlay'), '');
});

/** What a server says to a client in a pod that ends what it sends at once; '' while it does not. */
async function said(namespace: string, address: string, port: number, octets: Uint8Array): Promise<string> {
  const socket = await rig.tcp.connect(namespace, address, port).catch(() => undefined);
  if (socket === undefined) return '';
  socket.allowHalfOpen = true;
  socket.on('error', () => socket.destroy());
  socket.end(octets);
  return textOf(socket).catch(() => '');
}

/** In the namespace of a host or pod: says how much it heard when the client has ended. */
async function listen(namespace: string, address: string, port: number, name: string): Promise<void> {
  using sockets = new NamespaceSockets(calls, loadInternetCalls(calls), pathOf(namespace));
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    void textOf(socket).then(
      (text) => socket.end(`${name} heard ${text.length} of ${socket.remoteAddress ?? ''}`),
      () => undefined,
    );
  });
  server.listen({ fd: sockets.bound('tcp', address, port) });
  await once(server, 'listening');
  servers.push(server);
}

const large = Buffer.alloc(300_000, 'x');

test('an endpoint leads to a program of its host, from both hosts; an end goes on as an end', { skip }, async () => {
  await rig.apply(2, database({ forward }));
  assert.ok(await answers(far, '10.0.0.150', 'db.red.overlay'), rig.logs());
  await listen(rig.host(1).namespace, '127.0.0.1', 15_432, 'program');
  for (const [pod, address] of [
    [near, '10.0.0.150'],
    [far, '10.0.0.150'],
    [far, 'fd00::f050'],
  ] as const) {
    const expected = 'program heard 300000 of 127.0.0.1';
    assert.ok(await within(10_000, async () => (await said(pod.namespace, address, 5432, large)) === expected), rig.logs());
  }
});

test('datagrams too', { skip }, async () => {
  using sockets = new NamespaceSockets(calls, loadInternetCalls(calls), pathOf(rig.host(1).namespace));
  using podSockets = new NamespaceSockets(calls, loadInternetCalls(calls), pathOf(far.namespace));
  const [program, client] = [createSocket('udp4'), createSocket('udp4')];
  program.on('message', (octets, { port, address }) => program.send(`heard ${octets.toString()}`, port, address));
  program.bind({ fd: sockets.bound('udp', '127.0.0.1', 15_353) });
  client.bind({ fd: podSockets.bound('udp', far.address, 0) });
  let heard = '';
  client.on('message', (octets) => (heard = octets.toString()));
  const isAnswered = await within(10_000, () => {
    client.send('it', 53, '10.0.0.150');
    return heard === 'heard it';
  });
  program.close();
  client.close();
  assert.ok(isAnswered, rig.logs());
});

test('a daemon that starts again serves what it served before', { skip }, async () => {
  await rig.host(1).stop('SIGKILL');
  assert.equal(await said(far.namespace, '10.0.0.150', 5432, large), '');
  await rig.host(1).start();
  const expected = 'program heard 300000 of 127.0.0.1';
  assert.ok(await within(20_000, async () => (await said(far.namespace, '10.0.0.150', 5432, large)) === expected), rig.logs());
  assert.ok(await answers(near, '10.0.0.150', 'db.red.overlay'), rig.logs());
});

const listener = (name: string, port: number): string =>
  `apiVersion: skupper.io/v2alpha1\nkind: Listener\nmetadata: { name: ${name} }\nspec: { routingKey: ${name}, host: 127.0.0.1, port: ${port} }\n`;
const connector = (name: string, port: number): string =>
  `apiVersion: skupper.io/v2alpha1\nkind: Connector\nmetadata: { name: ${name} }\nspec: { routingKey: ${name}, host: 127.0.0.1, port: ${port} }\n`;

test('two sites: a pod reaches a server at the other one by name, and a client there reaches a pod', { skip }, async () => {
  const [one, two] = [rig.host(1).namespace, rig.host(2).namespace];
  await using sites = await HostSites.start(join(rig.folder, 'sites'), one, two, '192.0.2.2');
  // The database is behind the far site; the web server is a pod of the VPC.
  await listen(two, '127.0.0.1', 5432, 'database');
  await listen(far.namespace, '0.0.0.0', 80, 'web');
  await rig.apply(
    1,
    database({ forward: [{ port: 5432, to: '127.0.0.1:25432' }], offer: [{ listen: '127.0.0.1:18080', to: `${far.address}:80` }] }),
  );
  await sites.apply('near', `${listener('db', 25_432)}---\n${connector('web', 18_080)}`);
  await sites.apply('far', `${connector('db', 5432)}---\n${listener('web', 8080)}`);
  let address = '';
  assert.ok(
    await within(10_000, async () => {
      address = await ask(near, '+search', '+domain=red.overlay', 'db');
      return address === '10.0.0.150';
    }),
  );
  const fromPod = 'database heard 300000 of 127.0.0.1';
  assert.ok(await within(30_000, async () => (await said(near.namespace, address, 5432, large)) === fromPod), rig.logs());
  const fromSite = 'web heard 300000 of 10.0.0.150';
  assert.ok(await within(30_000, async () => (await said(two, '127.0.0.1', 8080, large)) === fromSite), rig.logs());
});

test('an endpoint that is deleted takes its name, its ports and its namespace with it', { skip }, async () => {
  const { ino } = statSync(pathOf(rig.host(1).namespace));
  const isThere = (): boolean => existsSync(pathOf(`caravan-endpoint-db.${ino}`));
  assert.ok(isThere());
  await rig.deleteResource(2, 'Endpoint', 'db');
  assert.ok(await answers(far, '', 'db.red.overlay'), rig.logs());
  assert.ok(await within(10_000, () => !isThere()), rig.logs());
  assert.equal(await rig.reaches(far, '10.0.0.150', 500), false);
});
