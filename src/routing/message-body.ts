import { isRouterId } from './control-address.ts';
import type { ControlMap, ControlValue } from './control-message.ts';
import { parseHelloExtension, type HelloExtension } from './hello-extension.ts';
import { limits } from './limits.ts';

/** Version of HELLO, RA, LSR and LSU; and of MAR and MAU. A body of a higher version is not read. */
export const linkStateVersion = 1;
export const mobileAddressVersion = 2;

/** Key of the site data in an LSU, unknown to and skipped by a skupper-router. */
const siteDataKey = 'caravan';

/*
 * Bodies (maps; `area` is always "0" and not looked at; `instance` is the boot time in seconds):
 *
 *   HELLO  id pv area instance  seen [id ...]   caravan {...}?  (hello-extension.ts)
 *   RA     id pv area instance  ls_seq mobile_seq
 *   LSR    id pv area
 *   LSU    id pv area instance  ls_seq  ls {id area ls_seq peers {id: cost}}   caravan {...}?
 *   MAR    id pv area           have_seq
 *   MAU    id pv area           mobile_seq  (exist [desc ...]) | (add [desc ...]  del [desc ...])
 *
 *   desc   [hash key, treatment, local producers, null, mesh id]: one to five elements; only the key in `del`
 */

export interface Hello {
  readonly id: string;
  readonly instance: number;
  readonly seen: readonly ControlValue[];
  /** What a Caravan router adds; undefined from others. */
  readonly extension: HelloExtension | undefined;
}

export interface RouterAdvertisement {
  readonly id: string;
  readonly instance: number;
  readonly linkStateSequence: number;
  readonly mobileSequence: number;
}

export interface LinkStateUpdate {
  readonly id: string;
  readonly instance: number;
  /** The sequence inside `ls`: the one that counts. */
  readonly linkStateSequence: number;
  readonly peers: ReadonlyMap<string, number>;
  readonly site: ControlMap | undefined;
}

export interface MobileAddressRequest {
  readonly id: string;
  readonly haveSequence: number;
}

/** An address as announced. `treatment` is -1 when not said. */
export interface AnnouncedAddress {
  readonly key: string;
  readonly treatment: number;
}

export interface MobileAddressUpdate {
  readonly id: string;
  readonly mobileSequence: number;
  /** True: `add` is all there is. False: `add` and `del` change what was known at the sequence before. */
  readonly absolute: boolean;
  readonly add: readonly AnnouncedAddress[];
  readonly del: readonly string[];
  /** Descriptions that were skipped: not a list, no key, another class than M, N or H, or too long. */
  readonly skipped: number;
}

/** The maker of a body of any opcode, if it names one. */
export function makerOf(body: ControlMap): string | undefined {
  const id = body.get('id');
  return typeof id === 'string' && isRouterId(id) ? id : undefined;
}

/** `pv` of a body; 0 if absent or not a number. */
export function versionOf(body: ControlMap): number {
  return sequence(body.get('pv')) ?? 0;
}

export function parseHello(body: ControlMap): Hello | undefined {
  const id = makerOf(body);
  const instance = instanceOf(body);
  const seen = body.get('seen');
  if (id === undefined || instance === undefined || !isList(seen) || seen.length > limits.routers) return undefined;
  return { id, instance, seen, extension: parseHelloExtension(body) };
}

export function parseRouterAdvertisement(body: ControlMap): RouterAdvertisement | undefined {
  const id = makerOf(body);
  const instance = instanceOf(body);
  const linkStateSequence = sequence(body.get('ls_seq'));
  const mobileSequence = sequence(body.get('mobile_seq'));
  if (id === undefined || instance === undefined || linkStateSequence === undefined || mobileSequence === undefined) return undefined;
  return { id, instance, linkStateSequence, mobileSequence };
}

export function parseLinkStateUpdate(body: ControlMap): LinkStateUpdate | undefined {
  const id = makerOf(body);
  const instance = instanceOf(body);
  const linkState = body.get('ls');
  if (id === undefined || instance === undefined || sequence(body.get('ls_seq')) === undefined || !isMap(linkState)) return undefined;
  const linkStateSequence = sequence(linkState.get('ls_seq'));
  const rawPeers = linkState.get('peers');
  if (linkState.get('id') !== id || linkStateSequence === undefined || !isMap(rawPeers)) return undefined;
  if (rawPeers.size > limits.peersPerRouter) return undefined;
  const peers = new Map<string, number>();
  for (const [peer, cost] of rawPeers) {
    if (!isRouterId(peer) || !isCost(cost)) return undefined;
    if (peer !== id) peers.set(peer, cost);
  }
  const rawSite = body.get(siteDataKey);
  return { id, instance, linkStateSequence, peers, site: isMap(rawSite) && isSmall(rawSite) ? rawSite : undefined };
}

export function parseMobileAddressRequest(body: ControlMap): MobileAddressRequest | undefined {
  const id = makerOf(body);
  const haveSequence = sequence(body.get('have_seq'));
  return id === undefined || haveSequence === undefined ? undefined : { id, haveSequence };
}

