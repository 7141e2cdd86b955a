/** The rules of HTTP/2 one by one, as h2spec has them: skipped when it is not installed (`H2SPEC` names it, else it is looked for in PATH). */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Relay } from './http2-relay.ts';

const program = process.env['H2SPEC'] ?? 'h2spec';
const isInstalled = spawnSync(program, ['--version']).status === 0;

/**
 * What Node's HTTP/2 does otherwise, with its own server as well. Frames for a stream that is over are dropped without a word, dependencies of
 * streams are not looked at (RFC 9113 has none any more), an answer to a PING that was not sent ends the connection, as does a window of a
 * stream beyond its limit.
 */
const deviations: readonly string[] = [
  'closed: Sends a DATA frame after sending RST_STREAM frame',
  'closed: Sends a HEADERS frame after sending RST_STREAM frame',
  'closed: Sends a DATA frame',
  'closed: Sends a HEADERS frame',
  'Sends stream identifier that is numerically smaller than previous',
  'Sends PRIORITY frame that depend on itself',
  'Sends a PRIORITY frame with 0x0 stream identifier',
  'Sends a PING frame with ACK',
  'Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream',
];

test('h2spec', { skip: !isInstalled && 'h2spec is not installed', timeout: 120_000 }, async () => {
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => response.end('hello'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay = new Relay((server.address() as AddressInfo).port);
  await relay.start();
  const child = spawn(program, ['--host', '127.0.0.1', '--port', String(relay.port), '--timeout', '1'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  await once(child, 'close');
  await relay.stop();
  server.close();
  const [summary = ''] = /\d+ tests, .*/.exec(text) ?? [];
  console.log(`# ${summary}`);
  assert.match(summary, /^1\d\d tests/);
  const failures = new Set([...text.matchAll(/× \d+: (.*)/g)].map(([, name]) => (name ?? '').trim()));
  assert.deepEqual(
    [...failures].filter((name) => !deviations.includes(name)),
    [],
  );
});
