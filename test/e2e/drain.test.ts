import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Network, line, tcpConnector, tcpListener } from './network.ts';
import { freePort } from './ports.ts';
import { RecordedSocket, pattern } from './recorded-socket.ts';
import { RequestLoad, runFor } from './request-load.ts';
import { TcpServer, answering, ask, dial, refusing } from './tcp-peer.ts';

const pieceBytes = 50_000;
const pieces = 40;
const pieceMs = 50;
/** More than there are at these rates where nothing is wrong, and less than a busy machine piles up. */
const mostUnderWay = 20;

/** Sends for two seconds, then ends. */
async function sendSlowly(socket: Socket): Promise<void> {
  socket.resume();
  for (let piece = 0; piece < pieces && !socket.destroyed; piece++) {
    socket.write(pattern(pieceBytes, piece * pieceBytes));
    await sleep(pieceMs);
  }
  socket.end();
}

for (const [drained, side] of [
  ['near', 'clients'],
  ['far', 'servers'],
] as const) {
  test(`SIGTERM to the router at the ${side}: nothing new, what runs finishes, exit code 0`, { timeout: 58_000 }, async () => {
    await using slow = await TcpServer.start((socket) => void sendSlowly(socket));
    await using quick = await TcpServer.greeting('hello');
    const [slowPort, quickPort] = [await freePort(), await freePort()];
    await using network = await Network.start({
      links: line(['near', 'far']),
      tls: true,
      entities: {
        near: [tcpListener('slow', slowPort), tcpListener('quick', quickPort)],
        far: [tcpConnector('slow', slow.port), tcpConnector('quick', quick.port)],
      },
    });
    await answering(quickPort);
    const load = new RequestLoad(quickPort, 100, mostUnderWay);
    const streams: RecordedSocket[] = [];
    for (let index = 0; index < 20; index++) streams.push(new RecordedSocket(await dial(slowPort)));
    await runFor(300);

    const router = network.router(drained);
    const startMs = performance.now();
    router.signal('SIGTERM');
    // Each port closes for itself.
    await Promise.all([refusing(slowPort, 5000), refusing(quickPort, 5000)]);
    const refusedMs = performance.now() - startMs;
    await assert.rejects(ask(quickPort, 'request'), { code: 'ECONNREFUSED' });
    assert.ok(router.running, 'it lives as long as a stream runs');
    await load.stop();
    for (const stream of streams) stream.socket.end();
    await Promise.all(streams.map(({ ended }) => ended));
    for (const { receivedBytes, exact, events } of streams) {
      assert.equal(receivedBytes, pieces * pieceBytes);
      assert.ok(exact);
      assert.deepEqual(events, ['end']);
    }
    assert.deepEqual(await router.ended, { code: 0, signal: null });
    console.log(`# ${drained}: refuses after ${Math.round(refusedMs)} ms, ended after ${Math.round(performance.now() - startMs)} ms`);
    assert.doesNotMatch(network.router('near').log, /connection failed address="quick"/, 'whom the router took is served');
    const late = load.lost.filter((record) => record.startMs > startMs + refusedMs);
    assert.ok(late.every(({ error }) => error === 'ECONNREFUSED'));
    // The kernel resets whom it let in and the router had not taken: the more, the busier the machine is. When its own router leaves, the port
    // waits for a moment without any; when the last server leaves, whom it took then would have nobody to go to.
    const cut = load.lost.filter(({ error }) => error !== 'ECONNREFUSED');
    assert.deepEqual(new Set(cut.map(({ error }) => error)).difference(new Set(['ECONNRESET'])), new Set());
    if (drained === 'near') assert.ok(cut.length <= 2, `${cut.length} requests were reset`);
  });
}

test('streams that do not end are cut at the deadline, and the exit code is 0', { timeout: 58_000 }, async () => {
  await using server = await TcpServer.echo();
  const port = await freePort();
  await using network = await Network.start({
    links: line(['near', 'far']),
    entities: { near: [tcpListener('echo', port)], far: [tcpConnector('echo', server.port)] },
    parameters: ['--drain-timeout', '1s'],
  });
  await answering(port);
  const streams = await Promise.all(Array.from({ length: 5 }, async () => new RecordedSocket(await dial(port))));
  for (const stream of streams) {
    await stream.send(1000);
    await stream.received(1000);
  }
  const startMs = performance.now();
  network.router('near').signal('SIGTERM');
  await Promise.all(streams.map(({ closed }) => closed));
  const cutMs = performance.now() - startMs;
  assert.deepEqual(await network.router('near').ended, { code: 0, signal: null });
  const endedMs = performance.now() - startMs;
  console.log(`# cut after ${Math.round(cutMs)} ms, ended after ${Math.round(endedMs)} ms`);
  assert.ok(cutMs > 900 && cutMs < 3000);
  assert.ok(endedMs < 5000);
  for (const { events } of streams) assert.deepEqual(events, ['reset'], 'a stream that was cut does not look complete');
  assert.match(network.router('near').log, /connections cut off at the end of the drain time.*count=5/);
});

test('routers that are restarted one after the other cost no request', { timeout: 115_000 }, async () => {
  await using server = await TcpServer.greeting('hello');
  const port = await freePort();
  // a reaches both servers' sites, c and e, by b or by d.
  await using network = await Network.start({
    links: [
      { from: 'a', to: 'b' },
      { from: 'a', to: 'd', cost: 2 },
      { from: 'c', to: 'b' },
      { from: 'c', to: 'd', cost: 2 },
      { from: 'e', to: 'b' },
      { from: 'e', to: 'd', cost: 2 },
    ],
    entities: {
      a: [tcpListener('quick', port)],
      b: [],
      c: [tcpConnector('quick', server.port)],
      d: [],
      e: [tcpConnector('quick', server.port)],
    },
  });
  for (const name of ['b', 'd']) await network.router(name).logged(/(link is up[^]*){3}/);
  await answering(port);
  const load = new RequestLoad(port, 200, mostUnderWay);
  await runFor(500);
  for (const name of ['b', 'c', 'd', 'e', 'b']) {
    const router = network.router(name);
    const startMs = performance.now();
    router.signal('SIGTERM');
    assert.deepEqual(await router.ended, { code: 0, signal: null });
    const endedMs = performance.now() - startMs;
    const from = router.log.length;
    await router.run();
    await router.logged(name === 'b' || name === 'd' ? /(link is up[^]*){3}/ : /(link is up[^]*){2}/, 10_000, from);
    await runFor(500);
    console.log(
      `# ${name} ended ${Math.round(endedMs)} ms after SIGTERM; ${load.lost.length} of ${load.records.length} requests lost so far`,
    );
  }
  await load.stop();
  assert.ok(load.records.length > 200);
  assert.deepEqual(load.lost, []);
});
