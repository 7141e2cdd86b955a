import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { Consumer } from '../../forwarding/leg.ts';

/** Addresses that are kept for one router: as many as it may be sent requests at a time in the usual case. */
const maxKeptPerRouter = 64;
/** Routers that addresses are kept for. */
const maxRouters = 256;

/**
 * Addresses for answers. One that a whole answer has come to serves the next request to the same router, because texts that both routers know
 * already cost them little. Another router never gets it: who knew the address could send an answer there.
 */
export class ReplyAddresses {
  readonly #forwarder: Forwarder;
  readonly #kept = new Map<string, string[]>();
  #lastRouter = '';
  #lastKept: string[] = [];

  constructor(forwarder: Forwarder) {
    this.#forwarder = forwarder;
  }

  /** An address that leads to `consumer`. */
  take(routerId: string | undefined, consumer: Consumer): string {
    const address = routerId === undefined ? undefined : this.#of(routerId)?.pop();
    if (address === undefined) return this.#forwarder.addTemporary(consumer);
    this.#forwarder.bindTemporary(address, consumer);
    return address;
  }

  /** The answer has come: nobody has a reason to send there. */
  giveBack(routerId: string | undefined, address: string): void {
    const kept = routerId === undefined ? undefined : this.#of(routerId);
    if (kept === undefined || kept.length >= maxKeptPerRouter) this.#forwarder.removeTemporary(address);
    else {
      this.#forwarder.parkTemporary(address);
      kept.push(address);
    }
  }

  #of(routerId: string): string[] | undefined {
    if (routerId === this.#lastRouter) return this.#lastKept;
    let kept = this.#kept.get(routerId);
    if (kept === undefined) {
      if (this.#kept.size >= maxRouters) return undefined;
      kept = [];
      this.#kept.set(routerId, kept);
    }
    this.#lastRouter = routerId;
    this.#lastKept = kept;
    return kept;
  }

  stop(): void {
    for (const kept of this.#kept.values()) for (const address of kept.splice(0)) this.#forwarder.removeTemporary(address);
    this.#kept.clear();
    this.#lastRouter = '';
    this.#lastKept = [];
  }
}
