/** The rules of HTTP/2 one by one, as h2spec has them: skipped when it is not installed (`H2SPEC` names it, else it is looked for in PATH). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { h2specIsInstalled, runH2spec } from './h2spec-run.ts';
import { Relay } from './http2-relay.ts';

test('h2spec', { skip: !h2specIsInstalled() && 'h2spec is not installed', timeout: 120_000 }, async () => {
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => response.end('hello'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay = new Relay((server.address() as AddressInfo).port);
  await relay.start();
  const { summary, tests, failures } = await runH2spec(relay.port);
  await relay.stop();
  server.close();
  console.log(`# ${summary}`);
  assert.ok(tests >= 100, summary);
  assert.deepEqual(failures, []);
});
