import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Pod } from '../../examples/overlay/pod.ts';
import { DaemonRig, skipWithoutDaemons, within, type RigResource } from '../../examples/overlay/daemon-rig.ts';
import { askDaemon } from '../../src/overlay-host/operator/operator-socket.ts';
import { pathOf } from '../../src/kernel/netlink/network-namespace.ts';

/** A service of a VPC, through real daemons and programs: two hosts, a backend at each, a client at the first. */

const skip = skipWithoutDaemons();
const run = promisify(execFile);
const red = 81;
const vpcs = [{ name: 'red', vni: red, subnets: [{ name: 'front', id: 1, ipv4: '10.0.0.0/24', fixedIpv4: '10.0.0.128/25' }] }];
const address = '10.0.0.200';
const web: RigResource = {
  kind: 'OverlayService',
  name: 'web',
  spec: { vpc: 'red', addresses: [address], ports: [{ port: 80, targetPort: 8080 }], selector: { app: 'web' } },
};
/** Connections of one look at who answers: of two, each answers some of so many. */
const connections = 40;

let rig: DaemonRig;
const servers: Server[] = [];
let client: Pod;
const backends: Pod[] = [];

before(async () => {
  if (skip !== false) return;
  rig = await DaemonRig.start({ prefix: 'cvserv', hosts: 2, vpcs });
  client = await rig.add(1, 'red', 'front');
  for (const host of [1, 2]) backends.push(await serve(host));
});
after(async () => {
  for (const server of servers) server.close();
  await rig?.[Symbol.asyncDispose]();
});

/** A pod that says its name to whoever connects. */
async function serve(host: number): Promise<Pod> {
  const pod = await rig.addLabelled({ app: 'web', host: String(host) }, host, 'red', 'front');
  servers.push(await rig.tcp.listen(pod.namespace, 8080, (socket) => socket.end(pod.name)));
  return pod;
}

/** What curl gets from the service; undefined when it gets nothing in that time. */
async function curl(from: Pod, seconds: number): Promise<string | undefined> {
  const command = ['netns', 'exec', from.namespace, 'curl', '-s', '--http0.9', '-m', String(seconds), `http://${address}/`];
  return run('ip', command).then(
    ({ stdout }) => stdout,
    () => undefined,
  );
}

/** Who answers connections to the service, and how often; '' counts those that failed. */
async function answers(count = connections, from: Pod = client): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (let at = 0; at < count; at++) {
    let name = '';
    try {
      const socket = await rig.tcp.connect(from.namespace, address, 80);
      for await (const part of socket.setEncoding('utf8')) name += part;
    } catch {
      name = '';
    }
    found.set(name, (found.get(name) ?? 0) + 1);
  }
  return found;
}

const namesOf = (pods: readonly Pod[]): string[] => pods.map(({ name }) => name).toSorted();
const answerOnly = (...pods: readonly Pod[]): Promise<boolean> =>
  within(20_000, async () => {
    const found = await answers(12);
    return [...found.keys()].toSorted().join() === namesOf(pods).join();
  });

test('a service that is written at one host is reached at another, and its backends share its connections', { skip }, async () => {
  await rig.apply(2, web);
  assert.ok(await answerOnly(...backends), rig.logs());
  const found = await answers(100);
  for (const { name } of backends) assert.ok((found.get(name) ?? 0) >= 25, JSON.stringify([...found]));
  assert.equal(found.get(''), undefined);
  const { resources } = (await askDaemon(rig.host(1).operatorSocket, { ask: 'resources' })) as {
    readonly resources: readonly { readonly kind: string; readonly status: object }[];
  };
  assert.deepEqual(resources.find(({ kind }) => kind === 'OverlayService')?.status, { origin: 'catalog', backends: 2, draining: 0 });
});

test('curl and ping reach it', { skip }, async () => {
  const said = await curl(client, 5);
  assert.ok(namesOf(backends).includes(said ?? ''), `curl got ${said ?? 'nothing'}`);
  assert.ok(await rig.reaches(client, address));
});

test('a backend that is a client too reaches the service', { skip }, async () => {
  const found = await answers(12, backends[0]);
  assert.deepEqual([...found.keys()].toSorted(), namesOf(backends));
});

test('a pod that is deleted gets no more connections, one that comes gets some', { skip }, async () => {
  const [first, second] = backends;
  assert.ok(first !== undefined && second !== undefined);
  await rig.delete(second);
  assert.deepEqual([...(await answers()).keys()], [first.name]);
  backends[1] = await serve(2);
  assert.ok(await answerOnly(...backends), rig.logs());
});

test('the daemon may go and come again: connections go on being made', { skip }, async () => {
  await rig.host(1).stop('SIGKILL');
  assert.deepEqual([...(await answers()).keys()].toSorted(), namesOf(backends));
  await rig.host(1).start();
  assert.deepEqual([...(await answers()).keys()].toSorted(), namesOf(backends));
});

