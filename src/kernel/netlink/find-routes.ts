import { addressFamilies } from './ip-address.ts';
import { NetlinkError, errorNumbers } from './netlink-error.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { type KnownRoute, decodeRoute, dumpRoutes, mainTable } from './route-message.ts';

/** Routes of the main table that `isWanted`, IPv4 before IPv6. Throws NetlinkError. */
export function findRoutes(socket: NetlinkSocket, isWanted: (route: KnownRoute) => boolean): KnownRoute[] {
  return [addressFamilies.ipv4, addressFamilies.ipv6].flatMap((family) => {
    try {
      return socket.dump(dumpRoutes(family), (message) => {
        const route = decodeRoute(message);
        return route?.table === mainTable && isWanted(route) ? route : undefined;
      });
    } catch (error) {
      // A namespace has no main table before its first route.
      if (error instanceof NetlinkError && error.errorNumber === errorNumbers.noEntry) return [];
      throw error;
    }
  });
}
