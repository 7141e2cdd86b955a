import { WeatherError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { NamespaceSockets, type InternetCalls } from '../../kernel/netlink/namespace-sockets.ts';
import type { SocketCalls } from '../../kernel/netlink/socket-calls.ts';
import type { CatalogView } from '../../overlay/catalog/catalog-view.ts';
import type { Networks, NumberedSubnet, NumberedVpc } from '../../overlay/catalog/networks.ts';
import type { DnsSettings } from '../../overlay/cni/pod-network.ts';
import { octetsOf, type AddressHex } from '../../overlay/control/address.ts';
import type { LocalEndpoint } from '../../overlay/control/host-maps.ts';
import { topLabel, type Zones } from '../../overlay/dns/answer.ts';
import { dnsAddressOf } from '../../overlay/dns/dns-address.ts';
import { readNames, type VpcNames } from '../../overlay/dns/name-table.ts';
import { formatAddress } from '../../overlay/packet/address.ts';
import type { Gateways } from '../gateways/gateways.ts';
import { NameServer } from './names-server.ts';
import { Resolvers, resolversOf } from './names-resolvers.ts';

export interface NamesOptions {
  readonly calls: SocketCalls;
  readonly internet: InternetCalls;
  readonly gateways: Pick<Gateways, 'need' | 'release'>;
  readonly networks: () => Networks;
  readonly catalog: CatalogView;
  /** Of this host. */
  readonly endpoints: () => Iterable<LocalEndpoint>;
  /** A file like resolv.conf(5): where other names are asked for. */
  readonly resolverFile: string;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** What is served for a VPC. */
interface Served {
  readonly server: NameServer;
  readonly sockets: NamespaceSockets;
  /** Addresses that the gateway has for it, as one text. */
  addresses: string;
  subnets: ReadonlySet<number>;
}

/** Who needs the gateway. */
const gatewayUser = 'dns';
/** The last pod of a VPC may be followed by another one: a gateway is not made anew for each. */
const keptAfterMs = 30_000;
/** Names are read again from a catalog that changes no more often than this. */
const readEveryMs = 500;
/** What failed is tried again. */
const againMs = 2000;

/** Answers for names in the VPCs that have pods at this host, at the DNS addresses of their subnets. */
export class Names implements AsyncDisposable {
  readonly #options: NamesOptions;
  readonly #resolvers: Resolvers;
  readonly #served = new Map<number, Served>();
  /** Since when a VPC that is served has no pod here. */
  readonly #idleSinceMs = new Map<number, number>();
  #names: ReadonlyMap<string, VpcNames> = new Map();
  #namesVersion = NaN;
  #namesAtMs = -Infinity;
  #running: Promise<void> | undefined;
  #isDue = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: NamesOptions) {
    this.#options = options;
    this.#resolvers = new Resolvers(resolversOf(options.resolverFile, options.nowMs));
  }

  /** Pods or networks may have changed. Resolves when that is worked off. */
  async update(): Promise<void> {
    this.#isDue = true;
    if (this.#isClosed) return;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    await this.#running;
  }

  /** Whether one more endpoint is nothing new here. */
  serves({ vni, subnetId }: LocalEndpoint): boolean {
    return this.#served.get(vni)?.subnets.has(subnetId) === true && !this.#idleSinceMs.has(vni);
  }

  /** What a pod is told: undefined when its VPC has no DNS. */
  settingsFor(subnetId: number): DnsSettings | undefined {
    const { subnets, vpcs } = this.#options.networks();
    const subnet = subnets.find((candidate) => candidate.subnetId === subnetId);
    const vpc = vpcs.find(({ vni }) => vni === subnet?.vni);
    if (subnet === undefined || vpc === undefined || vpc.dns === 'off') return undefined;
    const domain = `${vpc.name}.${topLabel}`;
    return { nameservers: addressesOf(subnet).map(textOf), domain, search: [domain], options: [] };
  }

  async #run(): Promise<void> {
    while (this.#isDue && !this.#isClosed) {
      this.#isDue = false;
      await this.#converge();
    }
  }

  async #converge(): Promise<void> {
    const { networks, endpoints, nowMs, log } = this.#options;
    const used = new Map<number, Set<number>>();
    for (const { vni, subnetId } of endpoints()) used.set(vni, (used.get(vni) ?? new Set()).add(subnetId));
    const { vpcs, subnets } = networks();
    let again = Infinity;
    const attempt = async (vni: number, action: () => Promise<void>): Promise<void> => {
      try {
        await action();
      } catch (error) {
        if (!(error instanceof WeatherError)) throw error;
        log.warn('DNS of a VPC is not as it should be', { vni, reason: error.message });
        again = Math.min(again, againMs);
      }
    };
    const wanted = new Set<number>();
    for (const vpc of vpcs) {
      const { vni, dns } = vpc;
      const usedSubnets = used.get(vni);
      if (dns === 'off') continue;
      if (usedSubnets === undefined) {
        if (!this.#served.has(vni)) continue;
        const sinceMs = this.#idleSinceMs.get(vni) ?? nowMs();
        this.#idleSinceMs.set(vni, sinceMs);
        if (nowMs() >= sinceMs + keptAfterMs) continue;
        again = Math.min(again, sinceMs + keptAfterMs - nowMs());
        wanted.add(vni);
        continue;
      }
      this.#idleSinceMs.delete(vni);
      wanted.add(vni);
      const addresses = subnets.filter(({ subnetId }) => usedSubnets.has(subnetId)).flatMap(addressesOf);
      await attempt(vni, () => this.#serve(vni, usedSubnets, addresses));
    }
    for (const vni of this.#served.keys()) if (!wanted.has(vni)) await attempt(vni, () => this.#end(vni));
    clearTimeout(this.#timer);
    if (again < Infinity && !this.#isClosed) this.#timer = setTimeout(() => void this.update(), again).unref();
  }

  async #serve(vni: number, usedSubnets: ReadonlySet<number>, addresses: readonly AddressHex[]): Promise<void> {
    const { calls, internet, gateways, nowMs, log } = this.#options;
    const text = addresses.toSorted().join(' ');
    let served = this.#served.get(vni);
    if (served?.addresses === text) {
      // Again: it may not have been able to.
      served.server.listen(addresses.map(textOf));
      return;
    }
    const { namespacePath } = await gateways.need(vni, gatewayUser, addresses);
    if (this.#isClosed) return;
    if (served === undefined) {
      const sockets = new NamespaceSockets(calls, internet, namespacePath);
      const server = new NameServer({ sockets, zones: () => this.#zonesOf(vni), resolvers: this.#resolvers, nowMs, log });
      served = { server, sockets, addresses: text, subnets: usedSubnets };
      this.#served.set(vni, served);
    }
    served.addresses = text;
    served.subnets = usedSubnets;
    served.server.listen(addresses.map(textOf));
  }

  async #end(vni: number): Promise<void> {
    const served = this.#served.get(vni);
    if (served === undefined) return;
    this.#served.delete(vni);
    this.#idleSinceMs.delete(vni);
    served.server[Symbol.dispose]();
    served.sockets[Symbol.dispose]();
    await this.#options.gateways.release(vni, gatewayUser);
  }

  #zonesOf(vni: number): Zones {
    const { catalog } = this.#options;
    const { vpcs } = this.#options.networks();
    const own = vpcs.find((vpc) => vpc.vni === vni);
    const all: readonly NumberedVpc[] =
      own === undefined ? [] : [own, ...vpcs.filter(({ name, peers }) => own.peers.includes(name) && peers.includes(own.name))];
    const names = this.#readNames();
    return {
      vpc: own?.name ?? '',
      prefixes: all.flatMap(({ prefixes }) => prefixes),
      names: new Map(all.flatMap(({ name }): readonly (readonly [string, VpcNames])[] => namesOf(name, names.get(name)))),
      serial: catalog.version,
      forwards: own?.dns === 'forward',
    };
  }

  #readNames(): ReadonlyMap<string, VpcNames> {
    const { catalog, networks, nowMs } = this.#options;
    if (catalog.version !== this.#namesVersion && nowMs() >= this.#namesAtMs + readEveryMs) {
      this.#namesVersion = catalog.version;
      this.#namesAtMs = nowMs();
      this.#names = readNames(networks(), catalog);
    }
    return this.#names;
  }

  /** The gateways stay, and their addresses: the next daemon answers there. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
    for (const { server, sockets } of this.#served.values()) {
      server[Symbol.dispose]();
      sockets[Symbol.dispose]();
    }
    this.#served.clear();
    this.#resolvers[Symbol.dispose]();
  }
}

function namesOf(vpc: string, names: VpcNames | undefined): readonly (readonly [string, VpcNames])[] {
  return [[vpc, names ?? { vpc, addresses: new Map(), branches: new Set(), names: new Map() }]];
}

function addressesOf({ prefixes }: NumberedSubnet): readonly AddressHex[] {
  return prefixes.flatMap((prefix) => dnsAddressOf(prefix) ?? []);
}

function textOf(address: AddressHex): string {
  return formatAddress(octetsOf(address));
}
