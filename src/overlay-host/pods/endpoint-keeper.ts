import { WeatherError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Networks } from '../../overlay/catalog/networks.ts';
import type { AttachmentKey } from '../../overlay/cni/cni-environment.ts';
import { CniError } from '../../overlay/cni/cni-error.ts';
import type { CniReply } from '../../overlay/cni/cni-request.ts';
import type { JournalRecord } from '../../overlay/cni/journal.ts';
import type { Attachment } from '../../overlay/cni/pod-network.ts';
import { octetsOf } from '../../overlay/control/address.ts';
import { objectOf } from '../../overlay/control/json-reader.ts';
import { formatAddress } from '../../overlay/packet/address.ts';
import type { EndpointForward, EndpointOffer, Labels } from '../../overlay/resources/resource-types.ts';
import type { Endpoint } from '../../overlay/resources/tenant-network.ts';
import type { StateStore } from '../store/state-store.ts';

/** Endpoints whose ports the daemon serves itself. */
export interface JoinedEndpoints {
  /** The path of a network namespace for one that names none; made when it is not there. */
  namespaceOf(name: string): Promise<string>;
  /**
   * It has its addresses (texts); called again when `forward` or `offer` change, and after each start. Resolves with what cannot be done now, of
   * which the user is told; it is tried again.
   */
  placed(endpoint: {
    readonly name: string;
    readonly netns: string;
    readonly addresses: readonly string[];
    readonly forward: readonly EndpointForward[];
    readonly offer: readonly EndpointOffer[];
  }): Promise<string | undefined>;
  /** Its interface is about to go. */
  gone(name: string): Promise<void>;
  /** Its interface is gone, and so may the namespace that was made for it. */
  removed(name: string): void;
}

export interface EndpointKeeperOptions {
  /** Of this host. */
  readonly hostName: string;
  readonly networks: () => Networks;
  /** A call of the CNI plugin: endpoints are added as pods are. */
  readonly call: (request: Uint8Array) => Promise<CniReply>;
  readonly attachments: () => readonly JournalRecord[];
  readonly check: (key: AttachmentKey, netns: string, attachment: Attachment) => Promise<void>;
  /** Gives the endpoint of an interface other labels, as it stands. */
  readonly relabel: (key: AttachmentKey, labels: Labels) => void;
  /** Without it endpoints that name no network namespace are not made. */
  readonly joined: JoinedEndpoints | undefined;
  readonly store: StateStore;
  /** Sets or, with undefined, deletes a record of the catalog. */
  readonly record: (key: string, value: object | undefined) => void;
  readonly log: Logger;
}

/** What has been made for an endpoint, as it is on the disk. */
interface Made {
  readonly netns: string;
  readonly ifname: string;
  /** What it was made from. */
  readonly wish: string;
}

const storePrefix = 'daemon/endpoint/';
const networkName = 'caravan-endpoints';
const containerPrefix = 'caravan-endpoint-';
/** What failed is tried again, and what was made is looked at, so often. */
const againEveryMs = 5000;

/** Where a host tells what has become of an endpoint: {host, addresses, mac, problem?}. */
export function placedKey(name: string): string {
  return `placed/${name}`;
}

