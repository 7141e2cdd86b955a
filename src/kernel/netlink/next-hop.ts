import { setTimeout } from 'node:timers/promises';
import { WeatherError } from '../../base/errors.ts';
import { type IpAddress, addressText } from './ip-address.ts';
import { type Neighbour, decodeNeighbour, getNeighbour, neighbourStates, probeNeighbour } from './neighbour-message.ts';
import { errorNumbers } from './netlink-error.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { decodeRoute, lookUpRoute, unicastRoute } from './route-message.ts';

const { reachable, stale, delay, probe, permanent } = neighbourStates;
const resolvedStates = reachable | stale | delay | probe | permanent;
/** The kernel itself needs a round trip, or a second for each try. */
const pollMs = 20;

/** Where a packet to another host goes first. */
export interface NextHop {
  readonly linkIndex: number;
  /** The gateway, or the host itself. */
  readonly address: IpAddress;
  /** The address that packets to there come from. */
  readonly source: IpAddress | undefined;
  /** Largest packet, if the route says so. */
  readonly mtu: number | undefined;
  /** Undefined while the kernel does not know it. */
  readonly mac: Uint8Array | undefined;
}

/**
 * The next hop as the kernel knows it now. Lets the kernel resolve its hardware address when that is unknown or old: packets of the data
 * path do not, so call it again from time to time. Throws WeatherError `next-hop-missing`, or NetlinkError.
 */
export function findNextHop(socket: NetlinkSocket, destination: IpAddress): NextHop {
  const route = lookUp(socket, destination);
  const address = route.gateway ?? route.destination.address;
  const [outcome] = socket.exchange([getNeighbour(route.linkIndex, address)]);
  if (outcome?.error !== undefined && outcome.error.errorNumber !== errorNumbers.noEntry) throw outcome.error;
  const neighbour: Neighbour | undefined = outcome?.replies.map(decodeNeighbour).find((candidate) => candidate !== undefined);
  const state = neighbour?.state ?? 0;
  if ((state & (reachable | permanent)) === 0) socket.run([probeNeighbour(route.linkIndex, address)]);
  const isResolved = (state & resolvedStates) !== 0 && neighbour?.mac?.length === 6;
  return { linkIndex: route.linkIndex, address, source: route.source, mtu: route.mtu, mac: isResolved ? neighbour?.mac : undefined };
}

/** Waits until the next hop has a hardware address. Throws as findNextHop, and WeatherError `next-hop-silent` after `timeoutMs`. */
export async function resolveNextHop(
  socket: NetlinkSocket,
  destination: IpAddress,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<NextHop & { readonly mac: Uint8Array }> {
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    const hop = findNextHop(socket, destination);
    if (hop.mac !== undefined) return { ...hop, mac: hop.mac };
    if (waitedMs >= timeoutMs) {
      const who = addressText(hop.address);
      throw new WeatherError('next-hop-silent', `${who}, on the way to ${addressText(destination)}, does not tell its hardware address`, {
        remedy: `see whether ${who} answers: ip neighbour show ${who}`,
      });
    }
    await setTimeout(pollMs, undefined, signal === undefined ? {} : { signal });
  }
}

function lookUp(socket: NetlinkSocket, destination: IpAddress): NonNullable<ReturnType<typeof decodeRoute>> {
  const missing = (cause?: unknown): WeatherError =>
    new WeatherError('next-hop-missing', `there is no route to ${addressText(destination)} through a link`, {
      cause,
      remedy: `see ip route get ${addressText(destination)}`,
    });
  const [outcome] = socket.exchange([lookUpRoute(destination)]);
  if (outcome?.error !== undefined) {
    const { errorNumber } = outcome.error;
    if (errorNumber === errorNumbers.networkUnreachable || errorNumber === errorNumbers.hostUnreachable) throw missing(outcome.error);
    throw outcome.error;
  }
  const route = outcome?.replies.map(decodeRoute).find((candidate) => candidate !== undefined);
  // An address of this host, a prohibited or a dropped one.
  if (route === undefined || route.type !== unicastRoute) throw missing();
  return route;
}
