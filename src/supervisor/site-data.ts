import type { SiteIdentity } from '../site/derive.ts';
import { routingKeysOf, serviceTypes } from '../site/derive-services.ts';
import { resourcesOf, type Resource } from '../site/resource-types.ts';
import type { SiteData } from './site-router.ts';

/** Where a site says its place, for people: an annotation of the Site. */
const locationAnnotation = 'caravan.dev/location';

/** Routing keys that are told to the network: every router keeps them of every site, and link state has a limit of 8192 characters. */
const maxListenerKeys = 128;
const maxListenerCharacters = 4096;
const maxTypes = 128;
const maxTypeCharacters = 2048;

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
  const types = typeTexts(resources);
  if (types.length > 0) data.set('types', types);
  return data;
}

function listenerKeys(resources: readonly Resource[]): readonly string[] {
  const keys = new Set(
    [...resourcesOf(resources, 'Listener'), ...resourcesOf(resources, 'MultiKeyListener')].flatMap((resource) => routingKeysOf(resource)),
  );
  return firstOf([...keys].sort(), maxListenerKeys, maxListenerCharacters);
}

/** Protocol and routing key, as `http backend`; TCP last, for it is what is guessed of keys that are not told. */
function typeTexts(resources: readonly Resource[]): readonly string[] {
  const all = [...serviceTypes(resources)].flatMap(([key, types]) => Array.from(types, (type) => [type, key] as const));
  const texts = all.map(([type, key]) => `${type} ${key}`).sort();
  const isTcp = (text: string): boolean => text.startsWith('tcp ');
  return firstOf([...texts.filter((text) => !isTcp(text)), ...texts.filter(isTcp)], maxTypes, maxTypeCharacters);
}

/** Routing key and protocol of the services of a site, as it tells them. What comes from the network may be anything. */
export function toldTypes({ types }: Readonly<Record<string, unknown>>): readonly (readonly [key: string, type: string])[] {
  if (!Array.isArray(types)) return [];
  return types.flatMap((text: unknown) => {
    const match = typeof text === 'string' ? /^([a-z0-9]{1,16}) (\S+)$/.exec(text) : null;
    return match === null ? [] : [[match[2] ?? '', match[1] ?? ''] as const];
  });
}

function firstOf(texts: readonly string[], maxCount: number, maxCharacters: number): readonly string[] {
  const told: string[] = [];
  let characters = 0;
  for (const text of texts) {
    characters += text.length;
    if (told.length === maxCount || characters > maxCharacters) break;
    told.push(text);
  }
  return told;
}
