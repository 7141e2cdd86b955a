import { configure, type Network, type Place } from '../network.ts';
import { podMtu } from '../sizes.ts';
import { buildHosts, hostAddress, podPlans, type Hosts, type Path, type PathKind, type Pod, type PodPlan } from './path.ts';

const oneQueue = 'numrxqueues 1 numtxqueues 1';
const vni = 100;
/** The kernel's default for VXLAN is not the assigned port. */
const vxlanPort = 4789;

function hostOf(hosts: Hosts, plan: PodPlan): Place {
  return plan.host === 1 ? hosts.host1 : hosts.host2;
}

/** A pod behind the bridge of its host, as the bridge plugins of container runtimes make it. */
function addPod(network: Network, hosts: Hosts, name: string, plan: PodPlan): Pod {
  const host = hostOf(hosts, plan);
  const place = network.add(`${name}-${plan.name}`);
  configure(
    host,
    'ip',
    `link add ${plan.name} mtu ${podMtu} ${oneQueue} type veth peer name eth0 mtu ${podMtu} address ${plan.mac} ${oneQueue} netns ${place.name}`,
  );
  configure(host, 'ip', `link set ${plan.name} master br0 up`);
  configure(place, 'ip', 'link set eth0 up');
  configure(place, 'ip', `address add ${plan.address}/24 dev eth0`);
  return { place, address: plan.address };
}

function addPods(network: Network, hosts: Hosts, name: string): Path {
  for (const host of [hosts.host1, hosts.host2]) {
    configure(host, 'ip', 'link add br0 type bridge');
    configure(host, 'ip', 'link set br0 up');
  }
  const [near, beside, far] = podPlans.map((plan) => addPod(network, hosts, name, plan)) as [Pod, Pod, Pod];
  const forget = (): void => {
    for (const { place } of [near, far]) configure(place, 'ip', 'neigh flush dev eth0');
  };
  return { near, beside, far, forget };
}

/** Pods and hosts on one Ethernet: no tenants, no overlay. */
async function buildBridge(network: Network, name: string, offloads: boolean): Promise<Path> {
  const hosts = buildHosts(network, name);
  const path = addPods(network, hosts, name);
  for (const host of [hosts.host1, hosts.host2]) configure(host, 'ip', 'link set u master br0');
  if (!offloads) {
    for (const { place } of [path.near, path.beside, path.far]) await network.withoutOffloads(place, 'eth0');
    for (const plan of podPlans) await network.withoutOffloads(hostOf(hosts, plan), plan.name);
    for (const host of [hosts.host1, hosts.host2]) await network.withoutOffloads(host, 'u');
    for (const port of ['w1', 'w2']) await network.withoutOffloads(hosts.switch, port);
  }
  return path;
}

export const bridge: PathKind = {
  name: 'bridge',
  title: 'bridges and veth, no overlay, offloads on',
  build: async (network) => await buildBridge(network, 'bridge', true),
};

export const bridgePlain: PathKind = {
  name: 'bridge-plain',
  title: 'the same, all offloads off (checksums, scatter/gather, TSO, GSO, GRO)',
  build: async (network) => await buildBridge(network, 'plain', false),
};

/** One VNI of the kernel's VXLAN, whose entries are all given: nothing is learnt but what the pods ask by ARP. */
export const vxlan: PathKind = {
  name: 'vxlan',
  title: "the kernel's VXLAN, no learning, static forwarding entries, UDP checksum 0",
  async build(network) {
    const hosts = buildHosts(network, 'vxlan');
    const path = addPods(network, hosts, 'vxlan');
    for (const [number, other, host] of [
      [1, 2, hosts.host1],
      [2, 1, hosts.host2],
    ] as const) {
      configure(host, 'ip', `address add ${hostAddress(number)}/24 dev u`);
      configure(
        host,
        'ip',
        `link add vx type vxlan id ${vni} dev u local ${hostAddress(number)} dstport ${vxlanPort} nolearning noudpcsum`,
      );
      configure(host, 'ip', 'link set vx master br0 up');
      configure(host, 'bridge', 'link set dev vx learning off');
      // ARP goes to the one other host.
      configure(host, 'bridge', `fdb append 00:00:00:00:00:00 dev vx dst ${hostAddress(other)}`);
      for (const plan of podPlans)
        if (plan.host === other) {
          configure(host, 'bridge', `fdb replace ${plan.mac} dev vx dst ${hostAddress(other)} self static`);
          configure(host, 'bridge', `fdb replace ${plan.mac} dev vx master static`);
        }
    }
    return await Promise.resolve(path);
  },
};
