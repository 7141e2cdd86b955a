import type { ControlValue } from './control-message.ts';
import type { RoutingTrust } from './trust.ts';

/** Statements of issuers (revocations) that are kept: far more than a network of thousands of sites withdraws in its life. */
const maxStatements = 1_024;
/** Octets of one: a signature and the chain of its issuer. */
export const maxStatementOctets = 16_384;
/** Statements whose issuer's certificates are being checked. No link gets more of these places than are left for all others. */
const maxPending = 64;

/** Grows only: the statements of issuers that hold. What they mean is the business of the trust. */
export class Statements {
  readonly #trust: RoutingTrust;
  readonly #held = new Map<string, Uint8Array>();
  readonly #pending = new Map<string, { readonly bytes: Uint8Array; readonly fromLink: number }>();
  #digest = 0;

  constructor(trust: RoutingTrust) {
    this.#trust = trust;
    for (const bytes of trust.statements) this.add(bytes);
  }

  /** A digest of all that are held. */
  get digest(): number {
    return this.#digest;
  }

  get size(): number {
    return this.#held.size;
  }

  /** The names of those held, for a summary. */
  names(): readonly ControlValue[] {
    return [...this.#held.keys()];
  }

  /** Those whose names are not in a list. */
  missingFrom(names: ControlValue | undefined): Uint8Array[] {
    const known = new Set<ControlValue>(Array.isArray(names) ? (names as readonly ControlValue[]).slice(0, maxStatements) : []);
    return [...this.#held].filter(([name]) => !known.has(name)).map(([, bytes]) => bytes);
  }

  /** Keeps a statement that holds; false if it is kept already or there is no room. */
  add(bytes: Uint8Array): boolean {
    const name = nameOf(bytes);
    if (this.#held.has(name) || this.#held.size >= maxStatements) return false;
    this.#held.set(name, bytes.slice());
    this.#digest = (this.#digest + Number.parseInt(name.slice(0, 8), 16)) >>> 0;
    return true;
  }

  /** A statement from a neighbour: `new` if it holds and was not known. */
  receive(bytes: Uint8Array, fromLink: number): 'new' | 'known' | 'pending' | 'refused' {
    const name = nameOf(bytes);
    if (this.#held.has(name)) return 'known';
    if (bytes.length === 0 || bytes.length > maxStatementOctets || this.#held.size >= maxStatements) return 'refused';
    const verdict = this.#trust.statementOf(bytes);
    if (verdict === 'refused') return 'refused';
    if (verdict === 'pending') {
      if (!this.#pending.has(name) && this.#hasPlaceFor(fromLink)) this.#pending.set(name, { bytes: bytes.slice(), fromLink });
      return 'pending';
    }
    // The trust may have handed it to its owner, and the owner back to routing, before it answered.
    this.add(bytes);
    return 'new';
  }

  #hasPlaceFor(link: number): boolean {
    let ofLink = 0;
    for (const { fromLink } of this.#pending.values()) if (fromLink === link) ofLink++;
    return ofLink < maxPending - this.#pending.size;
  }

  /** Those that were pending, to be received again. */
  takePending(): readonly { readonly bytes: Uint8Array; readonly fromLink: number }[] {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    return pending;
  }
}

/** 16 hexadecimal digits that tell statements apart. No secret: issuers are trusted not to make two of one name. */
function nameOf(bytes: Uint8Array): string {
  let one = 0x811c_9dc5;
  let other = bytes.length;
  for (const octet of bytes) {
    one = Math.imul(one ^ octet, 0x0100_0193);
    other = Math.imul(other ^ octet, 0x85eb_ca6b) ^ (other >>> 13);
  }
  return [one, other].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}
