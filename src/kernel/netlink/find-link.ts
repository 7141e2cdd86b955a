import { type Link, type LinkReference, decodeLink, getLink } from './link-message.ts';
import { errorNumbers } from './netlink-error.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/** The link of that name or index in the socket's namespace; undefined when there is none. Throws NetlinkError. */
export function findLink(socket: NetlinkSocket, reference: LinkReference): Link | undefined {
  const [outcome] = socket.exchange([getLink(reference)]);
  if (outcome?.error?.errorNumber === errorNumbers.noDevice) return undefined;
  if (outcome?.error !== undefined) throw outcome.error;
  return outcome?.replies.map(decodeLink).find((link) => link !== undefined);
}
