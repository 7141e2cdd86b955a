import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadSocketCalls } from '../../src/kernel/netlink/socket-calls.ts';
import { DemoHost, siteName } from './host.ts';
import { MovesShown } from './moving.ts';
import { DemoNetwork, ip } from './network.ts';
import { firstOwner } from './owners.ts';
import { Pinger } from './ping.ts';
import { Plugin, type Pod } from './pod.ts';
import { PodSockets } from './pod-socket.ts';
import { objectFileOf, pluginOf } from './requirements.ts';
import { quantile, Results } from './results.ts';
import { ServicesShown } from './services.ts';
import { makeTrust } from './trust.ts';
import { within } from './within.ts';

const hostCount = 3;
const members = [1, 2, 3];
const red = { name: 'red', vni: 101, front: 1 };
const blue = { name: 'blue', vni: 102, front: 4 };
/** Both tenants have all of these addresses. */
const vpcs = [red, blue].map(({ name, vni, front }) => ({
  name,
  vni,
  subnets: [
    { name: 'front', id: front, ipv4: '10.0.0.0/24', fixedIpv4: '10.0.0.128/25', ipv6: 'fd00:0:0:1::/64' },
    { name: 'back', id: front + 1, ipv4: '10.0.1.0/24' },
    { name: 'many', id: front + 2, ipv4: '10.0.2.0/24' },
  ],
}));
const inARow = 40;
/** Of an underlay with 1500. */
const podMtu = 1418;
const ipv4AndIcmpBytes = 28;
const steadyMs = 5;
const reachTimeoutMs = 5000;
/**
 * What is expected must hold on a machine that is slow and busy, too: what is measured is told as a figure. Three probes take 400 ms.
 */
const stallLimitMs = 5000;
const moreAtMost = 40;

/** One run: what it made, and what it shows. */
export class Demonstration implements AsyncDisposable {
  readonly results: Results;
  readonly #print: (line: string) => void;
  readonly #folder: string;
  readonly #project: string;
  readonly #network: DemoNetwork;
  readonly #sockets = new PodSockets(loadSocketCalls());
  readonly #plugin: Plugin;
  readonly #hosts: DemoHost[] = [];
  readonly #pingers: Pinger[] = [];
  readonly #pods: Pod[] = [];

  constructor(options: {
    readonly folder: string;
    /** This project's folder. */
    readonly project: string;
    /** Of the names of all namespaces. */
    readonly prefix: string;
    readonly print: (line: string) => void;
  }) {
    this.#folder = options.folder;
    this.#project = options.project;
    this.#print = options.print;
    this.results = new Results(options.print);
    this.#plugin = new Plugin(pluginOf(options.project));
    this.#network = new DemoNetwork(options.prefix, objectFileOf(options.project));
  }

