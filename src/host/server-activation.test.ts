import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import type { Logger } from '../base/log.ts';
import { ServerActivation } from './server-activation.ts';

/** Waits until `condition` holds; the test's own time is the limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function recording(warnings: string[]): Logger {
  return { ...silentLogger, warn: (message, fields) => void warnings.push(`${message} ${String(fields?.['reason'])}`) };
}

test('a server is started by a POST, once at a time', { timeout: 20_000 }, async () => {
  const methods: (string | undefined)[] = [];
  const waiting: (() => void)[] = [];
  const server = createServer((request, response) => {
    methods.push(request.method);
    waiting.push(() => response.writeHead(methods.length === 1 ? 204 : 500).end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const warnings: string[] = [];
  const activation = new ServerActivation({ url: `http://127.0.0.1:${port}/start` }, recording(warnings));
  activation.activate();
  activation.activate();
  await until(() => waiting.length === 1);
  waiting.pop()?.();
  await until(() => {
    activation.activate();
    return waiting.length === 1;
  });
  waiting.pop()?.();
  await until(() => warnings.length > 0);
  assert.match(warnings[0] ?? '', /answered with 500/);
  assert.deepEqual(methods, ['POST', 'POST']);
  activation.stop();
  activation.activate();
  server.close();
  server.closeAllConnections();
});

test('a server is started by a command, whose failure is told', { timeout: 20_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'caravan-activation-'));
  try {
    const file = join(folder, 'started');
    const good = new ServerActivation({ command: `touch '${file}'` }, silentLogger);
    good.activate();
    await until(() => existsSync(file));
    const warnings: string[] = [];
    const bad = new ServerActivation({ command: 'echo no such unit >&2; exit 3' }, recording(warnings));
    bad.activate();
    await until(() => warnings.length > 0);
    assert.match(warnings[0] ?? '', /the command ended with 3: no such unit/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
