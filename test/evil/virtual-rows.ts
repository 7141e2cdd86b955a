import type { VirtualRouter } from '../../src/sim/virtual-router.ts';
import type { AddressRow, NodeRow } from './belief.ts';

/** As the management of a router with sockets tells them. */
export function nodeRows({ control }: VirtualRouter): NodeRow[] {
  const rows: NodeRow[] = [];
  for (const { routerId, path, peers } of control.routingStatus.routers) {
    if (path === null) continue;
    rows.push({
      id: routerId,
      nextHop: path.nextHop === routerId ? null : path.nextHop,
      cost: path.cost,
      linkState: Object.fromEntries(peers),
    });
  }
  return rows;
}

export function addressRows({ control }: VirtualRouter): AddressRow[] {
  const rows: AddressRow[] = [];
  for (const { key, routers } of control.forwarder.table.addresses.values()) {
    if (!key.startsWith('M')) continue;
    const name = key.slice(1);
    rows.push({ name, remoteRouters: routers.map(({ routerId }) => routerId), subscriberCount: control.forwarder.localConsumers(name) });
  }
  return rows.sort((one, other) => (one.name < other.name ? -1 : 1));
}
