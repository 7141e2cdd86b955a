import { policyPeer } from '../layout/policy.ts';
import type { Labels } from '../resources/resource-types.ts';
import { identityOf, noIdentity } from './identity.ts';
import { labelsIn, labelsText } from './labels.ts';

/**
 * A record of the catalog: `identity/<vpc>/<number>` is `{ "labels": { "app": "web" }, "day": 20778 }`. On the day (since 1970) a host that has
 * endpoints with these labels last said so; hosts say so once a day.
 */
export interface IdentityRecord {
  readonly key: string;
  readonly value: { readonly labels: Labels; readonly day: number };
}

/** An identity as the catalog has it. */
export interface KnownIdentity {
  readonly vpc: string;
  readonly identity: number;
  readonly labels: Labels;
  readonly day: number;
}

export interface IdentityChange {
  readonly vpc: string;
  readonly identity: number;
  /** None when it was, or is, not known. */
  readonly before: KnownIdentity | undefined;
  readonly after: KnownIdentity | undefined;
}

const prefix = 'identity/';
/** A day is later than it was. */
const mostDays = 1_000_000;

/** What identities stand for: the records `identity/<vpc>/<number>` of the catalog. */
export class LabelBook {
  readonly #byVpc = new Map<string, Map<number, KnownIdentity>>();
  readonly #byNumber = new Map<number, KnownIdentity>();

  /** Whether the key is that of an identity. */
  static isKey(key: string): boolean {
    return key.startsWith(prefix);
  }

  /** What has become of the labels of an identity; undefined when nothing has. */
  recordChanged(key: string, value: unknown): IdentityChange | undefined {
    const [, vpc = '', digits = ''] = key.split('/');
    const identity = Number(digits);
    if (!/^\d{1,10}$/.test(digits) || identity === noIdentity || identity >= policyPeer.gateway) return undefined;
    const ofVpc = this.#byVpc.get(vpc) ?? new Map<number, KnownIdentity>();
    const before = ofVpc.get(identity);
    const after = readKnown(vpc, identity, value);
    if (after === undefined) {
      if (before === undefined) return undefined;
      ofVpc.delete(identity);
      if (this.#byNumber.get(identity) === before) this.#byNumber.delete(identity);
      if (ofVpc.size === 0) this.#byVpc.delete(vpc);
    } else {
      this.#byVpc.set(vpc, ofVpc.set(identity, after));
      this.#byNumber.set(identity, after);
      if (before !== undefined && labelsText(before.labels) === labelsText(after.labels)) return undefined;
    }
    return { vpc, identity, before, after };
  }

  *all(): Iterable<KnownIdentity> {
    for (const identities of this.#byVpc.values()) yield* identities.values();
  }

  /** Labels of an identity; none when it is not known. */
  labelsOf(vpc: string, identity: number): Labels {
    return this.#byVpc.get(vpc)?.get(identity)?.labels ?? {};
  }

  *identitiesOf(vpc: string): Iterable<readonly [identity: number, labels: Labels]> {
    for (const { identity, labels } of this.#byVpc.get(vpc)?.values() ?? []) yield [identity, labels];
  }

  /** The number for these labels, and the record that must be in the catalog before it is used. */
  identityFor(vpc: string, labels: Labels, day: number): { readonly identity: number; readonly record: IdentityRecord } | undefined {
    const text = labelsText(labels);
    const identity = identityOf(vpc, labels, (number) => {
      const known = this.#byNumber.get(number);
      return known !== undefined && (known.vpc !== vpc || labelsText(known.labels) !== text);
    });
    return identity === undefined ? undefined : { identity, record: identityRecord({ vpc, identity, labels, day }) };
  }
}

export function identityRecord({ vpc, identity, labels, day }: KnownIdentity): IdentityRecord {
  return { key: `${prefix}${vpc}/${identity}`, value: { labels, day } };
}

function readKnown(vpc: string, identity: number, value: unknown): KnownIdentity | undefined {
  const { labels: given, day } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const labels = labelsIn(given);
  if (labels === undefined) return undefined;
  return { vpc, identity, labels, day: typeof day === 'number' && day >= 0 && day <= mostDays ? day : 0 };
}
