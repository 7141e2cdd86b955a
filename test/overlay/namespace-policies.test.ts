import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import type { Server, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { DaemonRig, skipWithoutDaemons, within, type RigResource } from '../../examples/overlay/daemon-rig.ts';
import type { Pod } from '../../examples/overlay/pod.ts';
import { PodSockets } from '../../examples/overlay/pod-socket.ts';
import { loadSocketCalls } from '../../src/kernel/netlink/socket-calls.ts';
import { sendSegmented } from './segmented-datagrams.ts';

/** Policies of a VPC, through real daemons and programs: two hosts, and pods that may and may not. */

const skip = skipWithoutDaemons();
const run = promisify(execFile);
const red = 91;
const blue = 92;
const vpc = (name: string, vni: number, peer: string, prefixes: readonly string[]): RigResource => ({
  kind: 'VPC',
  name,
  spec: { vni, prefixes, peers: [peer], dns: 'off' },
});
const subnet = (name: string, of: string, id: number): RigResource => ({
  kind: 'Subnet',
  name,
  spec: { vpc: of, prefixes: [`10.0.${id}.0/24`, `fd00:0:0:${id}::/64`], fixed: [`10.0.${id}.128/25`] },
});
const networks = [
  vpc('red', red, 'blue', ['10.0.1.0/24', '10.0.2.0/24', 'fd00:0:0:1::/64', 'fd00:0:0:2::/64']),
  vpc('blue', blue, 'red', ['10.0.3.0/24', 'fd00:0:0:3::/64']),
  subnet('front', 'red', 1),
  subnet('back', 'red', 2),
  subnet('far', 'blue', 3),
];
const open = 8080;
const closed = 9090;
const patienceMs = 20_000;

let rig: DaemonRig;
const servers: Server[] = [];
const sockets: Socket[] = [];
let web: Pod;
/** At the host of `web` and at the other one, there in the other subnet. */
let friends: readonly Pod[];
let strangers: readonly Pod[];

before(async () => {
  if (skip !== false) return;
  rig = await DaemonRig.start({ prefix: 'cvpol', hosts: 2, vpcs: [] });
  await rig.apply(1, ...networks);
  web = await serve('web', 1, 'front');
  friends = [await serve('friend', 1, 'front'), await serve('friend', 2, 'back')];
  strangers = [await serve('stranger', 1, 'front'), await serve('stranger', 2, 'back')];
});
after(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  await rig?.[Symbol.asyncDispose]();
});

/** A pod that sends back what it gets, at two ports. */
async function serve(app: string, host: number, where: string, of = 'red'): Promise<Pod> {
  const pod = await rig.addLabelled({ app }, host, of, where);
  const echo = (socket: Socket): void => void sockets.push(socket.on('error', () => undefined).on('data', (data) => socket.write(data)));
  for (const port of [open, closed]) {
    servers.push(await rig.tcp.listen(pod.namespace, port, echo), await rig.tcp.listen(pod.namespace, port, echo, pod.ipv6));
  }
  return pod;
}

/** Whether a connection is made before its SYN is sent a second time. */
async function connects(from: Pod, to: string, port: number): Promise<boolean> {
  const connect = ['timeout', '0.8', 'bash', '-c', `exec 3<>/dev/tcp/${to}/${port}`];
  return run('ip', ['netns', 'exec', from.namespace, ...connect]).then(
    () => true,
    () => false,
  );
}

/** Whether each of them is reached by each way, or none. */
async function expectReach(from: readonly Pod[], to: Pod | string, port: number, expected: boolean): Promise<void> {
  const ways = from.flatMap((pod) => (typeof to === 'string' ? [to] : [to.address, to.ipv6]).map((address) => ({ pod, address })));
  const isAs = ({ pod, address }: (typeof ways)[number]): Promise<boolean> =>
    within(patienceMs, async () => (await connects(pod, address, port)) === expected);
  const found = await Promise.all(ways.map(isAs));
  for (const [at, { pod, address }] of ways.entries()) assert.ok(found[at], `${pod.name} ${address} ${rig.logs()}`);
}

const policy = (name: string, spec: object): RigResource => ({
  kind: 'OverlayPolicy',
  name,
  spec: { vpc: 'red', ...spec },
});
const friendsOnly = policy('web', {
  selector: { app: 'web' },
  ingress: [{ from: [{ selector: { app: 'friend' } }], ports: [{ port: open }, { protocol: 'icmp' }] }],
});
const nobody = policy('web', { selector: { app: 'web' } });

test('without policies everybody is reached', { skip }, async () => {
  await expectReach([...friends, ...strangers], web, open, true);
  for (const pod of [...friends, ...strangers]) assert.ok(await rig.reaches(pod, web.address));
});

test('who may come in is allowed at the ports that are named, others are not', { skip }, async () => {
  await rig.apply(2, friendsOnly);
  await expectReach(strangers, web, open, false);
  await expectReach(friends, web, open, true);
  await expectReach(friends, web, closed, false);
  for (const pod of friends) assert.ok(await rig.reaches(pod, web.address));
  for (const pod of strangers) assert.equal(await rig.reaches(pod, web.address, 300), false);
  assert.ok((await rig.counted(red, 'policy')) > 0);
});

test('what is restricted in coming in may go out, and is answered', { skip }, async () => {
  for (const pod of strangers) await expectReach([web], pod, closed, true);
});

