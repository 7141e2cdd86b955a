import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinkProxy } from './link-proxy.ts';
import { Network, tcpConnector, tcpListener } from './network.ts';
import type { Edge } from './network.ts';
import { freePort } from './ports.ts';
import { RequestLoad, outage, runFor } from './request-load.ts';
import type { Outage } from './request-load.ts';
import { TcpServer, answering, ask, refusing } from './tcp-peer.ts';

const ratePerSecond = 200;
/** A link that was closed is routed around at once; this is what a busy machine may make of it. */
const recoveryMs = 1500;
/** A neighbour that says nothing for 3 s is lost; HELLO comes each second. */
const silentRecoveryMs = 6000;

/** a reaches c by b (cost 2) or, when that fails, by d (cost 4). */
const ring: readonly Edge[] = [
  { from: 'a', to: 'b' },
  { from: 'c', to: 'b' },
  { from: 'a', to: 'd', cost: 2 },
  { from: 'c', to: 'd', cost: 2 },
];

function report(what: string, { lost, underWay, lastsMs, firstAnswerMs, errors }: Outage, total: number): void {
  console.log(
    `# ${what}: ${lost} of ${total} requests lost (${underWay} were under way${errors === '' ? '' : `; ${errors}`}), ` +
      `lasted ${Math.round(lastsMs)} ms, first answer after ${Math.round(firstAnswerMs)} ms`,
  );
}

/** Lost may be what was under way and what began before the network knew. */
function assertBounded(result: Outage, limitMs: number): void {
  assert.ok(result.lastsMs < limitMs, `requests begun ${Math.round(result.lastsMs)} ms after the failure were lost`);
  assert.ok(result.firstAnswerMs < limitMs, `the first answer came after ${Math.round(result.firstAnswerMs)} ms`);
  const bound = result.underWay + Math.ceil((result.lastsMs * ratePerSecond * 1.5) / 1000) + 3;
  assert.ok(result.lost <= bound, `${result.lost} lost, at most ${bound} were under way or begun before recovery`);
}

async function startRing(port: number, serverPort: number, links: readonly Edge[] = ring): Promise<Network> {
  const network = await Network.start({
    links,
    entities: { a: [tcpListener('greeting', port)], b: [], c: [tcpConnector('greeting', serverPort)], d: [] },
  });
  // All four links stand before anything is broken.
  const expected: readonly (readonly [string, number])[] = [
    ['b', 2],
    ['d', 2],
  ];
  for (const [name, count] of expected) await network.router(name).logged(new RegExp(`(link is up[^]*){${count}}`));
  await answering(port);
  return network;
}

test('a transit router is killed under load, and comes back', { timeout: 58_000 }, async () => {
  await using server = await TcpServer.greeting('hello');
  const port = await freePort();
  await using network = await startRing(port, server.port);
  const load = new RequestLoad(port, ratePerSecond);
  await runFor(1000);
  assert.equal(load.lost.length, 0, 'nothing is lost before the failure');

  const killedMs = performance.now();
  network.router('b').signal('SIGKILL');
  await network.router('b').ended;
  await runFor(2500);
  const restartedMs = performance.now();
  const from = network.router('b').log.length;
  await network.router('b').run();
  await network.router('b').logged(/(link is up[^]*){2}/, 10_000, from);
  // Routes move back to the cheaper way while requests go on.
  await runFor(1500);
  const otherKilledMs = performance.now();
  network.router('d').signal('SIGKILL');
  await network.router('d').ended;
  await runFor(1000);
  await load.stop();

  const before = load.records.filter(({ startMs }) => startMs < restartedMs);
  const healing = load.records.filter(({ startMs }) => startMs >= restartedMs && startMs < otherKilledMs);
  const after = load.records.filter(({ startMs }) => startMs >= otherKilledMs);
  const killed = outage(before, killedMs);
  report('router b killed', killed, before.length);
  assertBounded(killed, recoveryMs);
  const restarted = outage(healing, restartedMs);
  report('router b restarted', restarted, healing.length);
  assert.equal(restarted.lost, 0, 'a router that joins costs no request');
  const otherKilled = outage(after, otherKilledMs);
  report('router d killed', otherKilled, after.length);
  assert.ok(after.length > 100);
  assertBounded(otherKilled, recoveryMs);
});

