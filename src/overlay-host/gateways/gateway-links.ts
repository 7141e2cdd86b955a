import { existsSync } from 'node:fs';
import { WeatherError } from '../../base/errors.ts';
import { addAddress, decodeAddress, deleteAddress, dumpAddresses, type InterfaceAddress } from '../../kernel/netlink/address-message.ts';
import { findLink } from '../../kernel/netlink/find-link.ts';
import { findRoutes } from '../../kernel/netlink/find-routes.ts';
import { addressText } from '../../kernel/netlink/ip-address.ts';
import { changeLink, decodeLink, deleteLink, dumpLinks, type Link } from '../../kernel/netlink/link-message.ts';
import { errorNumbers, NetlinkError } from '../../kernel/netlink/netlink-error.ts';
import { NetlinkSocket } from '../../kernel/netlink/netlink-socket.ts';
import {
  createNamedNamespace,
  deleteNamedNamespace,
  inNamespace,
  NetworkNamespace,
  pathOf,
} from '../../kernel/netlink/network-namespace.ts';
import { createPodInterface } from '../../kernel/netlink/pod-interface.ts';
import { addRoute, deleteRoute, type Route } from '../../kernel/netlink/route-message.ts';
import type { SocketCalls } from '../../kernel/netlink/socket-calls.ts';
import { hexOf, octetsOf, type AddressHex, type Prefix } from '../../overlay/control/address.ts';
import { gatewayMacOf, routerMac } from '../../overlay/control/routes.ts';
import { isIpv4, mappedIpv4, parseAddress } from '../../overlay/packet/address.ts';
import { innerNames, namespaceRules, pairAddresses, pairLimit, wayOutPrefix } from './gateway-rules.ts';
import { writeSetting } from './host-forwarding.ts';
import { ownNamespaceTag } from '../pods/own-namespace.ts';
import { applyRules } from './packet-filter.ts';

/** What there is of a gateway. */
export interface FoundGateway {
  readonly vni: number;
  /** Root side of the link into the VPC. */
  readonly port: Link;
  readonly hasWayOut: boolean;
  /** Endpoints of the VPC that are in the namespace. */
  readonly addresses: readonly AddressHex[];
}

export interface GatewayLinksOptions {
  readonly calls: SocketCalls;
  readonly transmitChecksumOffload: boolean;
}

const portPrefix = 'cvp';
const aliasPrefix = 'caravan-gateway ';
/** Ends the alias of a link that has all that belongs to it: a daemon may be killed half way. */
const readySuffix = ' ready';
/** The next hops towards the pods: behind them is the agent, which answers no questions of a gateway. */
const routers = { ipv4: parseAddress('169.254.1.1')!, ipv6: parseAddress('fe80::1')! } as const;
const everyIpv4 = { address: new Uint8Array(4), prefixLength: 0 } as const;
const everyIpv6 = { address: new Uint8Array(16), prefixLength: 0 } as const;
const mappedBits = 96;
const loopback = 'lo';
const globalScope = 0;

/**
 * The namespaces of VPCs at this host and their links, as the kernel has them: known by their names, so that nothing else need be remembered.
 * All methods throw or reject with WeatherError.
 */
export class GatewayLinks {
  readonly #options: GatewayLinksOptions;
  readonly #suffix: string;

  constructor(options: GatewayLinksOptions) {
    this.#options = options;
    const tag = ownNamespaceTag();
    this.#suffix = tag === '' ? '' : `-${tag}`;
  }

