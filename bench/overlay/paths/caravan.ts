import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { datagramBatching, setFeatures } from '../../../src/kernel/netlink/features.ts';
import { NetlinkSocket } from '../../../src/kernel/netlink/netlink-socket.ts';
import { inNamespace } from '../../../src/kernel/netlink/network-namespace.ts';
import { setOffload } from '../../../src/kernel/netlink/offloads.ts';
import { createPodInterface } from '../../../src/kernel/netlink/pod-interface.ts';
import type { BpfObject } from '../../../src/overlay/kernel.ts';
import { maps } from '../../../src/overlay/layout/maps.ts';
import { ownerSlot } from '../../../src/overlay/layout/owners.ts';
import { parseAddress, parseMac } from '../../../src/overlay/packet/address.ts';
import { configure, type Network, type Place } from '../network.ts';
import { podMtu } from '../sizes.ts';
import { addEndpoint, addHost, addPort, addSubnet, setHost, vni } from '../tables.ts';
import { buildHosts, hostAddress, podPlans, type Path, type PathKind, type Pod, type PodPlan } from './path.ts';

export const objectFile: string = fileURLToPath(new URL('../../../bpf/dist/overlay.o', import.meta.url));

export function objectMissing(): string | undefined {
  return existsSync(objectFile) ? undefined : 'bpf/dist/overlay.o is missing (npm run build:bpf)';
}

function addressOf(text: string): Uint8Array {
  return parseAddress(text) as Uint8Array;
}

function macOf(text: string): Uint8Array {
  return parseMac(text) as Uint8Array;
}

/** Each host owns its own pods: whoever asks for a pod of the other host asks across the wire. */
const farSlot = ownerSlot({ vni, address: addressOf((podPlans[2] as PodPlan).address) });

interface Host {
  readonly id: 1 | 2;
  readonly place: Place;
  readonly object: BpfObject;
}

interface Attachment {
  readonly agent: 'tcx' | 'xdp';
  readonly transit: 'tcx' | 'xdp';
}

/** The overlay's own programs and interfaces; what the daemons would write into the maps is written here. */
async function build(network: Network, name: string, { agent, transit }: Attachment): Promise<Path> {
  const { bpf, calls } = network;
  const places = buildHosts(network, name);
  const hosts: Host[] = [
    { id: 1, place: places.host1, object: bpf.open(objectFile) },
    { id: 2, place: places.host2, object: bpf.open(objectFile) },
  ];
  const uplinks = hosts.map(({ id, place }) => {
    configure(place, 'ip', `address add ${hostAddress(id)}/24 dev u`);
    return { id, link: network.link(place, 'u'), address: addressOf(hostAddress(id)) };
  });
  const passing = bpf.open(objectFile);
  for (const { id, place, object } of hosts) {
    using socket = new NetlinkSocket(calls, place.namespace);
    if (transit === 'xdp') {
      // What XDP takes at the other end comes without the checksums that were left to the device.
      await setOffload(calls, socket, 'u', 'transmitChecksum', false);
      const port = network.link(places.switch, `w${id}`);
      // A veth takes what XDP sends back only when its other end has a program too.
      inNamespace(calls, places.switch.namespace, () => bpf.attachXdp(passing.program('pass'), port.index, 'native'));
    } else {
      await setFeatures(calls, socket, 'u', { on: [], off: datagramBatching });
    }
    const uplink = network.link(place, 'u').index;
    setHost(object, { id, uplink, address: addressOf(hostAddress(id)), mac: network.link(place, 'u').mac });
    for (const other of uplinks) addHost(object, { id: other.id, address: other.address, mac: other.link.mac });
    addSubnet(object, (slot) => (slot === farSlot ? { first: 2, second: 1 } : { first: 1, second: 2 }));
    inNamespace(calls, place.namespace, () => {
      object.map(maps.devices.name).put(maps.devices.key.encode({ index: uplink }), maps.devices.value.encode({ index: uplink }));
      return transit === 'xdp'
        ? bpf.attachXdp(object.program('transit'), uplink, 'native')
        : bpf.attachTcxIngress(object.program('transit_tc'), uplink);
    });
  }
  const pods: Pod[] = [];
  for (const plan of podPlans) {
    const pod = { place: network.add(`${name}-${plan.name}`), address: plan.address };
    const address = addressOf(plan.address);
    const mac = macOf(plan.mac);
    const host = hosts[plan.host - 1] as Host;
    const made = await createPodInterface(
      calls,
      {
        hostName: plan.name,
        podName: 'eth0',
        podNamespace: pod.place.namespace,
        podMac: mac,
        mtu: podMtu,
        addresses: [{ address, prefixLength: 24 }],
        routes: [],
        transmitChecksumOffload: agent === 'tcx',
      },
      host.place.namespace,
    );
    const { hostIndex } = made;
    addPort(host.object, hostIndex, { address, mac, mtu: podMtu });
    inNamespace(calls, host.place.namespace, () => {
      host.object
        .map(maps.devices.name)
        .put(maps.devices.key.encode({ index: hostIndex }), maps.devices.value.encode({ index: hostIndex }));
      const program = host.object.program(agent === 'tcx' ? 'agent_tc' : 'agent_xdp');
      return agent === 'tcx' ? bpf.attachTcxIngress(program, hostIndex) : bpf.attachXdp(program, hostIndex, 'native');
    });
    for (const { id, object } of hosts) addEndpoint(object, { address, mac, hostId: plan.host, ifindex: id === plan.host ? hostIndex : 0 });
    pods.push(pod);
  }
  const [near, beside, far] = pods as [Pod, Pod, Pod];
  const forget = (): void => {
    for (const { place } of [near, far]) configure(place, 'ip', 'neigh flush dev eth0');
    for (const { object } of hosts)
      for (const plan of podPlans) object.map(maps.paths.name).delete(maps.paths.key.encode({ vni, address: addressOf(plan.address) }));
  };
  return { near, beside, far, forget };
}

export const caravanTcx: PathKind = {
  name: 'caravan-tcx',
  title: 'Caravan, agent and transit at tcx',
  build: async (network) => await build(network, 'tcx', { agent: 'tcx', transit: 'tcx' }),
};

export const caravanMixed: PathKind = {
  name: 'caravan-mixed',
  title: 'Caravan, agent at tcx, transit at XDP',
  build: async (network) => await build(network, 'mixed', { agent: 'tcx', transit: 'xdp' }),
};

export const caravanXdp: PathKind = {
  name: 'caravan-xdp',
  title: 'Caravan, agent and transit at XDP',
  build: async (network) => await build(network, 'xdp', { agent: 'xdp', transit: 'xdp' }),
};
