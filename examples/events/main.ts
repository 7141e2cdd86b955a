import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopSiteProcesses } from '../demo/run-processes.ts';
import { freePort } from '../demo/free-port.ts';

const launcher = join(import.meta.dirname, '../../van');
const host = '127.0.0.1';

const folder = await mkdtemp(join(tmpdir(), 'caravan-events-'));
const data = join(folder, 'data');
const runtime = join(folder, 'run');
await mkdir(runtime, { mode: 0o700 });
const environment = { ...process.env, XDG_DATA_HOME: data, XDG_RUNTIME_DIR: runtime };

/** Runs a command as it is typed, and shows what it prints. */
async function van(...words: readonly string[]): Promise<void> {
  console.log(`$ van ${words.map((word) => (word.includes(' ') ? `'${word}'` : word)).join(' ')}`);
  const child = spawn(launcher, words, { env: environment, cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`van ${words.join(' ')} ended with ${code}`);
}

/** A subscriber that ends after one message; resolves when it has. */
function subscribe(site: string): Promise<void> {
  const child = spawn(launcher, ['-n', site, 'subscribe', 'mc/prices', '--count', '1'], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => console.log(`${site} got: ${text.trim()}`));
  return once(child, 'close').then(() => undefined);
}

/** A server that takes orders. */
async function orderServer(name: string): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.end(`noted at ${name}`));
  });
  server.listen(0, host);
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): string {
  return String((server.address() as AddressInfo).port);
}

async function order(port: string): Promise<void> {
  console.log(`$ curl -d '{"order": 7}' http://${host}:${port}/`);
  const response = await fetch(`http://${host}:${port}/`, { method: 'POST', body: '{"order": 7}' });
  const parts = (await response.json()) as { site: string; body?: string; error?: { code: string } }[];
  for (const { site, body, error } of parts) console.log(`  ${site}: ${body ?? error?.code}`);
}

const servers: Server[] = [];
try {
  const linkPort = String(await freePort());
  await van('-n', 'hub', 'site', 'create', 'hub', '--enable-link-access', '--link-access-host', host, '--link-access-port', linkPort);
  for (const site of ['shop', 'office']) {
    await van('-n', site, 'site', 'create', site);
    await van('-n', 'hub', 'token', 'issue', `${site}.yaml`);
    await van('-n', site, 'token', 'redeem', `${site}.yaml`);
  }

  console.log('\n1. A message to whoever listens\n');
  const subscribers = [subscribe('office'), subscribe('hub')];
  await van('-n', 'shop', 'publish', 'mc/prices', 'apples 2.10', '--wait-for', '2');
  await Promise.all(subscribers);

  console.log('\n2. An HTTP request to every server\n');
  const port = String(await freePort());
  for (const site of ['office', 'hub']) {
    const server = await orderServer(site);
    servers.push(server);
    await van('-n', site, 'connector', 'create', 'orders', portOf(server), '--type', 'http', '--host', host, '--wait', 'configured');
  }
  await van('-n', 'shop', 'listener', 'create', 'orders', port, '--type', 'http', '--setting', 'event-channel=json', '--wait', 'ready');
  await order(port);
  console.log('One of the servers stops:');
  servers[0]?.closeAllConnections();
  servers[0]?.close();
  await order(port);
} finally {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await stopSiteProcesses(data);
  await rm(folder, { recursive: true, force: true });
}
