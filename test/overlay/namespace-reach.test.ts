import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from '../../examples/overlay/pod.ts';
import { DaemonRig, patienceMs, skipWithoutDaemons, within } from '../../examples/overlay/daemon-rig.ts';

/** Who reaches whom, through real daemons and programs: two hosts at first, then three. Two tenants have the same addresses. */

const skip = skipWithoutDaemons();
const red = 71;
const blue = 72;
const tableOf = { red: 1, blue: 3 } as const;
const vpcs = (['red', 'blue'] as const).map((name) => ({
  name,
  vni: name === 'red' ? red : blue,
  subnets: [
    { name: 'front', id: tableOf[name], ipv4: '10.0.0.0/24', fixedIpv4: '10.0.0.128/25', ipv6: 'fd00:0:0:1::/64' },
    { name: 'back', id: tableOf[name] + 1, ipv4: '10.0.1.0/24', ipv6: 'fd00:0:0:2::/64' },
  ],
}));

let rig: DaemonRig;
const pods: Record<string, Pod> = {};
let taken: Promise<string | undefined>;
before(async () => {
  if (skip !== false) return;
  rig = await DaemonRig.start({ prefix: 'cvreach', hosts: 3, members: 2, vpcs });
  for (const vpc of ['red', 'blue']) {
    pods[`${vpc} one`] = await rig.add(1, vpc, 'front', '10.0.0.130');
    pods[`${vpc} two`] = await rig.add(2, vpc, 'front', '10.0.0.131');
  }
  pods['red beside'] = await rig.add(1, 'red', 'front');
  pods['red back'] = await rig.add(2, 'red', 'back');
  // It is asked for again and again for some seconds.
  taken = rig.refused(1, 'red', 'front', '10.0.0.131');
});
after(() => rig?.[Symbol.asyncDispose]());

const pod = (name: string): Pod => pods[name]!;

async function textOf(socket: Socket): Promise<string> {
  let text = '';
  for await (const part of socket.setEncoding('utf8')) text += part;
  return text;
}

/** What a server at `port` of the pod says to one client. */
async function asked(from: Pod, to: Pod, address: string, port: number, fromPort = 0): Promise<string> {
  const isIpv6 = address.includes(':');
  const server = await rig.tcp.listen(to.namespace, port, (socket) => socket.end(`${to.vpc} ${to.name}`), isIpv6 ? '::' : '0.0.0.0');
  try {
    return await textOf(await rig.tcp.connect(from.namespace, address, port, fromPort));
  } finally {
    server.close();
  }
}

async function datagramBack(from: Pod, to: Pod, address: string, bytes: number): Promise<number> {
  const family = address.includes(':') ? 'udp6' : 'udp4';
  const [server, client] = [await rig.sockets.openUdp(to.namespace, 6000, family), await rig.sockets.openUdp(from.namespace, 6001, family)];
  let heard = 0;
  server.on('message', (message, { port, address: at }) => server.send(message, port, at));
  client.on('message', (message) => (heard = message.length));
  await within(patienceMs, () => (client.send(Buffer.alloc(bytes, 'x'), 6000, address), heard > 0));
  client.close();
  server.close();
  return heard;
}

test('ping, TCP and UDP both ways: within a subnet, across subnets and at one host, IPv4 and IPv6', { skip }, async () => {
  const pairs: readonly [Pod, Pod][] = [
    [pod('red one'), pod('red two')],
    [pod('red one'), pod('red back')],
    [pod('red one'), pod('red beside')],
  ];
  let port = 8000;
  for (const pair of pairs) {
    for (const [from, to] of [pair, pair.toReversed() as [Pod, Pod]]) {
      for (const address of [to.address, to.ipv6]) {
        const what = `${from.name} to ${to.name} at ${address}`;
        assert.ok(await rig.reaches(from, address), `ping, ${what}`);
        assert.equal(await asked(from, to, address, ++port), `${to.vpc} ${to.name}`, `TCP, ${what}`);
        assert.equal(await datagramBack(from, to, address, 100), 100, `UDP, ${what}`);
      }
    }
  }
});

test('HTTP, and a long transfer that comes whole', { skip }, async () => {
  const body = Buffer.alloc(4_000_000, 'caravan');
  const http = createServer((request, response) => response.end(request.url === '/body' ? body : 'hello'));
  const server = await rig.tcp.listen(pod('red two').namespace, 8080, (socket) => http.emit('connection', socket));
  const get = async (path: string): Promise<Buffer> => {
    const socket = await rig.tcp.connect(pod('red one').namespace, pod('red two').address, 8080);
    socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
    const parts: Buffer[] = [];
    for await (const part of socket) parts.push(part as Buffer);
    const all = Buffer.concat(parts);
    return all.subarray(all.indexOf('\r\n\r\n') + 4);
  };
  assert.equal((await get('/')).toString(), 'hello');
  const digest = (of: Buffer): string => createHash('sha256').update(of).digest('hex');
  assert.equal(digest(await get('/body')), digest(body));
  server.close();
});

test('the same 5-tuple in two tenants at once: each connection has its own server', { skip }, async () => {
  const answers = await Promise.all(['red', 'blue'].map((vpc) => asked(pod(`${vpc} one`), pod(`${vpc} two`), '10.0.0.131', 9000, 5000)));
  assert.deepEqual(
    answers,
    ['red', 'blue'].map((vpc) => `${vpc} ${pod(`${vpc} two`).name}`),
  );
});

