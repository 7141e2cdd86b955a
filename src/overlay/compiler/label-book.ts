import { policyPeer } from '../layout/policy.ts';
import type { Labels } from '../resources/resource-types.ts';
import { identityOf, noIdentity } from './identity.ts';
import { labelsIn, labelsText } from './labels.ts';

interface Known {
  readonly vpc: string;
  readonly labels: Labels;
}

export interface IdentityRecord {
  readonly key: string;
  readonly value: Labels;
}

export interface IdentityChange {
  readonly vpc: string;
  readonly identity: number;
  /** None when it was, or is, not known. */
  readonly before: Labels;
  readonly after: Labels;
}

const prefix = 'identity/';

/** What identities stand for: the records `identity/<vpc>/<number>` of the catalog. */
export class LabelBook {
  readonly #byVpc = new Map<string, Map<number, Labels>>();
  readonly #byNumber = new Map<number, Known>();

  /** Whether the key is that of an identity. */
  static isKey(key: string): boolean {
    return key.startsWith(prefix);
  }

  /** What has become of an identity; undefined when nothing has. */
  recordChanged(key: string, value: unknown): IdentityChange | undefined {
    const [, vpc = '', digits = ''] = key.split('/');
    const identity = Number(digits);
    if (!/^\d{1,10}$/.test(digits) || identity === noIdentity || identity >= policyPeer.gateway) return undefined;
    const labels = labelsIn(value);
    const ofVpc = this.#byVpc.get(vpc) ?? new Map<number, Labels>();
    const before = ofVpc.get(identity);
    if (labels === undefined) {
      if (!ofVpc.delete(identity)) return undefined;
      if (this.#byNumber.get(identity)?.vpc === vpc) this.#byNumber.delete(identity);
      if (ofVpc.size === 0) this.#byVpc.delete(vpc);
    } else {
      if (before !== undefined && labelsText(before) === labelsText(labels)) return undefined;
      this.#byVpc.set(vpc, ofVpc.set(identity, labels));
      this.#byNumber.set(identity, { vpc, labels });
    }
    return { vpc, identity, before: before ?? {}, after: labels ?? {} };
  }

  /** Of the records that are known. */
  *keys(): Iterable<string> {
    for (const [vpc, identities] of this.#byVpc) for (const identity of identities.keys()) yield keyOf(vpc, identity);
  }

  /** Labels of an identity; none when it is not known. */
  labelsOf(vpc: string, identity: number): Labels {
    return this.#byVpc.get(vpc)?.get(identity) ?? {};
  }

  identitiesOf(vpc: string): Iterable<readonly [identity: number, labels: Labels]> {
    return this.#byVpc.get(vpc) ?? [];
  }

  /** The number for these labels, and the record that must be in the catalog before it is used. */
  identityFor(vpc: string, labels: Labels): { readonly identity: number; readonly record: IdentityRecord } | undefined {
    const text = labelsText(labels);
    const identity = identityOf(vpc, labels, (number) => {
      const known = this.#byNumber.get(number);
      return known !== undefined && (known.vpc !== vpc || labelsText(known.labels) !== text);
    });
    return identity === undefined ? undefined : { identity, record: { key: keyOf(vpc, identity), value: labels } };
  }
}

function keyOf(vpc: string, identity: number): string {
  return `${prefix}${vpc}/${identity}`;
}
