import { policyPeer } from '../layout/policy.ts';
import type { Labels } from '../resources/resource-types.ts';
import { labelsText } from './labels.ts';
import { textHash } from './text-hash.ts';

/*
 * An identity is a number that stands for a set of labels in a VPC: policies are about identities, and packets of new flows carry that of
 * their sender. Every host makes it of the labels by itself and writes `identity/<vpc>/<number>` before it is used.
 */

/** Nothing is known of the endpoint. */
export const noIdentity = 0;

/** So many hashes in a row that belong to others do not happen by chance. */
const saltsLimit = 64;

/**
 * The number of these labels in this VPC. `isTaken`: whether it stands for other labels, or for those of another VPC; peers see each other's.
 * The same everywhere as long as hosts know of the same numbers. Undefined when none is found.
 */
export function identityOf(vpc: string, labels: Labels, isTaken: (identity: number) => boolean): number | undefined {
  const text = `${vpc} ${labelsText(labels)}`;
  for (let salt = 0; salt < saltsLimit; salt++) {
    const identity = textHash(text, salt) & 0x7fffffff;
    if (identity !== noIdentity && identity !== policyPeer.gateway && !isTaken(identity)) return identity;
  }
  return undefined;
}
