import type { Reason } from '../layout/counter.ts';
import { endpointKind, type EndpointKey } from '../layout/endpoint.ts';
import type { Path } from '../layout/path.ts';
import { installPath } from './learn.ts';
import type { Run } from './run.ts';
import { aliveHost, endpointOf, ownerToAsk, subnetOf } from './tables.ts';

/** The owner to ask about an address, or, when it is this host itself, the path that its directory gave; or why there is neither. */
export function findOwner(run: Run, key: EndpointKey): { readonly hostId: number; readonly path: Path | undefined } | Reason {
  const { tables } = run;
  if (subnetOf(tables, key) === undefined) return 'noRoute';
  const hostId = ownerToAsk(tables, key);
  if (hostId === undefined) return 'noOwner';
  if (hostId !== tables.settings.hostId) return { hostId, path: undefined };
  const entry = endpointOf(tables, key);
  if (entry?.kind !== endpointKind.directory) return 'noEndpoint';
  if (entry.hostId === tables.settings.hostId) return 'loop';
  const host = aliveHost(tables, entry.hostId);
  if (host === undefined) return 'noEndpoint';
  const found = { hostId: entry.hostId, hostGeneration: host.generation, endpointGeneration: entry.generation, mac: entry.mac };
  return { hostId, path: installPath(run, key, found, true) };
}