export function parseMobileAddressUpdate(body: ControlMap): MobileAddressUpdate | undefined {
  const id = makerOf(body);
  const mobileSequence = sequence(body.get('mobile_seq'));
  if (id === undefined || mobileSequence === undefined) return undefined;
  const exist = body.get('exist');
  const add = body.get('add');
  const del = body.get('del');
  const absolute = exist !== undefined;
  if (absolute ? add !== undefined || del !== undefined : !isList(add) || !isList(del)) return undefined;
  const added = absolute ? exist : add;
  if (!isList(added)) return undefined;
  const update = { id, mobileSequence, absolute, add: [] as AnnouncedAddress[], del: [] as string[], skipped: 0 };
  for (const description of added) {
    const key = keyOf(description);
    if (key === undefined) update.skipped++;
    else update.add.push({ key, treatment: sequence((description as readonly ControlValue[])[1]) ?? -1 });
  }
  for (const description of isList(del) ? del : []) {
    const key = keyOf(description);
    if (key === undefined) update.skipped++;
    else update.del.push(key);
  }
  return update;
}

export function helloBody(id: string, instance: number, seen: readonly string[]): ControlMap {
  return new Map<string, ControlValue>([...header(id, linkStateVersion), ['instance', instance], ['seen', seen]]);
}

export function routerAdvertisementBody(advertisement: RouterAdvertisement): ControlMap {
  return new Map<string, ControlValue>([
    ...header(advertisement.id, linkStateVersion),
    ['instance', advertisement.instance],
    ['ls_seq', advertisement.linkStateSequence],
    ['mobile_seq', advertisement.mobileSequence],
  ]);
}

export function linkStateRequestBody(id: string): ControlMap {
  return new Map<string, ControlValue>(header(id, linkStateVersion));
}

export function linkStateUpdateBody(update: LinkStateUpdate): ControlMap {
  const linkState = new Map<string, ControlValue>([
    ['id', update.id],
    ['area', '0'],
    ['ls_seq', update.linkStateSequence],
    ['peers', update.peers],
  ]);
  const body = new Map<string, ControlValue>([
    ...header(update.id, linkStateVersion),
    ['instance', update.instance],
    ['ls_seq', update.linkStateSequence],
    ['ls', linkState],
  ]);
  if (update.site !== undefined) body.set(siteDataKey, update.site);
  return body;
}

export function mobileAddressRequestBody(id: string, haveSequence: number): ControlMap {
  return new Map<string, ControlValue>([...header(id, mobileAddressVersion), ['have_seq', haveSequence]]);
}

/** A description list for `add` or `exist`. */
export function addressDescription(key: string, treatment: number, producers: number): ControlValue {
  return [key, treatment, producers];
}

export function absoluteUpdateBody(id: string, mobileSequence: number, exist: readonly ControlValue[]): ControlMap {
  return new Map<string, ControlValue>([...header(id, mobileAddressVersion), ['mobile_seq', mobileSequence], ['exist', exist]]);
}

export function differentialUpdateBody(
  id: string,
  mobileSequence: number,
  add: readonly ControlValue[],
  del: readonly string[],
): ControlMap {
  return new Map<string, ControlValue>([
    ...header(id, mobileAddressVersion),
    ['mobile_seq', mobileSequence],
    ['add', add],
    ['del', del.map((key) => [key])],
  ]);
}

/** Whether site data stay within the limits on values and characters. */
export function isSmall(site: ControlMap): boolean {
  let values = 0;
  let characters = 0;
  const waiting: ControlValue[] = [site];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    values++;
    if (typeof value === 'string') characters += value.length;
    if (isMap(value)) {
      if (value.size + values > limits.siteDataValues) return false;
      for (const [key, inner] of value) {
        characters += key.length;
        waiting.push(inner);
      }
    } else if (isList(value)) {
      if (value.length + values > limits.siteDataValues) return false;
      waiting.push(...value);
    }
    if (values + waiting.length > limits.siteDataValues || characters > limits.siteDataCharacters) return false;
  }
  return true;
}

function header(id: string, version: number): [string, ControlValue][] {
  return [
    ['id', id],
    ['pv', version],
    ['area', '0'],
  ];
}

/** 0 when absent; undefined when present and not a whole number. */
function instanceOf(body: ControlMap): number | undefined {
  return body.has('instance') ? sequence(body.get('instance')) : 0;
}

function sequence(value: ControlValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function isCost(value: ControlValue): value is number {
  const cost = sequence(value);
  return cost !== undefined && cost <= limits.linkCost;
}

function isMap(value: ControlValue | undefined): value is ControlMap {
  return value instanceof Map;
}

function isList(value: ControlValue | undefined): value is readonly ControlValue[] {
  return Array.isArray(value);
}

/** The hash key of a description: classes M (mobile), N (network) and H (edge) are exchanged, nothing else. */
function keyOf(description: ControlValue): string | undefined {
  if (!isList(description)) return undefined;
  const key = description[0];
  if (typeof key !== 'string') return undefined;
  return isMobileKey(key) ? key : undefined;
}

/** Whether an address of this hash key is announced to other routers. */
export function isMobileKey(key: string): boolean {
  return key.length > 1 && key.length <= limits.addressLength && (key.startsWith('M') || key.startsWith('N') || key.startsWith('H'));
}
