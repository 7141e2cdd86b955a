import { lookup } from 'node:dns';
import { isIP } from 'node:net';

/** What a name means is asked again after this time. */
const freshMs = 10_000;

/** The address of a host that is asked for often; a name is looked up once in a while, and once at a time. */
export class ResolvedHost {
  readonly #host: string;
  readonly #nowMs: () => number;
  #address: string | undefined;
  #resolvedMs = -Infinity;
  #asking: { found: (address: string) => void; failed: (error: Error) => void }[] | undefined;

  constructor(host: string, nowMs: () => number) {
    this.#host = host;
    this.#nowMs = nowMs;
    if (isIP(host) === 0) return;
    this.#address = host;
    this.#resolvedMs = Infinity;
  }

  /** Calls one of both: `found` now if the address is known, else either later. */
  resolve(found: (address: string) => void, failed: (error: Error) => void): void {
    if (this.#address !== undefined && this.#nowMs() - this.#resolvedMs < freshMs) {
      found(this.#address);
      return;
    }
    if (this.#asking !== undefined) {
      this.#asking.push({ found, failed });
      return;
    }
    const asking = [{ found, failed }];
    this.#asking = asking;
    lookup(this.#host, (error, address) => {
      this.#asking = undefined;
      if (error === null) {
        this.#address = address;
        this.#resolvedMs = this.#nowMs();
      }
      for (const question of asking) {
        if (error === null) question.found(address);
        else question.failed(error);
      }
    });
  }
}
