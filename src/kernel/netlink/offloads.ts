import { readFeatures, tunnelSegmentation } from './features.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import type { SocketCalls } from './socket-calls.ts';

/** ETHTOOL_G..., ETHTOOL_S... */
const commands = { getTransmitChecksum: 0x16, setTransmitChecksum: 0x17, getReceiveOffload: 0x2b, setReceiveOffload: 0x2c } as const;

/** What the link's device does in the kernel's place. */
export interface Offloads {
  /** GRO: frames that belong together are joined when they come in; makes a veth take frames by polling. */
  readonly receive: boolean;
  /** Checksums of TCP and UDP are left to the device. */
  readonly transmitChecksum: boolean;
  /** Packets of tunnels that begin before the link are cut into segments. */
  readonly tunnelSegmentation: boolean;
}

/** Of a link of the socket's namespace. Throws NetlinkError. */
export function readOffloads(calls: SocketCalls, socket: NetlinkSocket, linkName: string): Offloads {
  const features = readFeatures(calls, socket, linkName);
  return {
    receive: calls.getEthtoolValue(socket.descriptor, linkName, commands.getReceiveOffload) !== 0,
    transmitChecksum: calls.getEthtoolValue(socket.descriptor, linkName, commands.getTransmitChecksum) !== 0,
    tunnelSegmentation: tunnelSegmentation.some((feature) => features.has(feature)),
  };
}

/** On another thread. Throws NetlinkError. */
export async function setOffload(
  calls: SocketCalls,
  socket: NetlinkSocket,
  linkName: string,
  offload: 'receive' | 'transmitChecksum',
  on: boolean,
): Promise<void> {
  const command = offload === 'receive' ? commands.setReceiveOffload : commands.setTransmitChecksum;
  await calls.setEthtoolValueAway(socket.descriptor, linkName, command, on ? 1 : 0);
}
