import { cniCode, CniError } from './cni-error.ts';

/** Versions of the specification that are spoken, oldest first. `cni/caravan-cni.c` has the same list. */
export const supportedVersions = ['0.4.0', '1.0.0', '1.1.0'] as const;

export type CniVersion = (typeof supportedVersions)[number];

export const latestVersion: CniVersion = '1.1.0';

/** Throws CniError (incompatible version). A configuration without a version counts as 0.1.0, as the specification says. */
export function readVersion(value: unknown): CniVersion {
  const version = supportedVersions.find((candidate) => candidate === value);
  if (version !== undefined) return version;
  const given = typeof value === 'string' ? value.slice(0, 32) : value === undefined ? '0.1.0' : 'no text';
  throw new CniError(
    cniCode.incompatibleVersion,
    `cniVersion '${given}' is not supported`,
    `supported are ${supportedVersions.join(', ')}`,
  );
}

/** Whether the commands STATUS and GC, and MTUs in results, exist in `version`. */
export function isAtLeast110(version: CniVersion): boolean {
  return version === '1.1.0';
}

/** Whether addresses in results carry a family of their own. */
export function hasAddressFamily(version: CniVersion): boolean {
  return version === '0.4.0';
}
