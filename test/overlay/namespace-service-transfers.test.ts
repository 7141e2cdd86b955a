import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Pod } from '../../examples/overlay/pod.ts';
import { DaemonRig, patienceMs, skipWithoutDaemons, within } from '../../examples/overlay/daemon-rig.ts';

/** Much data through a service, in packets as large as the kernel makes them: to a backend elsewhere, here, and the client itself. */

const skip = skipWithoutDaemons();
const run = promisify(execFile);
const red = 82;
const vpcs = [
  {
    name: 'red',
    vni: red,
    subnets: [
      { name: 'front', id: 1, ipv4: '10.0.0.0/24', fixedIpv4: '10.0.0.128/25', ipv6: 'fd00::/64', fixedIpv6: 'fd00:0:0:0:8000::/65' },
    ],
  },
];
const addresses = ['10.0.0.200', 'fd00:0:0:0:8000::1'];
const transferBytes = 6 * 1024 * 1024;
const patience = { timeout: 60_000 };

let rig: DaemonRig;
let client: Pod;
let other: Pod;
const servers: Server[] = [];
/** Of both ends: one whose pod is gone would wait for hours. */
const sockets: Socket[] = [];

before(async () => {
  if (skip !== false) return;
  rig = await DaemonRig.start({ prefix: 'cvtran', hosts: 2, vpcs });
  client = await serve('client', 1);
  await serve('near', 1);
  other = await serve('far', 2);
});
after(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  await rig?.[Symbol.asyncDispose]();
});

/** A pod that says its role, a line, and sends back what it gets. */
async function serve(role: string, host: number): Promise<Pod> {
  const pod = await rig.addLabelled({ role }, host, 'red', 'front');
  const answer = (socket: Socket): void => {
    sockets.push(socket.on('error', () => {}));
    socket.write(`${role}\n`);
    socket.pipe(socket);
  };
  servers.push(await rig.tcp.listen(pod.namespace, 8080, answer), await rig.tcp.listen(pod.namespace, 8081, answer, '::'));
  return pod;
}

async function choose(role: string): Promise<void> {
  const ports = [
    { port: 80, targetPort: 8080 },
    { port: 81, targetPort: 8081 },
  ];
  await rig.apply(1, { kind: 'OverlayService', name: 'echo', spec: { vpc: 'red', addresses, ports, selector: { role } } });
  for (const address of addresses) {
    // All hosts hear of it within moments; until then nobody is there, or who was there before.
    const isReached = async (): Promise<boolean> => {
      const socket = await connect(address).catch(() => undefined);
      return socket !== undefined && (await echoed(socket, role, randomBytes(10))) === undefined;
    };
    assert.ok(await within(patienceMs, isReached), `${address}: ${rig.logs()}`);
  }
}

const portOf = (address: string): number => (address.includes(':') ? 81 : 80);
async function connect(address: string): Promise<Socket> {
  const socket = await rig.tcp.connect(client.namespace, address, portOf(address));
  sockets.push(socket);
  return socket;
}

/** Undefined when the data came back whole, from a pod of that role. */
async function echoed(socket: Socket, role: string, data: Uint8Array): Promise<string | undefined> {
  const failed = new Promise<string>((resolve) => socket.once('error', (error) => resolve(error.message)));
  const back = (async (): Promise<string | undefined> => {
    const hash = createHash('sha256');
    for await (const part of socket) hash.update(part as Uint8Array);
    return hash.digest('hex') === createHash('sha256').update(`${role}\n`).update(data).digest('hex') ? undefined : 'other octets';
  })().catch((error: Error) => error.message);
  socket.end(data);
  return Promise.race([failed, back]);
}

for (const role of ['far', 'near', 'client'])
  test(`${transferBytes} octets go to the backend ${role} and come back`, { skip, ...patience }, async (context) => {
    await choose(role);
    for (const address of addresses) {
      const before = await rig.counted(red, 'translated');
      assert.equal(await echoed(await connect(address), role, randomBytes(transferBytes)), undefined, address);
      context.diagnostic(`${address}: ${(await rig.counted(red, 'translated')) - before} packets`);
    }
  });

test('UDP to a port that the service does not have is refused at once', { skip, ...patience }, async () => {
  for (const address of addresses) {
    const ask = `exec 3<>/dev/udp/${address}/99 && echo a >&3 && read -t 20 <&3`;
    const { stderr } = await run('ip', ['netns', 'exec', client.namespace, 'bash', '-c', ask]).catch((error: { stderr: string }) => error);
    assert.match(stderr, /refused/, address);
  }
});

test('a connection whose backend is gone ends at once', { skip, ...patience }, async () => {
  await choose('far');
  const socket = await connect(addresses[0]!);
  assert.equal(String((await once(socket, 'data'))[0]), 'far\n');
  // Whatever the client's kernel has still to say may be answered with the reset, too: before the pod is gone altogether.
  const ended = new Promise<string>((resolve) => socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? '')));
  await rig.delete(other);
  const writing = setInterval(() => socket.write('b'), 100).unref();
  try {
    assert.match(await ended, /ECONNRESET|EPIPE/);
  } finally {
    clearInterval(writing);
    socket.destroy();
  }
});
