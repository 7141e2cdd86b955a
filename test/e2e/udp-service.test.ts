import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Authority } from './certificates.ts';
import { atEndOfTest } from './end-of-test.ts';
import { LinkProxy } from './link-proxy.ts';
import { Network, line } from './network.ts';
import { freePort } from './ports.ts';
import type { Entity } from './router-process.ts';
import { UdpClient, UdpGroupMember, UdpServer } from './udp-peer.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const host = '127.0.0.1';
const maxDatagramBytes = 65_507;
const nameServer = 'dnsmasq';

function udpListener(address: string, port: number, more: Entity[1] = {}): Entity {
  return ['udpListener', { name: address, address, host, port, ...more }];
}

function udpConnector(address: string, port: number, more: Entity[1] = {}): Entity {
  return ['udpConnector', { name: `${address}-${port}`, address, host, port, ...more }];
}

/** A listener at one end and a connector at the other, with a router between. */
async function overTwoHops(listener: Entity, connector: Entity): Promise<Network> {
  return await Network.start({
    tls: true,
    links: line(['near', 'middle', 'far']),
    entities: { near: [listener], middle: [], far: [connector] },
  });
}

async function isInstalled(program: string): Promise<boolean> {
  return await run('sh', ['-c', `command -v ${program}`]).then(
    () => true,
    () => false,
  );
}

test('dig asks dnsmasq over two hops', { timeout: 58_000 }, async (context) => {
  for (const program of ['dig', nameServer]) {
    if (await isInstalled(program)) continue;
    context.skip(`${program} is not installed (Debian: apt install bind9-dnsutils dnsmasq-base)`);
    return;
  }
  const [port, dnsPort] = [await freePort(), await freePort()];
  const own = ['--keep-in-foreground', '--conf-file=/dev/null', '--pid-file=', '--no-resolv', '--no-hosts', `--port=${dnsPort}`];
  const dns = spawn(nameServer, [...own, `--listen-address=${host}`, '--bind-interfaces', '--address=/example.test/192.0.2.7'], {
    stdio: 'ignore',
  });
  atEndOfTest(() => dns.kill());
  try {
    await using network = await overTwoHops(udpListener('dns', port), udpConnector('dns', dnsPort));
    const ask = async (): Promise<string> => {
      const { stdout } = await run('dig', [`@${host}`, '-p', String(port), '+short', '+tries=1', '+time=1', 'a.example.test', 'A']).catch(
        () => ({ stdout: '' }),
      );
      return stdout.trim();
    };
    await until('dnsmasq answers dig', async () => (await ask()) === '192.0.2.7', 20_000);
    const { stdout } = await run('dig', [`@${host}`, '-p', String(port), '+short', '+tries=5', '+time=1', 'other.test', 'TXT']);
    assert.equal(stdout.trim(), '', 'a name that nobody has');
    assert.equal(network.routers.length, 3);
  } finally {
    dns.kill();
  }
});

test('datagrams of all lengths arrive over two hops as they were sent', { timeout: 58_000 }, async () => {
  using server = await UdpServer.start((datagram) =>
    Buffer.concat([datagram.subarray(0, 4), createHash('sha256').update(datagram).digest()]),
  );
  using echo = await UdpServer.start();
  const [port, echoPort] = [await freePort(), await freePort()];
  await using network = await Network.start({
    tls: true,
    links: line(['near', 'middle', 'far']),
    entities: {
      near: [udpListener('hash', port), udpListener('echo', echoPort)],
      middle: [],
      far: [udpConnector('hash', server.port), udpConnector('echo', echo.port)],
    },
  });
  using client = await UdpClient.start(port);
  using echoed = await UdpClient.start(echoPort);
  await client.askAgain('1234');
  await echoed.askAgain('1234');
  const sizes = [4, 5, 255, 256, 1472, 16_384, 32_766, 32_767, 65_000, maxDatagramBytes];
  for (let count = 0; count < 200; count++) sizes.push(count % 5 === 0 ? randomInt(4, maxDatagramBytes + 1) : randomInt(4, 1473));
  let again = 0;
  for (const [number, size] of sizes.entries()) {
    const datagram = randomBytes(size);
    datagram.writeUInt32BE(number);
    const digest = createHash('sha256').update(datagram).digest();
    for (let tries = 1; ; tries++) {
      const [hashed, back] = await Promise.all([client.ask(datagram, 500), echoed.ask(datagram, 500)]);
      // What was lost is asked for again; what comes must be whole.
      for (const answer of client.answers) {
        if (answer.readUInt32BE() === number) assert.deepEqual(answer.subarray(4), digest);
      }
      for (const answer of echoed.answers) if (answer.readUInt32BE() === number) assert.ok(answer.equals(datagram), `${size} octets`);
      if (hashed !== undefined && back !== undefined) break;
      assert.ok(tries < 20, `${size} octets do not arrive`);
      again++;
    }
    client.answers.length = 0;
    echoed.answers.length = 0;
  }
  using empty = await UdpClient.start(echoPort);
  assert.equal((await empty.askAgain('')).length, 0, 'a datagram of no octets');
  console.log(`# ${sizes.length} datagrams each way, ${again} asked for again`);
  assert.equal(network.routers.length, 3);
});

