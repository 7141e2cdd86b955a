import { routingKeysOf, type SiteIdentity } from '../site/derive.ts';
import { resourcesOf, type Resource } from '../site/resource-types.ts';
import type { SiteData } from './site-router.ts';

/** Where a site says its place, for people: an annotation of the Site. */
const locationAnnotation = 'caravan.dev/location';

/** Routing keys that are told to the network: every router keeps them of every site, and link state has a limit of 8192 characters. */
const maxListenerKeys = 128;
const maxListenerCharacters = 4096;

/** What every router of the network is told about this site. */
export function siteData(resources: readonly Resource[], identity: SiteIdentity): SiteData {
  const { siteName, version, namespace } = identity;
  const location = resourcesOf(resources, 'Site')[0]?.metadata.annotations?.[locationAnnotation];
  const data = new Map<string, string | readonly string[]>([
    ['name', siteName],
    ['version', version],
    ['namespace', namespace],
    ['platform', 'linux'],
  ]);
  if (location !== undefined) data.set('location', location.slice(0, 128));
  const listeners = listenerKeys(resources);
  if (listeners.length > 0) data.set('listeners', listeners);
  return data;
}

function listenerKeys(resources: readonly Resource[]): readonly string[] {
  const keys = new Set(
    [...resourcesOf(resources, 'Listener'), ...resourcesOf(resources, 'MultiKeyListener')].flatMap((resource) => routingKeysOf(resource)),
  );
  const told: string[] = [];
  let characters = 0;
  for (const key of [...keys].sort()) {
    characters += key.length;
    if (told.length === maxListenerKeys || characters > maxListenerCharacters) break;
    told.push(key);
  }
  return told;
}
