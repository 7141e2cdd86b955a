import { hasAddressFamily, isAtLeast110, type CniVersion } from './cni-version.ts';
import { memberOf, objectOf, objectsOf, textOf, type JsonObject } from './json.ts';
import type { AttachedInterface, Attachment, DnsSettings } from './pod-network.ts';

/** Results of ADD, in the shape of each version, behind what plugins before this one have made. */

/** The result of the plugin before in a chain, or (CHECK, DEL) of the whole chain at ADD. Members that are not known here are kept. */
export interface PreviousResult {
  readonly interfaces: readonly JsonObject[];
  readonly ips: readonly JsonObject[];
  readonly routes: readonly JsonObject[];
  readonly dns: JsonObject | undefined;
  readonly fields: JsonObject;
}

/** Throws CniError (invalid configuration). */
export function readPreviousResult(fields: JsonObject | undefined): PreviousResult | undefined {
  if (fields === undefined) return undefined;
  const where = 'prevResult.';
  return {
    interfaces: objectsOf(fields, 'interfaces', where) ?? [],
    ips: objectsOf(fields, 'ips', where) ?? [],
    routes: objectsOf(fields, 'routes', where) ?? [],
    dns: objectOf(fields, 'dns', where),
    fields,
  };
}

/** What ADD prints. `dns` is the configuration's, and counts before what the network says. */
export function formatResult(
  version: CniVersion,
  attachment: Attachment,
  netns: string,
  previous: PreviousResult | undefined,
  dns: DnsSettings | undefined,
): JsonObject {
  const before = previous?.interfaces ?? [];
  const interfaces = [...before, formatInterface(version, attachment.host), formatInterface(version, attachment.container, netns)];
  const ips = attachment.addresses.map(({ address, gateway }) => ({
    ...(hasAddressFamily(version) ? { version: address.includes(':') ? '6' : '4' } : {}),
    address,
    ...(gateway === undefined ? {} : { gateway }),
    interface: interfaces.length - 1,
  }));
  const routes = attachment.routes.map(({ destination, gateway }) => ({
    dst: destination,
    ...(gateway === undefined ? {} : { gw: gateway }),
    ...(isAtLeast110(version) ? { mtu: attachment.container.mtu } : {}),
  }));
  const names = formatDns(dns ?? attachment.dns) ?? previous?.dns;
  return {
    ...previous?.fields,
    cniVersion: version,
    interfaces,
    ips: [...(previous?.ips ?? []), ...ips],
    routes: [...(previous?.routes ?? []), ...routes],
    ...(names === undefined ? {} : { dns: names }),
  };
}

function formatInterface(version: CniVersion, { name, mac, mtu }: AttachedInterface, sandbox?: string): JsonObject {
  return { name, mac, ...(isAtLeast110(version) ? { mtu } : {}), ...(sandbox === undefined ? {} : { sandbox }) };
}

function formatDns(dns: DnsSettings | undefined): JsonObject | undefined {
  if (dns === undefined) return undefined;
  const { nameservers, domain, search, options } = dns;
  return { nameservers, ...(domain === undefined ? {} : { domain }), search, options };
}

/**
 * What the result that a runtime kept says otherwise than this plugin made it; undefined when it agrees. Plugins behind this one may
 * have added to it and changed routes.
 */
export function disagreement({ interfaces, ips }: PreviousResult, attachment: Attachment, netns: string): string | undefined {
  const { name, mac } = attachment.container;
  const found = interfaces.find((entry) => textOf(entry, 'name') === name && textOf(entry, 'sandbox') === netns);
  if (found === undefined) return `prevResult has no interface ${name} in ${netns}`;
  const macThere = textOf(found, 'mac');
  if (macThere?.toLowerCase() !== mac) return `prevResult has MAC ${macThere ?? 'none'} for ${name}, which was made with ${mac}`;
  const missing = attachment.addresses.find(({ address }) => !ips.some((entry) => memberOf(entry, 'address') === address));
  return missing === undefined ? undefined : `prevResult lacks the address ${missing.address} of ${name}`;
}