test('one service address in both tenants, the same 5-tuple at once: each has its own back end, fragments too', { skip }, async () => {
  const address = '10.0.0.200';
  const backends: Pod[] = [];
  for (const vpc of ['red', 'blue']) {
    backends.push(await rig.addLabelled({ app: 'echo' }, 2, vpc, 'front'));
    const ports = [
      { port: 80, targetPort: 9001 },
      { port: 53, targetPort: 6000, protocol: 'udp' },
    ];
    await rig.apply(1, {
      kind: 'OverlayService',
      name: `${vpc}-echo`,
      spec: { vpc, addresses: [address], ports, selector: { app: 'echo' } },
    });
  }
  const servers = await Promise.all(backends.map(({ namespace, vpc }) => rig.tcp.listen(namespace, 9001, (socket) => socket.end(vpc))));
  const connect = async (vpc: string, fromPort: number): Promise<string> =>
    textOf(await rig.tcp.connect(pod(`${vpc} one`).namespace, address, 80, fromPort, 1000));
  const isReached = (vpc: string): Promise<boolean> => within(patienceMs, async () => (await connect(vpc, 0).catch(() => '')) === vpc);
  assert.ok((await isReached('red')) && (await isReached('blue')));
  assert.deepEqual(await Promise.all(['red', 'blue'].map((vpc) => connect(vpc, 5001))), ['red', 'blue']);
  for (const server of servers) server.close();
  for (const backend of backends) {
    const from = pod(`${backend.vpc} one`);
    const server = await rig.sockets.openUdp(backend.namespace, 6000);
    const client = await rig.sockets.openUdp(from.namespace, 6001);
    server.on('message', (message, { port, address: at }) => server.send(message, port, at));
    let heard = 0;
    client.on('message', (message, { address: at }) => (heard = at === address ? message.length : -1));
    assert.ok(await within(patienceMs, () => (client.send(Buffer.alloc(4000, 'x'), 53, address), heard === 4000)), backend.vpc);
    client.close();
    server.close();
    await rig.deleteResource(1, 'OverlayService', `${backend.vpc}-echo`);
    await rig.delete(backend);
  }
});

test('a pod of one tenant cannot reach an address that only the other has', { skip }, async () => {
  const onlyRed = pod('red back').address;
  const before = await rig.counted(blue, 'noEndpoint');
  assert.equal(await rig.reaches(pod('blue one'), onlyRed, 600), false);
  assert.ok((await rig.counted(blue, 'noEndpoint')) > before);
  assert.equal(await rig.reaches(pod('blue one'), '192.0.2.2', 300), false, 'nor a host');
});

test('datagrams that are longer than the MTU arrive as fragments, and whole', { skip }, async () => {
  for (const name of ['red two', 'red back', 'red beside']) {
    for (const address of [pod(name).address, pod(name).ipv6]) {
      assert.equal(await datagramBack(pod('red one'), pod(name), address, 4000), 4000, `${name} at ${address}`);
    }
  }
});

test('pods come and go: the others stay reached, and an address can come back, but is not taken from who has it', { skip }, async () => {
  const [first, second] = [await rig.add(2, 'red', 'front', '10.0.0.140'), await rig.add(2, 'red', 'back')];
  for (const { address } of [first, second]) assert.ok(await rig.reaches(pod('red one'), address));
  await rig.delete(first);
  assert.equal(await rig.reaches(pod('red one'), first.address, 400), false);
  assert.ok(await rig.reaches(pod('red one'), second.address));
  for (const host of [2, 1, 2]) {
    const again = await rig.add(host, 'red', 'front', '10.0.0.140');
    assert.equal(again.address, '10.0.0.140');
    assert.ok(await rig.reaches(pod('red two'), again.address), `at host ${host}`);
    assert.ok(await rig.reaches(pod('red one'), again.address), `at host ${host}`);
    await rig.delete(again);
  }
  const { endpoints } = await rig.host(2).status();
  assert.ok(!endpoints.some(({ addresses }) => addresses.includes('10.0.0.140')));
  assert.match((await taken) ?? '', /address-in-use/, 'it is not taken from who has it');
  assert.ok(await rig.reaches(pod('red beside'), '10.0.0.131'));
});

test('a TCP connection outlives that a host is added and owners change', { skip }, async () => {
  const opened: { server?: Server; socket?: Socket } = {};
  let received = 0;
  opened.server = await rig.tcp.listen(pod('red two').namespace, 9500, (socket) => socket.on('data', (part) => (received += part.length)));
  opened.socket = await rig.tcp.connect(pod('red one').namespace, pod('red two').address, 9500);
  let sent = 0;
  const { socket } = opened;
  const timer = setInterval(() => {
    if (socket.writableLength > 0) return;
    sent += 1000;
    socket.write(Buffer.alloc(1000));
  }, 5);
  try {
    await rig.enlarge();
    // Until the new owners are asked, and the former ones have forgotten.
    await sleep(3000);
    const before = received;
    assert.ok(await within(patienceMs, () => received > before + 50_000), 'it goes on');
    const third = await rig.add(3, 'red', 'front');
    for (const name of ['red one', 'red back']) assert.ok(await rig.reaches(third, pod(name).address), `the new host reaches ${name}`);
    assert.ok(await rig.reaches(pod('red two'), third.address));
  } finally {
    clearInterval(timer);
  }
  assert.ok(await within(patienceMs, () => received === sent), `${received} of ${sent} octets`);
  socket.end();
  await once(socket, 'close').catch(() => undefined);
  opened.server.close();
});
