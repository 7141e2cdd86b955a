import type { Reason } from '../layout/counter.ts';
import { endpointKind, type EndpointKey } from '../layout/endpoint.ts';
import type { Path } from '../layout/path.ts';
import { subnetKind, type Subnet } from '../layout/subnet.ts';
import { installPath } from './learn.ts';
import type { Run } from './run.ts';
import { aliveHost, endpointOf, ownersIn, subnetOf } from './tables.ts';

/**
 * The owner to ask about an address, or, when it is this host itself, the path that its directory gave; or why there is neither: the first
 * owner that is alive, but not this host when it has no entry, nor the host that denied having one. `subnet`: of the address, as its sender's
 * VPC has it.
 */
export function findOwner(
  run: Run,
  key: EndpointKey,
  deniedBy = 0,
  subnet: Subnet | undefined = subnetOf(run.tables, key),
): { readonly hostId: number; readonly path: Path | undefined } | Reason {
  const { tables } = run;
  if (subnet === undefined || subnet.kind !== subnetKind.endpoints || subnet.vni !== key.vni) return 'noRoute';
  const ownId = tables.settings.hostId;
  const known = endpointOf(tables, key);
  const entry = known?.kind === endpointKind.directory ? known : undefined;
  const { first, second } = ownersIn(tables, subnet, key);
  const canAnswer = (owner: number): boolean =>
    owner === ownId ? entry !== undefined : owner !== deniedBy && aliveHost(tables, owner) !== undefined;
  const hostId = [first, second].find(canAnswer);
  if (hostId === undefined) {
    const isOwner = (candidate: number): boolean => candidate !== 0 && (candidate === first || candidate === second);
    return isOwner(ownId) || isOwner(deniedBy) ? 'noEndpoint' : 'noOwner';
  }
  if (hostId !== ownId || entry === undefined) return { hostId, path: undefined };
  if (entry.hostId === tables.settings.hostId) return 'loop';
  const host = aliveHost(tables, entry.hostId);
  if (host === undefined) return 'noEndpoint';
  const found = {
    hostId: entry.hostId,
    hostGeneration: host.generation,
    endpointGeneration: entry.generation,
    mac: entry.mac,
    identity: entry.identity,
  };
  return { hostId, path: installPath(run, key, found, true) };
}
