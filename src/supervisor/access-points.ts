import { hostname, networkInterfaces } from 'node:os';
import { isHost } from '../pki/ip-address.ts';
import { maxHosts } from '../pki/redemption-protocol.ts';
import { acceptsLinks, defaultLinkPort, entityNames } from '../site/derive.ts';
import { plainHost } from '../site/derive-services.ts';
import { resourcesOf, type Resource } from '../site/resource-types.ts';

/** A port where the site accepts links, as others reach it. */
export interface AccessPoint {
  /** Name of the router's listener. */
  readonly listener: string;
  /** What the user said it is reached by, or the best guess; never empty. */
  readonly hosts: readonly string[];
  /** 0 = whichever is free. */
  readonly port: number;
}

/** Names and addresses of the machine. */
export interface MachineNames {
  /** The address others are most likely to reach it by. */
  readonly address: string;
  readonly names: readonly string[];
}

const wildcards: readonly string[] = ['', '0.0.0.0', '::'];
const loopback = '127.0.0.1';

/** Where the site accepts links. RouterAccess says it in detail; without any, the Site's linkAccess counts. */
export function accessPoints(resources: readonly Resource[], machine: MachineNames): readonly AccessPoint[] {
  const detailed = resourcesOf(resources, 'RouterAccess').map((access): AccessPoint => {
    const { roles, subjectAlternativeNames = [], bindHost, accessType } = access.spec;
    const bound = plainHost(bindHost ?? (accessType === 'local' ? loopback : ''));
    const named = subjectAlternativeNames.map(plainHost);
    return {
      listener: entityNames(access)[0] ?? '',
      hosts: named.length > 0 ? named : [wildcards.includes(bound) ? machine.address : bound],
      port: roles.find(({ name }) => name === 'inter-router')?.port ?? defaultLinkPort,
    };
  });
  if (detailed.length > 0) return detailed;
  const [site] = resourcesOf(resources, 'Site');
  if (site === undefined || !acceptsLinks(site)) return [];
  const host = site.spec.linkAccess === 'local' ? loopback : machine.address;
  return [{ listener: entityNames(site)[0] ?? '', hosts: [host], port: defaultLinkPort }];
}

/**
 * Names and addresses for the site's certificate: those it is reached by, then those of the machine. In a network of our own
 * nobody looks at them; a skupper-router that links to this site does.
 */
export function certificateHosts(points: readonly AccessPoint[], machine: MachineNames): readonly string[] {
  if (points.length === 0) return [];
  return [...new Set([...points.flatMap(({ hosts }) => hosts), machine.address, ...machine.names])].filter(isHost).slice(0, maxHosts);
}

/** The names of this machine. */
export function machineNames(): MachineNames {
  const addresses = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address);
  return { address: addresses[0] ?? loopback, names: [hostname(), ...addresses.slice(1), 'localhost', loopback] };
}