test('a policy of the backends decides who reaches them by the service too', { skip }, async () => {
  const friend = await rig.addLabelled({ role: 'friend' }, 1, 'red', 'front');
  const peers = [{ from: [{ selector: { role: 'friend' } }], ports: [{ port: 8080 }] }];
  await rig.apply(2, { kind: 'OverlayPolicy', name: 'web', spec: { vpc: 'red', selector: { app: 'web' }, ingress: peers } });
  assert.ok(await within(10_000, async () => (await curl(client, 1)) === undefined), rig.logs());
  const found = await answers(12, friend);
  assert.deepEqual([...found.keys()].toSorted(), namesOf(backends));
  await rig.deleteResource(1, 'OverlayPolicy', 'web');
  assert.ok(await answerOnly(...backends), rig.logs());
  await rig.delete(friend);
});

test('a host that dies is left out, and comes back', { skip }, async () => {
  const [namespace] = rig.network.hosts.filter(({ number }) => number === 2);
  assert.ok(namespace !== undefined);
  const set = (state: string): Promise<unknown> => run('ip', ['-n', namespace.namespace, 'link', 'set', namespace.uplink, state]);
  await set('down');
  try {
    assert.ok(await answerOnly(backends[0]!), rig.logs());
  } finally {
    await set('up');
  }
  assert.ok(await answerOnly(...backends), rig.logs());
});

test('without backends a connection is refused at once', { skip }, async () => {
  await rig.apply(1, { ...web, spec: { ...web.spec, selector: { app: 'nobody' } } });
  assert.ok(
    await within(10_000, async () => {
      const begun = performance.now();
      const found = await answers(1);
      return found.has('') && performance.now() - begun < 1000;
    }),
  );
});

test('a service that is deleted is no address any more', { skip }, async () => {
  await rig.apply(1, web);
  assert.ok(await answerOnly(...backends));
  await rig.deleteResource(2, 'OverlayService', 'web');
  assert.ok(await within(10_000, async () => (await rig.host(1).status()).endpoints.length > 0 && (await curl(client, 1)) === undefined));
});

test('an endpoint that loses its labels keeps its connections, and gets no new ones; both families', { skip }, async () => {
  const namespace = rig.network.makeNamespace('api');
  const endpoint = (labels: Readonly<Record<string, string>>): RigResource => ({
    kind: 'Endpoint',
    name: 'api',
    labels,
    spec: { subnet: 'green', host: rig.host(2).name, netns: pathOf(namespace) },
  });
  const addresses = ['10.250.0.1', 'fd00:250::1'];
  await rig.apply(
    1,
    { kind: 'VPC', name: 'green', spec: { prefixes: ['10.0.0.0/8', 'fd00::/16'] } },
    { kind: 'Subnet', name: 'green', spec: { vpc: 'green', prefixes: ['10.0.0.0/24', 'fd00::/64'] } },
    endpoint({ app: 'api' }),
    { kind: 'OverlayService', name: 'api', spec: { vpc: 'green', addresses, ports: [{ port: 80 }], selector: { app: 'api' } } },
  );
  const from = await rig.add(1, 'green', 'green');
  const other = await rig.addLabelled({ app: 'api' }, 1, 'green', 'green');
  assert.ok(
    await within(10_000, async () => (await rig.host(2).status()).endpoints.some(({ labels }) => labels['app'] === 'api')),
    rig.logs(),
  );
  for (const [at, name] of [namespace, other.namespace].entries()) {
    const echo = (socket: Socket): void => {
      socket.on('error', () => undefined);
      socket.write(String(at));
      socket.on('data', (bytes: Buffer) => socket.write(bytes));
    };
    for (const any of ['0.0.0.0', '::']) servers.push(await rig.tcp.listen(name, any === '::' ? 81 : 80, echo, any));
  }
  await rig.apply(1, {
    kind: 'OverlayService',
    name: 'api',
    spec: {
      vpc: 'green',
      addresses,
      ports: [{ port: 80 }, { port: 81 }],
      selector: { app: 'api' },
    },
  });
  const open = async (to: string, port: number): Promise<{ readonly socket: Socket; readonly server: string }> => {
    const socket = await rig.tcp.connect(from.namespace, to, port);
    socket.on('error', () => undefined);
    return { socket, server: await heard(socket) };
  };
  for (const [to, port] of [
    [addresses[0]!, 80],
    [addresses[1]!, 81],
  ] as const) {
    await rig.apply(1, endpoint({ app: 'api' }));
    let kept: Socket | undefined;
    assert.ok(
      await within(15_000, async () => {
        const opened = await open(to, port).catch(() => undefined);
        if (opened?.server === '0') kept = opened.socket;
        else opened?.socket.destroy();
        return kept !== undefined;
      }),
      rig.logs(),
    );
    await rig.apply(2, endpoint({}));
    assert.ok(
      await within(15_000, async () => {
        const opened = await Promise.all(Array.from({ length: 10 }, () => open(to, port)));
        for (const { socket } of opened) socket.destroy();
        return opened.every(({ server }) => server === '1');
      }),
      rig.logs(),
    );
    kept?.write('still');
    assert.equal(await heard(kept!), 'still');
    kept?.destroy();
  }
});

async function heard(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, 'data', { signal: AbortSignal.timeout(5000) })) as [Buffer];
  return bytes.toString();
}
