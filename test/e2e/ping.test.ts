import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PingReported } from '../../src/supervisor/site-pings.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';
import { VanSandbox } from './van-sandbox.ts';

function answersIn(text: string): readonly PingReported[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as PingReported)
    .filter(({ type }) => type === 'answer');
}

test('sites and services are pinged over two hops, also while a link is cut', async () => {
  await using sandbox = await VanSandbox.make();
  const port = await freePort();
  await sandbox.done(`-n hub site create hub --enable-link-access --link-access-host 127.0.0.1 --link-access-port ${port}`);
  for (const name of ['east', 'west']) {
    await sandbox.done(`-n ${name} site create ${name}`);
    await sandbox.done(`-n hub token issue ${name}.yaml`);
    await sandbox.done(`-n ${name} token redeem ${name}.yaml --name to-hub`);
  }
  const server = createServer((socket) => socket.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await sandbox.done(`-n west connector create backend ${(server.address() as AddressInfo).port}`);
    await until('the service is known', async () => (await sandbox.van('-n east service status backend')).code === 0);
    const site = await sandbox.done('-n east ping west -c 2 --interval 100ms');
    assert.match(site, /^Pinging west \(by hub, cost 2\)\.\n#1 {2}west {2}[\d.]+ ms {2}relayed: hub [\d.]+ ms\n#2 /);
    assert.match(site, /\nwest: 2 sent, 2 answered, 0 % lost, min\/avg\/max .*\nHOP .*ADDS\n1 {4}hub .*\n2 {4}west .*\n$/);
    assert.match(await sandbox.done('-n hub ping west -c 1'), /#1 {2}west {2}[\d.]+ ms {2}direct\n/);
    assert.match(await sandbox.done('-n east ping backend -c 1'), /west: its server accepted a connection in [\d.]+ ms\n/);
  } finally {
    server.close();
  }
  const refused = await sandbox.van('-n east ping backend -c 1');
  assert.equal(refused.code, 1);
  assert.match(refused.out, /west: its server does not accept connections: the server refused the connection: nothing listens there\n/);
  const unknown = await sandbox.van('-n east ping wset');
  assert.equal(unknown.code, 2);
  assert.match(unknown.error, /'wset': is no site or service .*\n.*did you mean west\?/);
  assert.match((await sandbox.van('-n east ping west --interval 10ms')).error, /--interval: must be at least 100ms/);

  const child = spawn(
    join(import.meta.dirname, '../../van'),
    '-n east ping west -c 1000 --interval 100ms --timeout 500ms -o json'.split(' '),
    {
      env: { ...process.env, ...sandbox.environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
  try {
    await until('pings are answered', () => answersIn(told.slice(0, told.lastIndexOf('\n') + 1)).length >= 3);
    await sandbox.done('-n west link delete to-hub');
    await until('pings go nowhere', () => answersIn(told.slice(0, told.lastIndexOf('\n') + 1)).at(-1)?.outcome === 'no-way');
  } finally {
    child.kill('SIGINT');
  }
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 0);
  const answers = answersIn(told);
  assert.equal(answers[0]?.outcome, 'answered');
  const last = answers.at(-1);
  assert.deepEqual(
    last?.hops.map(({ name, outcome }) => [name, outcome]),
    [
      ['hub', 'answered'],
      ['west', 'no-way'],
    ],
  );
  const summary = JSON.parse(told.trimEnd().split('\n').at(-1) ?? '') as { type: string; sent: number; answered: number };
  assert.equal(summary.type, 'summary');
  assert.ok(summary.sent > summary.answered && summary.answered > 0);
});