  async run(): Promise<void> {
    await this.#setUp();
    const [client, server] = await this.#tenants();
    await this.#direct();
    await this.#services();
    await this.#inARow(client);
    await this.#move(client);
    await this.#anew(client);
    await this.#ownerKilled(client, server);
    await this.#daemonKilled(client, server);
    await this.#cleanUp();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pinger of this.#pingers) pinger.close();
    for (const host of this.#hosts) await host.remove().catch(() => false);
    await this.#network[Symbol.asyncDispose]();
  }

  /** What the daemons wrote, for when something is missed. */
  logs(): string {
    return this.#hosts.map((host) => `--- ${host.name}\n${host.log().slice(-4000)}`).join('\n');
  }

  async #setUp(): Promise<void> {
    this.#print('Three hosts as network namespaces, a switch, two tenants with the same addresses');
    await this.#network.build(hostCount);
    const { hosts } = this.#network;
    await makeTrust(join(this.#folder, 'trust'), hosts.map(siteName));
    for (const namespace of hosts) {
      this.#hosts.push(new DemoHost({ namespace, all: hosts, folder: this.#folder, project: this.#project, vpcs }));
    }
    await Promise.all(this.#hosts.map((host) => host.start()));
    const isComplete = async (): Promise<boolean> => {
      const statuses = await Promise.all(this.#hosts.map((host) => host.status()));
      return statuses.every(({ connected }) => connected.length === hostCount - 1);
    };
    const connected = await within(10_000, isComplete);
    this.results.expect('the daemons are connected by mutual TLS', connected, connected ? 'each with the two others' : 'not all');
  }

  /** Two tenants with the same addresses, each with a client at host 1 and a server at host 2. */
  async #tenants(): Promise<[client: Pod, server: Pod]> {
    this.#print('\nTwo tenants, the same addresses');
    // The third host is asked where these are, so that it can be seen what passes there.
    const [clientAddress = '', serverAddress = ''] = addressesOwnedBy(3, red.vni, red.front);
    const pods: Record<string, Pod> = {};
    for (const tenant of [red, blue]) {
      pods[`${tenant.name} client`] = await this.#add(1, tenant.name, 'front', [clientAddress]);
      pods[`${tenant.name} server`] = await this.#add(2, tenant.name, 'front', [serverAddress]);
    }
    const back = await this.#add(3, 'red', 'back');
    const local = await this.#add(1, 'red', 'back');
    const onlyBlue = await this.#add(2, 'blue', 'front');
    const client = pods['red client']!;
    const server = pods['red server']!;

    await this.#expectReached('red: ping within a subnet, to another host', client, server.address);
    await this.#expectReached('blue: ping between the same two addresses', pods['blue client']!, server.address);
    await this.#expectReached('red: ping to another subnet, at another host', client, back.address);
    await this.#expectReached('red: ping to another subnet, at the same host', client, local.address);
    await this.#expectReached('red: ping over IPv6', client, server.ipv6);
    await this.#expectReached(`red: ping of ${podMtu} octets, the most that fits`, client, server.address, podMtu - ipv4AndIcmpBytes);
    await this.#sameFiveTuple(pods, clientAddress, serverAddress);
    await this.#refused(client, onlyBlue);
    return [client, server];
  }

  /** One datagram from the same port to the same port, in both tenants at once: each gets the answer of its own server. */
  async #sameFiveTuple(pods: Readonly<Record<string, Pod>>, clientAddress: string, serverAddress: string): Promise<void> {
    const exchanges = [red, blue].map(async ({ name }) => {
      const server = await this.#sockets.openUdp(pods[`${name} server`]!.namespace, 7000);
      const client = await this.#sockets.openUdp(pods[`${name} client`]!.namespace, 5000);
      server.on('message', (_, from) => server.send(`${name}, to ${from.address}:${from.port}`, from.port, from.address));
      const heard = once(client, 'message', { signal: AbortSignal.timeout(reachTimeoutMs) }) as Promise<[Buffer]>;
      client.send('who are you?', 7000, serverAddress);
      const [answer] = await heard.catch((): [Buffer] => [Buffer.from('nothing')]);
      client.close();
      server.close();
      return answer.toString();
    });
    const answers = await Promise.all(exchanges);
    const expected = [red, blue].map(({ name }) => `${name}, to ${clientAddress}:5000`);
    this.results.expect('the same 5-tuple in both tenants at once', answers.join() === expected.join(), answers.join(' | '));
  }

  /** An address that only the other tenant has. */
  async #refused(from: Pod, other: Pod): Promise<void> {
    const before = await this.#countedEverywhere(red.vni, 'noEndpoint');
    const pinger = await this.#pinger(from, other.address);
    const reached = await pinger.reach(1000, 20);
    const dropped = (await this.#countedEverywhere(red.vni, 'noEndpoint')) - before;
    this.results.expect(
      `red: ping to ${other.address}, which only blue has, is refused`,
      !reached && dropped > 0,
      `${pinger.sent - pinger.lost} of ${pinger.sent} answered, ${dropped} dropped as noEndpoint`,
    );
  }

  /** What the owner of both addresses sees of two that have never spoken. */
  async #direct(): Promise<void> {
    this.#print('\nStraight from host to host');
    const [, , first = '', second = ''] = addressesOwnedBy(3, red.vni, red.front);
    const owner = this.#host(3);
    const from = await this.#add(1, 'red', 'front', [first]);
    const to = await this.#add(2, 'red', 'front', [second]);
    const reasons = ['answered', 'relayed', 'delivered'] as const;
    const before = await Promise.all(reasons.map((reason) => owner.counted(red.vni, reason)));
    const pinger = await this.#pinger(from, to.address);
    const pings = 200;
    for (let sent = 0; sent < pings; sent++) {
      pinger.send();
      await sleep(2);
    }
    await pinger.settle();
    const after = await Promise.all(reasons.map((reason) => owner.counted(red.vni, reason)));
    const [answered = 0, relayed = 0, delivered = 0] = after.map((count, at) => count - (before[at] ?? 0));
    this.results.expect(
      'the owner of both addresses answers at most two neighbour requests, and sees none of the data',
      pinger.lost === 0 && relayed === 0 && delivered === 0 && answered >= 1 && answered <= 2,
      `${pings} pings, ${pinger.lost} lost; at the owner ${answered} requests, ${relayed + delivered} data packets`,
    );
    this.results.figure('pingMedianMs', pinger.medianRoundTripMs);
  }

  async #services(): Promise<void> {
    using shown = new ServicesShown({
      results: this.results,
      print: this.#print,
      vni: red.vni,
      host: (number) => this.#host(number),
      addLabelled: (labels, hostNumber, vpc, subnet) => this.#add(hostNumber, vpc, subnet, [], labels),
      remove: (pod) => this.#plugin.delete(pod),
      pinger: (from, address) => this.#pinger(from, address),
    });
    await shown.show();
  }

