import {
  addClassifier,
  decodeIngressProgram,
  deleteClassifier,
  deleteIngressProgram,
  dumpFilters,
  dumpIngressPrograms,
  isFilter,
  putIngressProgram,
} from './filter-message.ts';
import { errorNumbers } from './netlink-error.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import type { SocketCalls } from './socket-calls.ts';

/**
 * A program at a link's ingress as a filter of tc: it stays there without any process, goes with the link, and is attached at once, where
 * tcx waits some milliseconds until no packet is in the hook.
 */

/** To a link that has no filters yet, on another thread. `program`: a descriptor. Throws NetlinkError. */
export async function attachIngressProgram(calls: SocketCalls, linkIndex: number, program: number, name: string): Promise<void> {
  using socket = new NetlinkSocket(calls);
  await socket.runAway([addClassifier(linkIndex), putIngressProgram(linkIndex, program, name)]);
}

/** In place of the one that is there with that handle, without a gap; attaches it if there is none. Throws NetlinkError. */
export function replaceIngressProgram(calls: SocketCalls, linkIndex: number, program: number, name: string, handle?: number): void {
  using socket = new NetlinkSocket(calls);
  const [added, put] = socket.exchange([addClassifier(linkIndex), putIngressProgram(linkIndex, program, name, handle)]);
  for (const error of [added?.error, put?.error]) if (error !== undefined && error.errorNumber !== errorNumbers.exists) throw error;
}

/** Takes one filter off a link where others may have theirs; there may be none. What filters hang on goes with the last of them. */
export function removeIngressProgram(calls: SocketCalls, linkIndex: number, handle: number): void {
  using socket = new NetlinkSocket(calls);
  const [deleted] = socket.exchange([deleteIngressProgram(linkIndex, handle)]);
  if (deleted?.error !== undefined) return;
  const left = (['ingress', 'egress'] as const).flatMap((way) =>
    socket.dump(dumpFilters(linkIndex, way), (message) => (isFilter(message) ? message.type : undefined)),
  );
  if (left.length === 0) socket.exchange([deleteClassifier(linkIndex)]);
}

/** Takes filters off a link; there may be none. */
export function detachIngressPrograms(calls: SocketCalls, linkIndex: number): void {
  using socket = new NetlinkSocket(calls);
  socket.exchange([deleteClassifier(linkIndex)]);
}

/** Ids of the programs at a link's ingress. Throws NetlinkError. */
export function ingressPrograms(calls: SocketCalls, linkIndex: number): readonly number[] {
  using socket = new NetlinkSocket(calls);
  return socket.dump(dumpIngressPrograms(linkIndex), decodeIngressProgram);
}