/** Makes the endpoints that resources name at this host, and takes them away again. */
export class EndpointKeeper implements AsyncDisposable {
  readonly #options: EndpointKeeperOptions;
  readonly #made = new Map<string, Made>();
  /** What `joined` has been told. */
  readonly #told = new Map<string, string>();
  #running: Promise<void> | undefined;
  #isDue = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EndpointKeeperOptions) {
    this.#options = options;
    for (const [key, value] of options.store.entries()) {
      const { netns, ifname, wish } = key.startsWith(storePrefix) ? (objectOf(value) ?? {}) : {};
      if (typeof netns !== 'string' || typeof ifname !== 'string' || typeof wish !== 'string') continue;
      this.#made.set(key.slice(storePrefix.length), { netns, ifname, wish });
    }
  }

  /** Resources may have changed. */
  act(): void {
    this.#isDue = true;
    if (this.#isClosed || this.#running !== undefined) return;
    clearTimeout(this.#timer);
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (!this.#isClosed) this.#timer = setTimeout(() => this.act(), againEveryMs);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isDue && !this.#isClosed) {
      this.#isDue = false;
      const wanted = new Map(this.#options.networks().endpoints.flatMap((one) => (this.#isOwn(one) ? [[one.name, one]] : [])));
      for (const [name, made] of this.#made) {
        const endpoint = wanted.get(name);
        if (endpoint === undefined || wishOf(endpoint) !== made.wish) await this.#attempt(name, () => this.#unmake(name, made));
      }
      for (const endpoint of wanted.values()) await this.#attempt(endpoint.name, () => this.#keep(endpoint));
    }
  }

  #isOwn({ host, netns, forward, offer }: Endpoint): boolean {
    const isJoined = this.#options.joined !== undefined && (forward.length > 0 || offer.length > 0);
    return host === this.#options.hostName && (netns !== undefined || isJoined);
  }

  async #attempt(name: string, action: () => Promise<void>): Promise<void> {
    if (this.#isClosed) return;
    try {
      await action();
    } catch (error) {
      if (!(error instanceof WeatherError)) this.#options.log.error('an endpoint failed by a bug', { endpoint: name, cause: error });
      const problem = error instanceof WeatherError ? error.message : 'the daemon failed; its log says more';
      this.#options.record(placedKey(name), { host: this.#options.hostName, addresses: [], mac: '', problem });
    }
  }

  async #keep(endpoint: Endpoint): Promise<void> {
    const { joined, store, record, hostName, log } = this.#options;
    const { name, ifname, forward, offer } = endpoint;
    const isJoined = forward.length > 0 || offer.length > 0;
    const made = this.#made.get(name);
    const netns = endpoint.netns ?? (await joined?.namespaceOf(name)) ?? '';
    let attachment = made === undefined ? undefined : await this.#checked(name, made);
    if (attachment === undefined) {
      // What is left of it: an interface whose namespace is gone.
      if (made !== undefined) await this.#call('DEL', name, made, {});
      store.set(storePrefix + name, { netns, ifname, wish: wishOf(endpoint) } satisfies Made);
      this.#made.set(name, { netns, ifname, wish: wishOf(endpoint) });
      this.#told.delete(name);
      await this.#call('ADD', name, { netns, ifname }, { ...configOf(endpoint), caravan: { labels: endpoint.labels } });
      attachment = this.#attachmentOf(name);
      log.info('an endpoint was made', { endpoint: name, addresses: attachment?.addresses.map(({ address }) => address) });
    }
    this.#options.relabel({ containerId: containerPrefix + name, ifname }, endpoint.labels);
    const addresses = attachment?.addresses.map(({ address }) => address.split('/')[0] ?? '') ?? [];
    const placed = { host: hostName, addresses, mac: attachment?.container.mac ?? '' };
    const ports = JSON.stringify({ forward, offer });
    const isTold = this.#told.get(name) === ports || (!isJoined && !this.#told.has(name));
    const problem = isTold ? undefined : await joined?.placed({ name, netns, addresses, forward, offer });
    record(placedKey(name), problem === undefined ? placed : { ...placed, problem });
    if (problem === undefined && !isTold) this.#told.set(name, ports);
  }

  async #unmake(name: string, made: Made): Promise<void> {
    const { joined, store, record, log } = this.#options;
    await joined?.gone(name);
    this.#told.delete(name);
    await this.#call('DEL', name, made, {});
    joined?.removed(name);
    this.#made.delete(name);
    store.set(storePrefix + name, undefined);
    record(placedKey(name), undefined);
    log.info('an endpoint was deleted', { endpoint: name });
  }

  /** What was made, if it is as it was made. */
  async #checked(name: string, { netns, ifname }: Made): Promise<Attachment | undefined> {
    const attachment = this.#attachmentOf(name);
    if (attachment === undefined) return undefined;
    try {
      await this.#options.check({ containerId: containerPrefix + name, ifname }, netns, attachment);
      return attachment;
    } catch (error) {
      if (!(error instanceof WeatherError || error instanceof CniError)) throw error;
      this.#options.log.warn('an endpoint is not as it was made', { endpoint: name, reason: error.message });
      return undefined;
    }
  }

  #attachmentOf(name: string): Attachment | undefined {
    for (const one of this.#options.attachments()) {
      if (one.record === 'added' && one.key.containerId === containerPrefix + name) return one.attachment;
    }
    return undefined;
  }

  async #call(command: 'ADD' | 'DEL', name: string, { netns, ifname }: Pick<Made, 'netns' | 'ifname'>, more: object): Promise<void> {
    const env = { CNI_COMMAND: command, CNI_CONTAINERID: containerPrefix + name, CNI_NETNS: netns, CNI_IFNAME: ifname };
    const config = JSON.stringify({ cniVersion: '1.1.0', name: networkName, type: 'caravan-cni', ...more });
    const { exitStatus, text } = await this.#options.call(new TextEncoder().encode(JSON.stringify({ env, config })));
    if (exitStatus === 0) return;
    const { msg, details } = objectOf(JSON.parse(text)) ?? {};
    const message = typeof msg === 'string' ? msg : 'the interface could not be made';
    throw new WeatherError('endpoint', typeof details === 'string' && details !== '' ? `${message} (${details})` : message);
  }
}

/** The configuration of its interface, without the labels, which may change. */
function configOf({ vpc, subnet, addresses, mac }: Endpoint): object {
  return {
    vpc,
    subnet,
    runtimeConfig: {
      ips: addresses.map((address) => formatAddress(octetsOf(address))),
      ...(mac === undefined ? {} : { mac: mac.replaceAll(/(..)(?=.)/g, '$1:') }),
    },
  };
}

/** What an interface cannot change without being made anew. */
function wishOf(endpoint: Endpoint): string {
  return JSON.stringify([configOf(endpoint), endpoint.netns, endpoint.ifname]);
}
