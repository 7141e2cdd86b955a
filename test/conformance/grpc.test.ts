import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startEchoServer } from '../../examples/grpc/echo-service.ts';
import type { EchoServer } from '../../examples/grpc/echo-service.ts';
import { callOnce, calls, echoClient, until } from './grpc-calls.ts';
import type { Echo } from './grpc-calls.ts';
import { Relay } from './http2-relay.ts';

suite('gRPC through both ends of HTTP/2', () => {
  let server: EchoServer;
  let relay: Relay;
  let client: Echo;

  before(async () => {
    server = await startEchoServer(0);
    relay = new Relay(server.port);
    await relay.start();
    client = echoClient(relay.port);
  });

  after(async () => {
    client.close();
    await relay.stop();
    server.server.forceShutdown();
  });

  for (const [name, run] of Object.entries(calls)) test(name, () => run(client, server, relay.port));

  test('nothing is left behind', async () => {
    await until(() => relay.listener.requests === 0 && relay.pool.requests === 0);
    assert.equal(relay.pool.waiting, 0);
  });

  test('a server that ends gracefully, and comes back', async () => {
    const first = await startEchoServer(0);
    const own = new Relay(first.port);
    await own.start();
    const caller = echoClient(own.port);
    assert.equal((await callOnce(caller, Buffer.from('a'))).error, null);
    const ended = new Promise<void>((resolve) => first.server.tryShutdown(() => resolve()));
    await ended;
    const second = await startEchoServer(first.port);
    const { error, message } = await callOnce(caller, Buffer.from('b'));
    assert.equal(error, null);
    assert.equal(message?.toString(), 'b');
    caller.close();
    await own.stop();
    second.server.forceShutdown();
  });
});
