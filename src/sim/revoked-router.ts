import type { Neighbour } from '../forwarding/neighbour.ts';
import type { Machine } from './machine.ts';
import type { World } from './world.ts';

/** What a router still has of the one that is revoked, or that it has not heard of that; undefined when there is nothing wrong. */
export function traceOfRevoked({ revokedId }: World, machine: Machine): string | undefined {
  const { id, process } = machine;
  if (revokedId === undefined || process === undefined) return undefined;
  if (!machine.refuses(revokedId)) return `${id} does not know that ${revokedId} is revoked`;
  for (const link of process.links) {
    for (const end of [0, 1] as const) {
      if (link.ends[end] !== process) continue;
      const neighbour = link.connections[end].handler as Neighbour;
      if (neighbour.isUp && neighbour.provenRouterId === revokedId) return `${id} has a link with ${revokedId}, which is revoked`;
    }
  }
  const { control } = process;
  const { routers, addresses } = control.forwarder.table;
  if (routers.has(revokedId)) return `${id} has a way to ${revokedId}, which is revoked`;
  for (const { key, routers: offering } of addresses.values()) {
    if (offering.some(({ routerId }) => routerId === revokedId)) return `${id} finds ${key.slice(1)} at ${revokedId}, which is revoked`;
  }
  if (control.routingStatus.routers.some(({ routerId }) => routerId === revokedId))
    return `${id} keeps records of ${revokedId}, which is revoked`;
  return undefined;
}
