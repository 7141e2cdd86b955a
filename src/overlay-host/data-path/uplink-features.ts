import type { Logger } from '../../base/log.ts';
import { datagramBatching, readFeatures, setFeatures } from '../../kernel/netlink/features.ts';
import { findLink } from '../../kernel/netlink/find-link.ts';
import { NetlinkSocket } from '../../kernel/netlink/netlink-socket.ts';
import type { SocketCalls } from '../../kernel/netlink/socket-calls.ts';
import type { StateStore } from '../store/state-store.ts';

const storeKey = 'daemon/uplinkFeatures';

interface SwitchedOff {
  readonly link: string;
  readonly features: readonly string[];
}

/** Features of the uplink that transit at tc cannot live with: off while it is there, and what they were before is remembered. */
export class UplinkFeatures {
  readonly #calls: SocketCalls;
  readonly #store: StateStore;
  readonly #log: Logger;

  constructor(calls: SocketCalls, store: StateStore, log: Logger) {
    this.#calls = calls;
    this.#store = store;
    this.#log = log;
  }

  /** Rejects with NetlinkError, or with WeatherError when it cannot be remembered. */
  async switchOff(link: string): Promise<void> {
    if (this.#known?.link !== link) await this.restore();
    using socket = new NetlinkSocket(this.#calls);
    const features = readFeatures(this.#calls, socket, link);
    const on = datagramBatching.filter((feature) => features.has(feature));
    if (on.length === 0) return;
    this.#store.set(storeKey, { link, features: [...new Set([...(this.#known?.features ?? []), ...on])] });
    await this.#store.saved();
    await setFeatures(this.#calls, socket, link, { on: [], off: on });
    this.#log.info('features of the uplink are off while transit is at tc', { link, features: on.join(', ') });
  }

  /** Switches on what was switched off here; a link that is gone needs nothing. Rejects with NetlinkError. */
  async restore(): Promise<void> {
    const known = this.#known;
    if (known === undefined) return;
    using socket = new NetlinkSocket(this.#calls);
    if (findLink(socket, known.link) !== undefined) {
      await setFeatures(this.#calls, socket, known.link, { on: known.features, off: [] });
    }
    this.#store.set(storeKey, undefined);
    await this.#store.saved();
  }

  get #known(): SwitchedOff | undefined {
    const { link, features } = (this.#store.get(storeKey) ?? {}) as Partial<SwitchedOff>;
    return typeof link === 'string' && Array.isArray(features) ? { link, features } : undefined;
  }
}