  /** From the start of the plugin to the first answered ping, one after the other. */
  async #inARow(client: Pod): Promise<void> {
    this.#print(`\n${inARow} endpoints in a row`);
    const puts = async (): Promise<number> =>
      (await Promise.all(this.#hosts.map((host) => host.status()))).reduce((sum, { calls }) => sum + (calls['put'] ?? 0), 0);
    // Each host has a block of the subnet before it is counted: that is asked for once in 16 pods, ahead of time.
    for (const number of members) await this.#add(number, 'red', 'many');
    await sleep(300);
    this.results.figure('pluginAloneP50Ms', quantile(await this.#timesOfVersion(client), 0.5));
    const before = await puts();
    const added: number[] = [];
    const reached: number[] = [];
    let missed = 0;
    for (let number = 0; number < inARow; number++) {
      const name = `row${number}`;
      const namespace = this.#network.makeNamespace(name);
      const startMs = performance.now();
      const pod = await this.#plugin.add({ name, namespace, host: this.#host(1 + (number % hostCount)), vpc: 'red', subnet: 'many' });
      added.push(performance.now() - startMs);
      this.#pods.push(pod);
      const pinger = await this.#pinger(pod, client.address);
      if (await pinger.reach(reachTimeoutMs)) reached.push(performance.now() - startMs);
      else missed++;
    }
    const calls = (await puts()) - before;
    for (const [name, values] of [
      ['add', added],
      ['addToFirstAnswer', reached],
    ] as const) {
      this.results.figure(`${name}P50Ms`, quantile(values, 0.5));
      this.results.figure(`${name}P99Ms`, quantile(values, 0.99));
    }
    const { addToFirstAnswerP50Ms, addToFirstAnswerP99Ms } = this.results.figures;
    this.results.expect(
      'each answers a ping across subnets',
      missed === 0,
      `${reached.length} of ${inARow}; from ADD to the first answer p50 ${addToFirstAnswerP50Ms} ms, p99 ${addToFirstAnswerP99Ms} ms`,
    );
    this.results.expect('two calls for each, one to each owner', calls === 2 * inARow, `${calls} calls for ${inARow} endpoints`);
  }

  /** What the plugin takes that asks nobody: the start of a process, its input and its output. */
  async #timesOfVersion(pod: Pod): Promise<number[]> {
    const times: number[] = [];
    for (let number = 0; number < inARow; number++) {
      const startMs = performance.now();
      await this.#plugin.call('VERSION', pod);
      times.push(performance.now() - startMs);
    }
    return times;
  }

  async #move(client: Pod): Promise<void> {
    using shown = new MovesShown({
      results: this.results,
      print: this.#print,
      vni: red.vni,
      host: (number) => this.#host(number),
      sockets: this.#sockets,
      add: (hostNumber, addresses = [], prepare) => this.#add(hostNumber, 'red', 'front', addresses, {}, prepare),
      remove: (pod) => this.#plugin.delete(pod),
      pinger: (from, address) => this.#pinger(from, address),
    });
    await shown.show(client);
  }

  /** Deleted at one host and made at another, as a scheduler does. */
  async #anew(client: Pod): Promise<void> {
    const address = addressesOwnedBy(3, red.vni, red.front).at(-1) ?? '';
    const before = await this.#add(2, 'red', 'front', [address]);
    const pinger = await this.#pinger(client, address);
    const isThere = await pinger.reach(reachTimeoutMs);
    await this.#plugin.delete(before);
    const startMs = performance.now();
    await this.#add(3, 'red', 'front', [address]);
    const isBack = await pinger.reach(reachTimeoutMs);
    this.results.expect(
      'a pod that is deleted and made at another host with the same address is reached there',
      isThere && isBack,
      isBack ? `answered ${(performance.now() - startMs).toFixed(1)} ms after ADD began` : 'no answer',
    );
  }

