import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A person copies the link from a terminal to a browser; what is not used by then is a link that somebody may find. */
export const loginCodeLifetimeMs = 60_000;
/** Links asked for and not used yet. Whoever may ask owns the site, so the oldest makes room. */
const maxCodes = 16;

/** Codes of login links: 256 random bits, good for one login within a minute, kept as hashes. */
export class LoginCodes {
  readonly #nowMs: () => number;
  #codes: { readonly hash: Buffer; readonly expiresMs: number }[] = [];

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  issue(): string {
    const code = randomBytes(32).toString('base64url');
    this.#codes = [...this.#codes, { hash: hashOf(code), expiresMs: this.#nowMs() + loginCodeLifetimeMs }].slice(-maxCodes);
    return code;
  }

  /** Whether the code is good; it is not from then on. Takes the same time whatever is wrong with it. */
  redeem(code: string): boolean {
    const hash = hashOf(code);
    const nowMs = this.#nowMs();
    let isGood = false;
    this.#codes = this.#codes.filter((candidate) => {
      const isMeant = timingSafeEqual(candidate.hash, hash);
      if (isMeant && nowMs < candidate.expiresMs) isGood = true;
      return !isMeant && nowMs < candidate.expiresMs;
    });
    return isGood;
  }
}

function hashOf(code: string): Buffer {
  return createHash('sha256').update(code).digest();
}
