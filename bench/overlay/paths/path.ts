import { configure, type Network, type Place } from '../network.ts';

/** A namespace that stands for a pod. */
export interface Pod {
  readonly place: Place;
  readonly address: string;
}

/**
 * Two hosts with pods, and what joins them:
 *
 *   near ─┐                                  ┌─ far
 *         ├─ host 1 ─ u ── w1 ─ switch ─ w2 ── u ─ host 2
 *   beside┘
 */
export interface Path {
  readonly near: Pod;
  readonly beside: Pod;
  readonly far: Pod;
  /** Forgets what was learnt about the other pods, on pods and hosts: the next packet is the first. */
  forget(): void;
}

export interface PathKind {
  readonly name: string;
  readonly title: string;
  build(network: Network): Promise<Path>;
}

/** A pod's place in the plan of addresses. */
export interface PodPlan {
  readonly name: 'near' | 'beside' | 'far';
  readonly host: 1 | 2;
  readonly address: string;
  readonly mac: string;
}

export const podPlans: readonly PodPlan[] = [
  { name: 'near', host: 1, address: '10.7.0.11', mac: '0a:00:00:00:00:11' },
  { name: 'beside', host: 1, address: '10.7.0.12', mac: '0a:00:00:00:00:12' },
  { name: 'far', host: 2, address: '10.7.0.21', mac: '0a:00:00:00:00:21' },
];

export function hostAddress(host: number): string {
  return `192.0.2.${host}`;
}

/** Packets that wait at an uplink or a port of the switch: as many as network cards and switches hold. */
const queuePackets = 1000;
const oneQueue = 'numrxqueues 1 numtxqueues 1';

export interface Hosts {
  readonly switch: Place;
  readonly host1: Place;
  readonly host2: Place;
}

/** The switch and the hosts with their uplinks `u`, up, with a queue as a network card has. */
export function buildHosts(network: Network, name: string): Hosts {
  const hosts = { switch: network.add(`${name}-sw`), host1: network.add(`${name}-h1`), host2: network.add(`${name}-h2`) };
  configure(hosts.switch, 'ip', 'link add br0 type bridge');
  configure(hosts.switch, 'ip', 'link set br0 up');
  for (const [number, host] of [
    [1, hosts.host1],
    [2, hosts.host2],
  ] as const) {
    configure(host, 'ip', `link add u ${oneQueue} type veth peer name w${number} ${oneQueue} netns ${hosts.switch.name}`);
    configure(hosts.switch, 'tc', `qdisc add dev w${number} root pfifo limit ${queuePackets}`);
    configure(hosts.switch, 'ip', `link set w${number} master br0 up`);
    configure(host, 'tc', `qdisc add dev u root pfifo limit ${queuePackets}`);
    configure(host, 'ip', 'link set u up');
    configure(host, 'ip', 'link set lo up');
  }
  return hosts;
}
