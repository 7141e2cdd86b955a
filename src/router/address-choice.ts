import type { Random } from '../base/random.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import type { ListenerAddressEntity, MultiAddressStrategy } from '../management/service-entities.ts';

/** The addresses that a port leads to: one, or several of which the reachable are chosen by priority or weight. */
export class AddressChoice {
  readonly #forwarder: Forwarder;
  readonly #random: Random;
  readonly #address: string | undefined;
  readonly #strategy: MultiAddressStrategy;
  /** By listenerAddress name; empty for a port of one address. */
  readonly #addresses = new Map<string, ListenerAddressEntity>();

  constructor(forwarder: Forwarder, random: Random, address: string | undefined, strategy: MultiAddressStrategy = 'none') {
    this.#forwarder = forwarder;
    this.#random = random;
    this.#address = address;
    this.#strategy = strategy;
  }

  add(address: ListenerAddressEntity): void {
    this.#addresses.set(address.name, address);
  }

  remove(name: string): void {
    this.#addresses.delete(name);
  }

  /** One address: that, if reachable. Priority: the highest reachable. Weighted: at random among the reachable, by weight. */
  choose(): string | undefined {
    if (this.#strategy === 'none') {
      return this.#address !== undefined && this.#forwarder.reachable(this.#address) ? this.#address : undefined;
    }
    const reachable = [...this.#addresses.values()].filter((entry) => this.#forwarder.reachable(entry.address));
    if (this.#strategy === 'priority') {
      let best: ListenerAddressEntity | undefined;
      for (const entry of reachable) if (best === undefined || entry.value > best.value) best = entry;
      return best?.address;
    }
    let rest = this.#random.number() * reachable.reduce((sum, entry) => sum + entry.value, 0);
    for (const entry of reachable) {
      rest -= entry.value;
      if (rest < 0) return entry.address;
    }
    return reachable.at(-1)?.address;
  }
}
