import type { EndpointKey } from '../layout/endpoint.ts';
import type { Host } from '../layout/host.ts';
import type { Path } from '../layout/path.ts';
import { locationFlag, type Location } from '../packet/overlay-option.ts';
import type { Run } from './run.ts';
import { isOwner, isValid, knownHost, localEndpoint } from './tables.ts';

/** How long a path is believed, on the kernel's monotonic clock. */
export const pathLifetimeNs = 30_000_000_000n;

/** Writes that `key` lives where `found` says, and gives the path as it is now. */
export function installPath(
  run: Run,
  key: EndpointKey,
  found: Pick<Path, 'hostId' | 'hostGeneration' | 'endpointGeneration' | 'mac' | 'identity'>,
  tellAgain: boolean,
): Path {
  const before = run.path(key);
  const same =
    before?.hostId === found.hostId &&
    before.hostGeneration === found.hostGeneration &&
    before.endpointGeneration === found.endpointGeneration;
  const path: Path = {
    hostId: found.hostId,
    hostGeneration: found.hostGeneration,
    endpointGeneration: found.endpointGeneration,
    // Kept for the same place: two hosts would tell each other for ever, each one's news resetting the other's count.
    told: same && !tellAgain ? before.told : 0,
    expiresNs: run.nowNs + pathLifetimeNs,
    mac: found.mac,
    previousHostId: before === undefined ? 0 : before.hostId === found.hostId ? before.previousHostId : before.hostId,
    identity: found.identity,
  };
  run.writePath(key, path);
  return path;
}

/**
 * Learns where the source of a packet, or the sender of an answer, lives. `outerHostId` is the host the packet came from;
 * `destination` the inner destination of a data packet, whose owner may have relayed it.
 */
export function learnSource(
  run: Run,
  key: EndpointKey,
  location: Location,
  outerHostId: number,
  destination: EndpointKey | undefined,
): void {
  const { tables } = run;
  const entitled =
    location.hostId === outerHostId ||
    isOwner(tables, key, outerHostId) ||
    (destination !== undefined && isOwner(tables, destination, outerHostId));
  if (!entitled || !isPlausible(run, key, location, knownHost(tables, location.hostId))) run.count('untrusted');
  else installPath(run, key, location, (location.flags & locationFlag.noPath) !== 0);
}

/** Whether a location fits what is known of its host and endpoint. */
export function isPlausible(run: Run, key: EndpointKey, location: Location, host: Host | undefined): boolean {
  const { tables } = run;
  if (host === undefined || host.generation !== location.hostGeneration || location.hostId === tables.settings.hostId) return false;
  if (localEndpoint(tables, key) !== undefined) return false;
  const path = run.path(key);
  return path === undefined || !isValid(tables, path, run.nowNs) || path.endpointGeneration <= location.endpointGeneration;
}
