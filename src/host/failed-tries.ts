import { parseIpv6 } from '../pki/ip-address.ts';

/**
 * Counts failed tries per remote address in a sliding minute. Only failures count, so many sites behind one address may
 * redeem at the same time, and the loser of a race with the right code is not taken for a guesser.
 */
export class FailedTries {
  readonly #nowMs: () => number;
  /** Times of failures by address, oldest first; addresses in the order of their latest failure. */
  readonly #failures: Map<string, number[]> = new Map<string, number[]>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Whether the address has to wait. */
  isBlocked(remoteAddress: string): boolean {
    return this.#recent(addressKey(remoteAddress)).length >= maxFailuresPerMinute;
  }

  add(remoteAddress: string): void {
    const key = addressKey(remoteAddress);
    const recent = this.#recent(key);
    recent.push(this.#nowMs());
    this.#failures.delete(key);
    if (this.#failures.size >= maxAddresses) {
      const [longestQuiet] = this.#failures.keys();
      if (longestQuiet !== undefined) this.#failures.delete(longestQuiet);
    }
    this.#failures.set(key, recent.slice(-maxFailuresPerMinute));
  }

  #recent(key: string): number[] {
    const since = this.#nowMs() - windowMs;
    return (this.#failures.get(key) ?? []).filter((atMs) => atMs > since);
  }
}

/** A person who mistypes needs two or three; a code of 192 bits cannot be guessed at any rate, this keeps the log readable. */
export const maxFailuresPerMinute = 10;
const windowMs = 60_000;
/** Addresses remembered, about 200 bytes each. When full, the one that has been quiet for longest is forgotten. */
const maxAddresses = 4096;

/** One host with IPv6 has a whole /64 of addresses, so those count as one. */
function addressKey(remoteAddress: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(remoteAddress);
  if (mapped?.[1] !== undefined) return mapped[1];
  const prefix = parseIpv6(remoteAddress)?.subarray(0, 8);
  return prefix === undefined ? remoteAddress : prefix.toHex();
}