  /** All that are whole. What is left of others is taken away with `remove`. */
  list(): { readonly whole: readonly FoundGateway[]; readonly broken: readonly number[] } {
    using socket = new NetlinkSocket(this.#options.calls);
    const links = socket.dump(dumpLinks(), decodeLink).filter((link) => link.alias?.startsWith(aliasPrefix) === true);
    const vnis = [...new Set(links.map(({ alias = '' }) => Number(alias.slice(aliasPrefix.length).split(' ')[0])))];
    const whole = vnis.flatMap((vni): FoundGateway[] => {
      const isReady = ({ alias = '' }: Link): boolean => alias.endsWith(readySuffix);
      const port = links.find((link) => link.name === portPrefix + vni && isReady(link));
      if (port === undefined || !existsSync(this.namespacePath(vni))) return [];
      const addresses = this.#addressesIn(vni);
      if (addresses === undefined) return [];
      return [{ vni, port, hasWayOut: links.some((link) => link.name === wayOutPrefix + vni && isReady(link)), addresses }];
    });
    return { whole, broken: vnis.filter((vni) => !whole.some((gateway) => gateway.vni === vni)) };
  }

  namespacePath(vni: number): string {
    return pathOf(this.#namespaceName(vni));
  }

  /** The namespace and its link into the VPC. Gives the index of the root side. */
  async create(vni: number, mtu: number): Promise<number> {
    const { calls, transmitChecksumOffload } = this.#options;
    await this.remove(vni);
    using namespace = createNamedNamespace(calls, this.#namespaceName(vni));
    try {
      inNamespace(calls, namespace, () => {
        writeSetting('ipv4/ip_forward', '1');
        writeSetting('ipv6/conf/all/forwarding', '1');
      });
      const { hostIndex } = await createPodInterface(calls, {
        hostName: portPrefix + vni,
        podName: innerNames.vpc,
        podNamespace: namespace,
        podMac: octetsOf(gatewayMacOf(vni)),
        mtu,
        alias: aliasPrefix + vni,
        addresses: [],
        routes: [],
        neighbours: [routers.ipv4, routers.ipv6].map((address) => ({ address, mac: octetsOf(routerMac) })),
        transmitChecksumOffload,
      });
      using inner = new NetlinkSocket(calls, namespace);
      await inner.runAway([changeLink(loopback, { up: true })]);
      await this.#setReady(hostIndex, vni);
      return hostIndex;
    } catch (error) {
      await this.remove(vni);
      throw error;
    }
  }

  /** The VPC's prefixes lead into the VPC, with the MTU of each; nothing else does. */
  async setRoutes(vni: number, prefixes: readonly (Prefix & { readonly mtu: number })[]): Promise<void> {
    await this.#inside(vni, async (socket, link) => {
      const wanted = prefixes.map(({ address, length, mtu }): Route => {
        const octets = octetsOf(address);
        const prefixLength = isIpv4(octets) ? length - mappedBits : length;
        const gateway = isIpv4(octets) ? routers.ipv4 : routers.ipv6;
        return { destination: { address: octets, prefixLength }, linkIndex: link.index, gateway, onLink: true, mtu };
      });
      const found = findRoutes(socket, (route) => route.linkIndex === link.index && route.gateway !== undefined);
      const isSame = (one: Route, other: Route): boolean => routeText(one) === routeText(other);
      const requests = [
        ...found.filter((route) => !wanted.some((other) => isSame(route, other))).map((route) => deleteRoute(route)),
        ...wanted.filter((route) => !found.some((other) => isSame(route, other))).map((route) => addRoute(route)),
      ];
      if (requests.length > 0) await socket.runAway(requests);
    });
  }

  /** Endpoints of the VPC that are in the namespace. */
  async setAddresses(vni: number, addresses: readonly AddressHex[]): Promise<void> {
    await this.#inside(vni, async (socket, link) => {
      const wanted = addresses.map((address) => hostAddress(octetsOf(address)));
      const found = addressesOf(socket, link);
      const text = ({ address }: InterfaceAddress): string => addressText(address);
      const requests = [
        ...found.filter((one) => !wanted.some((other) => text(other) === text(one))).map((one) => deleteAddress(link.index, one)),
        ...wanted.filter((one) => !found.some((other) => text(other) === text(one))).map((one) => addAddress(link.index, one)),
      ];
      if (requests.length > 0) await socket.runAway(requests);
    });
  }

  /** The link to the host, and NAT in the namespace. `pair`: see `pairAddresses`. */
  async createWayOut(vni: number, mtu: number, hasIpv6: boolean): Promise<void> {
    const { calls } = this.#options;
    await this.removeWayOut(vni);
    using namespace = new NetworkNamespace(this.namespacePath(vni));
    await applyRules(calls, namespaceRules(), namespace);
    const { ipv4, ipv6 } = pairAddresses(this.#freePair());
    const at = (text: string): Uint8Array => parseAddress(text)!;
    const { hostIndex, podIndex } = await createPodInterface(calls, {
      hostName: wayOutPrefix + vni,
      podName: innerNames.host,
      podNamespace: namespace,
      podMac: octetsOf(gatewayMacOf(vni)),
      mtu,
      alias: aliasPrefix + vni,
      addresses: [],
      routes: [],
      transmitChecksumOffload: true,
    });
    const address = (text: string, prefixLength: number): InterfaceAddress => ({ address: at(text), prefixLength });
    using host = new NetlinkSocket(calls);
    using inner = new NetlinkSocket(calls, namespace);
    const pairs = [{ of: ipv4, length: 31, every: everyIpv4 }, ...(hasIpv6 ? [{ of: ipv6, length: 127, every: everyIpv6 }] : [])];
    await host.runAway(pairs.map(({ of, length }) => addAddress(hostIndex, address(of[0], length))));
    await inner.runAway(pairs.map(({ of, length }) => addAddress(podIndex, address(of[1], length))));
    await inner.runAway(
      pairs.map(({ of, every }) => addRoute({ destination: every, linkIndex: podIndex, gateway: at(of[0]), onLink: true })),
    );
    await this.#setReady(hostIndex, vni);
  }

  async #setReady(linkIndex: number, vni: number): Promise<void> {
    using socket = new NetlinkSocket(this.#options.calls);
    await socket.runAway([changeLink(linkIndex, { alias: aliasPrefix + String(vni) + readySuffix })]);
  }

  async removeWayOut(vni: number): Promise<void> {
    await this.#deleteLink(wayOutPrefix + vni);
  }

  async remove(vni: number): Promise<void> {
    await this.#deleteLink(wayOutPrefix + vni);
    await this.#deleteLink(portPrefix + vni);
    deleteNamedNamespace(this.#options.calls, this.#namespaceName(vni));
  }

  /** The smallest pair that no link has. */
  #freePair(): number {
    using socket = new NetlinkSocket(this.#options.calls);
    const taken = new Set(socket.dump(dumpAddresses(), decodeAddress).map(({ address }) => addressText(address)));
    for (let pair = 0; pair < pairLimit; pair++) if (!taken.has(pairAddresses(pair).ipv4[0])) return pair;
    throw new WeatherError('gateways-full', `this host has ${pairLimit} ways out already`, {
      remedy: 'let other hosts do it: spec.egress.hosts',
    });
  }

  /** Undefined when the namespace has no link into the VPC. */
  #addressesIn(vni: number): readonly AddressHex[] | undefined {
    const { calls } = this.#options;
    try {
      using namespace = new NetworkNamespace(this.namespacePath(vni));
      using socket = new NetlinkSocket(calls, namespace);
      const link = findLink(socket, innerNames.vpc);
      return link === undefined ? undefined : addressesOf(socket, link).map(({ address }) => hexOf(mappedAddress(address)));
    } catch (error) {
      if (error instanceof WeatherError) return undefined;
      throw error;
    }
  }

  async #inside(vni: number, work: (socket: NetlinkSocket, link: Link) => Promise<void>): Promise<void> {
    const { calls } = this.#options;
    using namespace = new NetworkNamespace(this.namespacePath(vni));
    using socket = new NetlinkSocket(calls, namespace);
    const link = findLink(socket, innerNames.vpc);
    if (link === undefined) throw new NetlinkError('no-link', `${namespace.path} has no ${innerNames.vpc}`, errorNumbers.noDevice);
    await work(socket, link);
  }

  async #deleteLink(name: string): Promise<void> {
    using socket = new NetlinkSocket(this.#options.calls);
    if (findLink(socket, name) !== undefined) await socket.runAway([deleteLink(name)]);
  }

  #namespaceName(vni: number): string {
    return `caravan-vpc-${vni}${this.#suffix}`;
  }
}

function hostAddress(address: Uint8Array): InterfaceAddress {
  return { address, prefixLength: isIpv4(address) ? 32 : 128 };
}

function routeText({ destination, mtu }: Route): string {
  return `${addressText(destination.address)}/${destination.prefixLength} ${mtu}`;
}

function addressesOf(socket: NetlinkSocket, { index }: Link): InterfaceAddress[] {
  return socket.dump(dumpAddresses(index), decodeAddress).filter(({ linkIndex, scope }) => linkIndex === index && scope === globalScope);
}

function mappedAddress(address: Uint8Array): Uint8Array {
  return address.length === 4 ? mappedIpv4(address) : address;
}