  /** Pods at host 1 that this host is asked about first; where addresses fall is a matter of luck, so more are added until there are two. */
  async #podsOwnedBy(owner: number): Promise<Pod[]> {
    const owned = (): Pod[] =>
      this.#pods.filter(
        ({ subnet, host, address }) =>
          subnet === 'many' && host.hostId === 1 && firstOwner(red.vni, red.front + 2, members, address) === owner,
      );
    for (let added = 0; owned().length < 2 && added < moreAtMost; added++) await this.#add(1, 'red', 'many');
    return owned();
  }

  /** A host goes off the network: the traffic of two others, both of whose addresses it owns, and what they ask about first. */
  async #ownerKilled(client: Pod, server: Pod): Promise<void> {
    this.#print('\nA host dies that owns addresses of others');
    const dead = this.#host(3);
    const [first, second] = await this.#podsOwnedBy(3);
    if (first === undefined || second === undefined) {
      this.results.expect('there are addresses that the host owns', false, 'not two');
      return;
    }
    const direct = await this.#pinger(client, server.address);
    await direct.reach(reachTimeoutMs);
    {
      using _traffic = direct.steadily(steadyMs);
      await sleep(200);
      await ip(dead.namespace, 'link set u down');
      const killedMs = performance.now();
      // Never spoken to from there: each packet goes by the owner, until the way is known.
      const reached = await (await this.#pinger(server, first.address)).reach(reachTimeoutMs);
      const recoveryMs = performance.now() - killedMs;
      this.results.figure('ownerRecoveryMs', recoveryMs);
      this.results.expect(
        'the second owner is asked soon',
        reached && recoveryMs < stallLimitMs,
        reached ? `answered ${recoveryMs.toFixed(0)} ms after the first owner died` : 'no answer',
      );
      await this.#expectReached('and at once from then on', server, second.address);
      await sleep(300);
    }
    await direct.settle();
    this.results.figure('ownerKilledLost', direct.lost);
    this.results.expect('traffic on direct paths does not notice', direct.lost === 0, `${direct.lost} of ${direct.sent} lost`);

    await ip(dead.namespace, 'link set u up');
    const back = this.#pods.find(({ vpc, subnet, host }) => vpc === 'red' && subnet === 'many' && host.hostId === 3);
    if (back !== undefined) await this.#expectReached('its own pods are reached when it is back', client, back.address);
    await within(reachTimeoutMs, async () => (await dead.status()).connected.length === hostCount - 1);
  }

  async #daemonKilled(client: Pod, server: Pod): Promise<void> {
    this.#print('\nThe daemons of both hosts are killed, and started again');
    const pinger = await this.#pinger(client, server.address);
    await pinger.reach(reachTimeoutMs);
    const [lostWithout, lostAtStart] = await this.#whileDaemonsAreAway(pinger);
    this.results.expect('nothing is lost while there is no daemon', lostWithout === 0, `${lostWithout} lost`);
    this.results.expect('nothing is lost when they start again', lostAtStart === 0, `${lostAtStart} of ${pinger.sent} lost`);
    this.results.figure('daemonKilledLost', lostWithout + lostAtStart);
    const pod = await this.#add(2, 'red', 'front');
    await this.#expectReached('a pod that is added after that is reached', client, pod.address);
  }

  async #whileDaemonsAreAway(pinger: Pinger): Promise<[lostWithout: number, lostAtStart: number]> {
    const both = [this.#host(1), this.#host(2)];
    {
      using _traffic = pinger.steadily(steadyMs);
      await sleep(300);
      await Promise.all(both.map((host) => host.stop('SIGKILL')));
      await sleep(2000);
    }
    await pinger.settle();
    const lostWithout = pinger.lost;
    {
      using _traffic = pinger.steadily(steadyMs);
      await Promise.all(both.map((host) => host.start()));
      await sleep(1000);
    }
    await pinger.settle();
    return [lostWithout, pinger.lost - lostWithout];
  }

  async #cleanUp(): Promise<void> {
    this.#print('\nAll pods are deleted');
    await Promise.all(this.#pods.map((pod) => this.#plugin.delete(pod)));
    const statuses = await Promise.all(this.#hosts.map((host) => host.status()));
    const left = statuses.reduce((sum, { endpoints }) => sum + endpoints.length, 0);
    const known = statuses.reduce((sum, { sizes }) => sum + sizes.directory, 0);
    this.results.expect('nothing is left of them', left === 0 && known === 0, `${left} endpoints, ${known} entries at owners`);
    const removed = await Promise.all(this.#hosts.map((host) => host.remove()));
    this.results.expect('van overlay remove leaves nothing in the kernel', removed.every(Boolean), removed.join(', '));
  }

  async #add(
    hostNumber: number,
    vpc: string,
    subnet: string,
    addresses: readonly string[] = [],
    labels: Readonly<Record<string, string>> = {},
    prepare?: (namespace: string) => Promise<void>,
  ): Promise<Pod> {
    const name = `p${this.#pods.length}`;
    const namespace = this.#network.makeNamespace(name);
    await prepare?.(namespace);
    const pod = await this.#plugin.add({ name, namespace, host: this.#host(hostNumber), vpc, subnet }, addresses, labels);
    this.#pods.push(pod);
    return pod;
  }

  async #expectReached(name: string, from: Pod, address: string, payloadBytes?: number): Promise<void> {
    const pinger = await this.#pinger(from, address, payloadBytes);
    const startMs = performance.now();
    const reached = await pinger.reach(reachTimeoutMs);
    this.results.expect(name, reached, reached ? `answered after ${(performance.now() - startMs).toFixed(2)} ms` : 'no answer');
  }

  async #pinger(from: Pod, address: string, payloadBytes?: number): Promise<Pinger> {
    const pinger = new Pinger(await this.#sockets.openPing(from.namespace, address.includes(':') ? 'udp6' : 'udp4'), address, payloadBytes);
    this.#pingers.push(pinger);
    return pinger;
  }

  async #countedEverywhere(vni: number, reason: string): Promise<number> {
    const counts = await Promise.all(this.#hosts.map((host) => host.counted(vni, reason)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  #host(number: number): DemoHost {
    return this.#hosts[number - 1]!;
  }
}

/** Addresses that users may choose in the subnet `front`, and that this host is asked about first. */
function addressesOwnedBy(owner: number, vni: number, tableId: number): string[] {
  const all = Array.from({ length: 120 }, (_, at) => `10.0.0.${at + 130}`);
  return all.filter((address) => firstOwner(vni, tableId, members, address) === owner);
}