test('a link is cut under load, and another goes silent', { timeout: 58_000 }, async () => {
  await using server = await TcpServer.greeting('hello');
  const [port, linkPort] = [await freePort(), await freePort()];
  await using proxy = await LinkProxy.start(linkPort);
  await using network = await Network.start({
    links: ring.slice(1),
    entities: {
      a: [tcpListener('greeting', port), ['connector', { name: 'b', role: 'inter-router', host: '127.0.0.1', port: proxy.port }]],
      b: [['listener', { name: 'proxied', role: 'inter-router', host: '127.0.0.1', port: linkPort }]],
      c: [tcpConnector('greeting', server.port)],
      d: [],
    },
  });
  for (const name of ['b', 'd']) await network.router(name).logged(/(link is up[^]*){2}/);
  await answering(port);

  const load = new RequestLoad(port, ratePerSecond);
  await runFor(500);
  const cutMs = performance.now();
  proxy.cut(true);
  await runFor(2000);
  const restoredMs = performance.now();
  const from = network.router('b').log.length;
  proxy.restore();
  await network.router('b').logged(/link is up/, 10_000, from);
  await runFor(2500);
  const silentMs = performance.now();
  proxy.silence();
  await runFor(silentRecoveryMs + 1000);
  await load.stop();

  const cut = outage(
    load.records.filter(({ startMs }) => startMs < restoredMs),
    cutMs,
  );
  report('link a-b cut', cut, load.records.filter(({ startMs }) => startMs < restoredMs).length);
  assertBounded(cut, recoveryMs);
  const healing = outage(
    load.records.filter(({ startMs }) => startMs >= restoredMs && startMs < silentMs - 100),
    restoredMs,
  );
  report('link a-b restored', healing, load.records.filter(({ startMs }) => startMs >= restoredMs && startMs < silentMs - 100).length);
  assert.equal(healing.lost, 0, 'a link that comes back costs no request');
  const silent = outage(load.records, silentMs);
  report('link a-b silent', silent, load.records.filter(({ startMs }) => startMs >= silentMs).length);
  assert.ok(silent.lastsMs < silentRecoveryMs, `requests begun ${Math.round(silent.lastsMs)} ms after the silence began were lost`);
});

test('a dead server is told at once, and a service port is open only while a connector is reachable', { timeout: 58_000 }, async () => {
  const port = await freePort();
  const serverPort = await freePort();
  await using network = await Network.start({
    links: [
      { from: 'a', to: 'b' },
      { from: 'c', to: 'b' },
    ],
    entities: { a: [tcpListener('greeting', port)], b: [], c: [tcpConnector('greeting', serverPort)] },
  });
  {
    await using _server = await TcpServer.greeting('hello', serverPort);
    assert.equal(await answering(port), 'hello');
  }
  const startMs = performance.now();
  await assert.rejects(ask(port, 'request'), { code: 'ECONNRESET' });
  const errorMs = performance.now() - startMs;
  console.log(`# the client of a dead server hears of it after ${Math.round(errorMs)} ms`);
  assert.ok(errorMs < 1000);
  assert.match(network.router('c').log, /connection to the server failed.*refused the connection/);

  await using _server = await TcpServer.greeting('hello again', serverPort);
  assert.equal(await ask(port, 'request'), 'hello again', 'the server is used again as soon as it is there');

  const killedMs = performance.now();
  await network.router('c').kill();
  await refusing(port);
  console.log(`# the port refuses ${Math.round(performance.now() - killedMs)} ms after the last connector went`);
  await network.router('c').run();
  assert.equal(await answering(port), 'hello again');
});
