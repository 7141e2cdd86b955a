import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { DaemonRig, patienceMs, skipWithoutDaemons, within } from '../../examples/overlay/daemon-rig.ts';
import type { Pod } from '../../examples/overlay/pod.ts';

/** Connections by a service to a backend at a host that is silent: for a moment, and for good. */

const skip = skipWithoutDaemons();
const run = promisify(execFile);
const vpcs = [{ name: 'red', vni: 83, subnets: [{ name: 'front', id: 1, ipv4: '10.0.0.0/24', fixedIpv4: '10.0.0.128/25' }] }];
const address = '10.0.0.200';
/** Each backend gets some of so many connections. */
const connections = 12;
/** A host is given up after 10 s; whoever sends at that time waits as long again for the next try. */
const givenUpMs = 40_000;

let rig: DaemonRig;
let client: Pod;
const servers: Server[] = [];
/** Of both ends. */
const sockets: Socket[] = [];

before(async () => {
  if (skip !== false) return;
  rig = await DaemonRig.start({ prefix: 'cvsile', hosts: 2, vpcs });
  client = await rig.add(1, 'red', 'front');
  for (const [host, name] of [
    [1, 'near'],
    [2, 'far'],
  ] as const) {
    const pod = await rig.addLabelled({ app: 'web' }, host, 'red', 'front');
    // Says its name, and then what it hears.
    const answer = (socket: Socket): void => {
      sockets.push(socket.on('error', () => undefined));
      socket.write(name);
      socket.pipe(socket);
    };
    servers.push(await rig.tcp.listen(pod.namespace, 8080, answer));
  }
  const ports = [{ port: 80, targetPort: 8080 }];
  await rig.apply(1, { kind: 'OverlayService', name: 'web', spec: { vpc: 'red', addresses: [address], ports, selector: { app: 'web' } } });
});
after(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  await rig?.[Symbol.asyncDispose]();
});

interface Connection {
  readonly socket: Socket;
  readonly server: string;
  /** Codes of its errors. */
  readonly errors: (string | undefined)[];
}

async function heard(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, 'data', { signal: AbortSignal.timeout(patienceMs) })) as [Buffer];
  return bytes.toString();
}

async function connect(): Promise<Connection> {
  const socket = await rig.tcp.connect(client.namespace, address, 80);
  const errors: (string | undefined)[] = [];
  sockets.push(socket.on('error', ({ code }: NodeJS.ErrnoException) => errors.push(code)));
  return { socket, errors, server: await heard(socket) };
}

/** Who answers new connections. */
async function answering(): Promise<string> {
  const names = new Set<string>();
  for (let at = 0; at < connections; at++) {
    const { socket, server } = await connect();
    socket.destroy();
    names.add(server);
  }
  return [...names].toSorted().join();
}

async function connectToFar(): Promise<Connection> {
  let found: Connection | undefined;
  const isFound = await within(patienceMs, async () => {
    const one = await connect().catch(() => undefined);
    if (one?.server === 'far') found = one;
    else one?.socket.destroy();
    return found !== undefined;
  });
  assert.ok(isFound && found !== undefined, rig.logs());
  return found;
}

/** The far host has no link to the others. */
async function silent(): Promise<AsyncDisposable> {
  const [, far] = rig.network.hosts;
  assert.ok(far !== undefined);
  const set = (state: string): Promise<unknown> => run('ip', ['-n', far.namespace, 'link', 'set', far.uplink, state]);
  await set('down');
  return { [Symbol.asyncDispose]: async () => void (await set('up')) };
}

async function backends(): Promise<string> {
  const { services } = await rig.host(1).status();
  return services.map(({ ready, draining }) => `${ready} ready, ${draining} draining`).join();
}

test('a connection outlives a silence of its host, in which new ones go elsewhere', { skip, timeout: 60_000 }, async (context) => {
  assert.ok(await within(patienceMs, async () => (await answering().catch(() => '')) === 'far,near'), rig.logs());
  const connection = await connectToFar();
  {
    await using _ = await silent();
    const begunMs = performance.now();
    connection.socket.write('still');
    // Those that would go to the far host, which nobody knows to be silent yet, go elsewhere with the next SYN.
    const early = Promise.all(Array.from({ length: 4 }, connect));
    assert.ok(await within(patienceMs, async () => (await backends()) === '1 ready, 1 draining'), rig.logs());
    context.diagnostic(`the backend drains after ${Math.round(performance.now() - begunMs)} ms`);
    assert.equal(await answering(), 'near');
    assert.deepEqual([...new Set((await early).map(({ server }) => server))], ['near']);
  }
  assert.equal(await heard(connection.socket), 'still');
  assert.deepEqual(connection.errors, []);
  assert.ok(await within(patienceMs, async () => (await backends()) === '2 ready, 0 draining'), rig.logs());
  connection.socket.write('and on');
  assert.equal(await heard(connection.socket), 'and on');
  assert.ok(await within(patienceMs, async () => (await answering()) === 'far,near'), rig.logs());
  connection.socket.destroy();
});

test('when its host stays silent a connection is reset, and new ones are not', { skip, timeout: 120_000 }, async (context) => {
  const [busy, idle] = [await connectToFar(), await connectToFar()];
  await using _ = await silent();
  const begunMs = performance.now();
  busy.socket.write('lost');
  assert.ok(await within(givenUpMs, async () => (await backends()) === '1 ready, 0 draining'), rig.logs());
  context.diagnostic(`the backend is gone after ${Math.round(performance.now() - begunMs)} ms`);
  idle.socket.write('lost');
  assert.ok(await within(givenUpMs, () => idle.socket.destroyed && busy.socket.destroyed), rig.logs());
  context.diagnostic(`both connections are reset after ${Math.round(performance.now() - begunMs)} ms`);
  assert.deepEqual([busy.errors, idle.errors], [['ECONNRESET'], ['ECONNRESET']]);
  assert.equal(await answering(), 'near');
});