test('a pod that comes is subject to the policies, as client and as server', { skip }, async () => {
  const newcomer = await rig.addLabelled({ app: 'stranger' }, 2, 'red', 'front');
  const friend = await rig.addLabelled({ app: 'friend', level: '2' }, 2, 'red', 'front');
  const server = await serve('web', 2, 'back');
  await expectReach([friend], web, open, true);
  await expectReach([newcomer], web, open, false);
  await expectReach([friend, friends[0]!], server, open, true);
  await expectReach([newcomer, strangers[0]!], server, open, false);
});

test('a connection is cut when its policy is revoked, and goes on when it is allowed again', { skip }, async () => {
  const talks = await Promise.all(friends.map((friend) => Talk.with(friend)));
  for (const talk of talks) assert.ok(await talk.isAnswered(patienceMs));
  await rig.apply(2, nobody);
  await expectReach(friends, web.address, open, false);
  assert.deepEqual(await Promise.all(talks.map((talk) => talk.isAnswered(1500))), [false, false]);
  const before = talks.map(({ got }) => got);
  await rig.apply(2, friendsOnly);
  // The octet that was not let through comes after all.
  assert.ok(await within(patienceMs, () => talks.every(({ got }, at) => got > before[at]!)));
});

/** A connection to the port that is open. */
class Talk {
  readonly #socket: Socket;
  /** Octets that came back. */
  got = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    sockets.push(socket.on('error', () => undefined).on('data', (data: Buffer) => (this.got += data.length)));
  }

  static async with(pod: Pod): Promise<Talk> {
    return new Talk(await rig.tcp.connect(pod.namespace, web.address, open));
  }

  async isAnswered(timeoutMs: number): Promise<boolean> {
    const before = this.got;
    this.#socket.write('x');
    return within(timeoutMs, () => this.got > before);
  }
}

test('who may send to some is let out to them alone, also before it is known where they are', { skip }, async () => {
  await rig.apply(
    1,
    friendsOnly,
    policy('friends', { selector: { app: 'friend' }, policyTypes: ['Egress'], egress: [{ to: [{ selector: { app: 'web' } }] }] }),
  );
  for (const pod of strangers) await expectReach(friends, pod, open, false);
  await expectReach(friends, web, open, true);
  // Nobody has spoken with it, and it is in another subnet than one of them.
  const server = await serve('web', 2, 'front');
  await expectReach(friends, server, open, true);
  // What comes from others is answered.
  for (const pod of friends) await expectReach(strangers, pod, open, true);
});

test('datagrams that the kernel cuts later arrive, each with who sends it', { skip }, async () => {
  await rig.apply(
    1,
    policy('web', {
      selector: { app: 'web' },
      ingress: [{ from: [{ selector: { app: 'friend' } }], ports: [{ protocol: 'udp', port: open }] }],
    }),
  );
  const server = await rig.addLabelled({ app: 'web' }, 2, 'red', 'front');
  const calls = loadSocketCalls();
  const socket = await new PodSockets(calls).openUdp(server.namespace, open);
  let datagrams = 0;
  socket.on('message', (message) => void (datagrams += message.length === 1000 ? 1 : 0));
  try {
    // The first ones ask an owner who that is: the sender may speak with few. None of them is answered.
    for (const wanted of [20, 40, 60]) {
      sendSegmented(calls, friends[0]!.namespace, { address: server.address, port: open }, { times: 1, bytes: 20_000, segmentBytes: 1000 });
      assert.ok(await within(patienceMs, () => datagrams === wanted), `${datagrams} datagrams of ${wanted} ${rig.logs()}`);
    }
    sendSegmented(calls, strangers[0]!.namespace, { address: server.address, port: open }, { times: 1, bytes: 20_000, segmentBytes: 1000 });
    await sleep(300);
    assert.equal(datagrams, 60);
  } finally {
    socket.close();
  }
});

test('behind a service the backend and its port count', { skip }, async () => {
  const address = '10.0.1.200';
  await rig.apply(1, friendsOnly, {
    kind: 'OverlayService',
    name: 'web',
    spec: { vpc: 'red', addresses: [address], ports: [{ port: 80, targetPort: open }], selector: { app: 'web' } },
  });
  await expectReach(friends, address, 80, true);
  await expectReach(strangers, address, 80, false);
});

test('of a peer those are meant that a rule names by prefix', { skip }, async () => {
  const peers = [await serve('friend', 1, 'far', 'blue'), await serve('friend', 2, 'far', 'blue')];
  await expectReach(peers, web, open, false);
  const prefixes = ['10.0.3.0/24', 'fd00:0:0:3::/64'].map((prefix) => ({ prefix }));
  await rig.apply(1, policy('web', { selector: { app: 'web' }, ingress: [{ from: prefixes }] }));
  await expectReach(peers, web, open, true);
  // They may send to some of red alone, and what is asked of the owner is asked of red's.
  const some = ['10.0.2.0/24', 'fd00:0:0:2::/64'].map((prefix) => ({ prefix }));
  await rig.apply(2, policy('peers', { vpc: 'blue', policyTypes: ['Egress'], egress: [{ to: some }] }));
  await expectReach(peers, web, open, false);
  await expectReach(peers, strangers[1]!, open, true);
  await rig.deleteResource(1, 'OverlayPolicy', 'peers');
});

test('when the policies are gone everybody is reached again', { skip }, async () => {
  await rig.deleteResource(2, 'OverlayPolicy', 'web');
  await rig.deleteResource(1, 'OverlayPolicy', 'friends');
  await expectReach([...friends, ...strangers], web, closed, true);
  for (const pod of strangers) await expectReach(friends, pod, open, true);
});