test('QUIC goes through', { timeout: 58_000 }, async (context) => {
  const hasQuic = await run('python3', ['-c', 'import aioquic']).then(
    () => true,
    () => false,
  );
  if (!hasQuic) {
    context.skip('aioquic is not installed (pip install aioquic)');
    return;
  }
  const peer = join(import.meta.dirname, 'quic-peer.py');
  const [port, serverPort] = [await freePort(), await freePort()];
  await using authority = await Authority.make();
  const { certificateFile, keyFile } = await authority.issue('quic-00000000');
  const server = spawn('python3', [peer, 'serve', String(serverPort), certificateFile, keyFile], { stdio: ['ignore', 'pipe', 'inherit'] });
  atEndOfTest(() => server.kill());
  try {
    await once(server.stdout, 'data');
    await using network = await overTwoHops(udpListener('quic', port), udpConnector('quic', serverPort));
    await network.router('near').logged(/service port open/, 20_000);
    const startMs = performance.now();
    const { stdout } = await run('python3', [peer, 'send', String(port), '2000000'], { timeout: 40_000 });
    assert.equal(stdout.trim(), 'same');
    console.log(`# 2 MB over QUIC in ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  } finally {
    server.kill();
  }
});

test('a skupper-router in the middle passes flows on', { timeout: 58_000 }, async (context) => {
  if (process.env['VAN_TEST_SKROUTERD'] !== '1' || !(await isInstalled('skrouterd'))) {
    context.skip('runs when VAN_TEST_SKROUTERD=1 and skrouterd is on the PATH');
    return;
  }
  using server = await UdpServer.start();
  const port = await freePort();
  await using network = await Network.start({
    links: line(['near', 'middle', 'far']),
    entities: { near: [udpListener('echo', port)], middle: [], far: [udpConnector('echo', server.port)] },
    skupper: ['middle'],
  });
  using client = await UdpClient.start(port);
  await client.askAgain('ready', 30_000);
  for (const size of [0, 1, 1472, 40_000, maxDatagramBytes]) {
    const datagram = randomBytes(size);
    client.answers.length = 0;
    assert.ok((await client.askAgain(datagram)).equals(datagram), `${size} octets`);
  }
  // More than windows hold, each way: acknowledgements pass, too.
  let answered = 0;
  for (let count = 0; count < 400; count++) if ((await client.ask(randomBytes(8192), 250)) !== undefined) answered++;
  assert.ok(answered > 300, `${answered} of 400 are answered`);
  assert.equal(server.clients.size, 1, 'in one flow');
  assert.equal(network.routers.length, 3);
});

test('IPv6 at both ends', { timeout: 58_000 }, async (context) => {
  const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'));
  if (!hasIpv6) {
    context.skip('this machine has no IPv6');
    return;
  }
  using server = await UdpServer.start(undefined, '::1');
  const [port, everyPort] = [await freePort(), await freePort()];
  await using network = await Network.start({
    links: line(['near', 'far']),
    entities: {
      near: [udpListener('echo', port, { host: '::1' }), udpListener('every', everyPort, { host: '' })],
      far: [udpConnector('echo', server.port, { host: '::1' }), udpConnector('every', server.port, { host: '::1' })],
    },
  });
  using six = await UdpClient.start(port, '::1');
  assert.equal(String(await six.askAgain('six')), 'six');
  using four = await UdpClient.start(everyPort);
  assert.equal(String(await four.askAgain('four')), 'four', 'a port of all addresses takes IPv4, too');
  assert.equal(network.routers.length, 2);
});

test('1,000 clients at a time are 1,000 clients to the server', { timeout: 58_000 }, async () => {
  const count = 1000;
  using server = await UdpServer.start();
  const port = await freePort();
  await using network = await overTwoHops(udpListener('echo', port), udpConnector('echo', server.port));
  using first = await UdpClient.start(port);
  await first.askAgain('ready');
  const clients = await Promise.all(Array.from({ length: count }, async () => await UdpClient.start(port)));
  try {
    const answers = await Promise.all(clients.map(async (client, index) => String(await client.askAgain(`client ${index}`, 25_000))));
    answers.forEach((answer, index) => assert.equal(answer, `client ${index}`));
    assert.ok(server.clients.size >= count, 'each has a port of its own at the server');
    const seen = server.clients.size;
    const more = await Promise.all(clients.map(async (client) => String(await client.askAgain('more', 25_000))));
    assert.ok(more.every((answer) => answer === 'more' || answer.startsWith('client ')));
    assert.equal(server.clients.size, seen, 'and keeps it');
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
  console.log(`# ${network.routers.map((router) => `${Math.round(router.residentBytes() / 1_048_576)} MiB`).join(', ')} resident`);
});

/** What no numbered datagram is as long as. */
const probeBytes = 20_000;

/** A client whose flow takes the way over `proxy`: for some time after the start another may be the only one known. */
async function clientOver(proxy: LinkProxy, port: number): Promise<UdpClient> {
  const datagram = randomBytes(probeBytes);
  return await until(
    'a flow takes the proxied link',
    async () => {
      const client = await UdpClient.start(port);
      const before = proxy.passedBytes;
      // One datagram and its answer: the whole flow is there.
      const answer = await client.ask(datagram);
      if (answer !== undefined && proxy.passedBytes - before >= 2 * probeBytes) return client;
      client[Symbol.dispose]();
      return undefined;
    },
    20_000,
  );
}

for (const how of ['is cut', 'falls silent'] as const) {
  test(`a flow goes on by another way when its link ${how}`, { timeout: 58_000 }, async () => {
    using server = await UdpServer.start();
    const [port, linkPort] = [await freePort(), await freePort()];
    await using proxy = await LinkProxy.start(linkPort);
    await using network = await Network.start({
      links: [
        { from: 'c', to: 'b' },
        { from: 'a', to: 'd', cost: 2 },
        { from: 'c', to: 'd', cost: 2 },
      ],
      entities: {
        a: [udpListener('echo', port), ['connector', { name: 'b', role: 'inter-router', host, port: proxy.port }]],
        b: [['listener', { name: 'proxied', role: 'inter-router', host, port: linkPort }]],
        c: [udpConnector('echo', server.port)],
        d: [],
      },
    });
    using client = await clientOver(proxy, port);
    client.answers.length = 0;
    const clientsBefore = server.clients.size;
    const cutAt = 200;
    const hasAnswer = (from: number): boolean => client.answers.some((answer) => Number(answer) >= from);
    let sent = 0;
    const sendSome = async (count: number): Promise<void> => {
      for (const end = sent + count; sent < end; sent++) {
        client.send(String(sent));
        await sleep(5);
      }
    };
    await sendSome(cutAt);
    await sleep(300);
    const before = client.answers.length;
    if (how === 'is cut') proxy.cut(true);
    else proxy.silence();
    await until(
      'an answer comes by the other way',
      async () => {
        await sendSome(20);
        return hasAnswer(cutAt);
      },
      20_000,
      () => network.routers.map(({ id, log }) => `${id}:\n${log}`).join('\n'),
    );
    await sendSome(100);
    await sleep(300);
    // An answer to the probe that came late is no answer to a number.
    const answers = client.answers.filter(({ length }) => length < probeBytes);
    const numbers = new Set(answers.map(Number));
    console.log(
      `# ${cutAt - before} of ${cutAt} lost before, ${sent - numbers.size} of ${sent} in all; the server saw ${server.clients.size - clientsBefore} further clients`,
    );
    assert.equal(answers.length, numbers.size, 'no datagram arrives twice');
    assert.ok(before > cutAt * 0.8, 'what is sent slowly arrives');
    assert.ok(server.clients.size > clientsBefore, 'the server sees another port: the flow has begun anew');
    assert.equal(network.routers.length, 4);
  });
}

test('a server that is gone is found again, and clients are refused when nobody offers the address', { timeout: 58_000 }, async () => {
  const serverPort = await freePort();
  const port = await freePort();
  await using network = await overTwoHops(udpListener('echo', port), udpConnector('echo', serverPort));
  using client = await UdpClient.start(port);
  await network.router('near').logged(/service port open/, 20_000);
  assert.equal(await client.ask('nobody', 300), undefined);
  await network.router('far').logged(/cannot be reached/, 10_000);
  using server = await UdpServer.start(undefined, host, serverPort);
  assert.equal(String(await client.askAgain('somebody')), 'somebody');
  assert.ok(server.received > 0);
  await network.router('far').kill();
  await network.router('near').logged(/service port closed/, 20_000);
  const before = client.refusals;
  await until('the client is refused', async () => {
    client.send('anybody?');
    await sleep(20);
    return client.refusals > before;
  });
});

test('a flood of clients that nobody is behind neither ends a flow nor stops the router', { timeout: 58_000 }, async () => {
  using server = await UdpServer.start();
  const port = await freePort();
  await using network = await overTwoHops(udpListener('echo', port), udpConnector('echo', server.port));
  using client = await UdpClient.start(port);
  await client.askAgain('ready');
  const own = server.clients.size;
  // Each socket stands for one address and port; what is answered to it, nobody reads.
  for (let round = 0; round < 12; round++) {
    const flood = await Promise.all(Array.from({ length: 250 }, async () => await UdpClient.start(port)));
    for (const one of flood) one.send('flood');
    await sleep(10);
    for (const one of flood) one[Symbol.dispose]();
  }
  client.answers.length = 0;
  assert.equal(String(await client.askAgain('still here')), 'still here');
  console.log(
    `# ${server.clients.size - own} of 3000 became flows; near router ${Math.round(network.router('near').residentBytes() / 1_048_576)} MiB`,
  );
});

test('a receiver that stalls delays nobody', { timeout: 58_000 }, async () => {
  using server = await UdpServer.start();
  const [port, stalledPort] = [await freePort(), await freePort()];
  const program = `const s = require('node:dgram').createSocket('udp4'); s.bind(0, '${host}', () => { console.log(s.address().port); process.kill(process.pid, 'SIGSTOP'); });`;
  const stalled = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  atEndOfTest(() => stalled.kill('SIGKILL'));
  try {
    const stalledServer = await new Promise<number>((resolve) => {
      stalled.stdout.once('data', (text: Buffer) => resolve(Number(text)));
    });
    await using network = await Network.start({
      links: line(['near', 'far']),
      entities: {
        near: [udpListener('echo', port), udpListener('stalled', stalledPort)],
        far: [udpConnector('echo', server.port), udpConnector('stalled', stalledServer)],
      },
    });
    using client = await UdpClient.start(port);
    await client.askAgain('ready');
    using flooding = await UdpClient.start(stalledPort);
    const datagram = randomBytes(8192);
    for (let round = 0; round < 200; round++) {
      for (let count = 0; count < 20; count++) flooding.send(datagram);
      await sleep(2);
    }
    const startMs = performance.now();
    client.answers.length = 0;
    assert.equal(String(await client.askAgain('quick')), 'quick');
    console.log(`# answered in ${Math.round(performance.now() - startMs)} ms beside 32 MB for a server that is stopped`);
    const mebibytes = network.routers.map((router) => Math.round(router.residentBytes() / 1_048_576));
    console.log(`# ${mebibytes.join(' and ')} MiB resident`);
    assert.ok(mebibytes.every((size) => size < 400));
  } finally {
    stalled.kill('SIGKILL');
  }
});

test('what is sent to a multicast group at one site is heard at the others, once, and not again at home', { timeout: 58_000 }, async () => {
  const group = '239.77.1.2';
  const names = ['a', 'b', 'c'] as const;
  const ports = await Promise.all(names.map(async () => await freePort()));
  // Ports stand for the networks of sites: on one machine all hear the same groups.
  const bridge = (index: number): Entity[] => {
    const shared = { address: 'mc/lan', host, port: ports[index], multicastGroup: group };
    return [
      ['address', { prefix: 'mc', distribution: 'multicast' }],
      ['udpListener', { name: 'lan', ...shared }],
      ['udpConnector', { name: 'lan', ...shared }],
    ];
  };
  await using network = await Network.start({
    links: line(names),
    entities: Object.fromEntries(names.map((name, index) => [name, bridge(index)])),
  });
  const members = await Promise.all(ports.map(async (port) => await UdpGroupMember.start(group, port, host)));
  try {
    let number = 0;
    await until(
      'all hear of each other',
      async () => {
        members.forEach((member) => member.send(`hello ${number}`));
        number++;
        await sleep(100);
        return members.every((member) => member.heard.length >= number + 2);
      },
      20_000,
    );
    await sleep(300);
    for (const member of members) member.heard.length = 0;
    for (const [index, member] of members.entries()) {
      for (let count = 0; count < 20; count++) member.send(`${index} ${count}`);
      await sleep(50);
    }
    await sleep(500);
    for (const member of members) {
      assert.equal(new Set(member.heard).size, member.heard.length, 'nothing is heard twice');
      assert.ok(member.heard.length >= 50, `${member.heard.length} of 60 are heard`);
    }
    console.log(`# heard of 60: ${members.map(({ heard }) => heard.length).join(', ')}`);
  } finally {
    for (const member of members) member[Symbol.dispose]();
  }
  assert.equal(network.routers.length, 3);
});
