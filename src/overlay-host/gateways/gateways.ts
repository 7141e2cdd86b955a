import { WeatherError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { decodeAddress, dumpAddresses } from '../../kernel/netlink/address-message.ts';
import { NetlinkSocket } from '../../kernel/netlink/netlink-socket.ts';
import type { SocketCalls } from '../../kernel/netlink/socket-calls.ts';
import { octetsOf, type AddressHex, type MacHex, type Prefix } from '../../overlay/control/address.ts';
import { gatewayMacOf, type LocalGateway } from '../../overlay/control/routes.ts';
import { ipv4Octets } from '../../overlay/packet/address.ts';
import { hostRules, innerNames, noRules } from './gateway-rules.ts';
import type { GatewayLinks } from './gateway-links.ts';
import type { HostForwarding } from './host-forwarding.ts';
import { applyRules } from './packet-filter.ts';
import type { PodAgents } from '../data-path/pod-agents.ts';

/** The gateway of a VPC at this host. */
export interface Gateway {
  readonly vni: number;
  /** Of its network namespace. */
  readonly namespacePath: string;
  /** Root side of its link into the VPC. */
  readonly ifindex: number;
  /** Name of the other end of that link, in the namespace. */
  readonly innerName: string;
  readonly mac: MacHex;
}

/** The user that makes a gateway a way out. */
export const wayOutUser = 'egress';

export interface GatewaysOptions {
  readonly calls: SocketCalls;
  readonly links: GatewayLinks;
  readonly forwarding: HostForwarding;
  readonly agents: Pick<PodAgents, 'attach' | 'forget'>;
  readonly log: Logger;
  /** Of pods, and of the underlay, in octets. */
  readonly mtu: number;
  readonly underlayMtu: number;
  /** Addresses of the hosts, on the underlay. */
  readonly hosts: () => readonly AddressHex[];
  /** What is in the VPC. */
  readonly prefixesOf: (vni: number) => readonly (Prefix & { readonly mtu: number })[];
  /** The gateways are others: the data path is to know. */
  readonly changed: (gateways: readonly LocalGateway[]) => void;
}

/** One that is there, and whether it is a way out. */
interface Made {
  readonly ifindex: number;
  readonly hasWayOut: boolean;
  readonly addresses: readonly AddressHex[];
}

/** A global address of IPv6 that is not of a gateway's link. */
const globalScope = 0;
const ownIpv6 = 'fd6377616e00';

/**
 * Gateways of VPCs at this host: each is made when the first user needs it, and goes with the last one. Those that are there when the daemon
 * starts stay until `settle`, so that flows through them go on.
 */
export class Gateways {
  readonly #options: GatewaysOptions;
  readonly #made = new Map<number, Made>();
  readonly #wanted = new Map<number, Map<string, readonly AddressHex[]>>();
  readonly #work = new Map<number, Promise<void>>();
  /** What was said last of one that is not as it should be. */
  readonly #complaints = new Map<number, string>();
  #hostRules: Promise<void> = Promise.resolve();
  #hostHasRules = false;
  /** They are of this life of the daemon: the hosts may have been others before. */
  #hostRulesAreNew = false;
  #isSettled = false;

  /** Finds those that are there; what is left of others goes away. Rejects with WeatherError. */
  static async open(options: GatewaysOptions): Promise<Gateways> {
    const { whole, broken } = options.links.list();
    for (const vni of broken) await options.links.remove(vni);
    const gateways = new Gateways(options);
    for (const { vni, port, hasWayOut, addresses } of whole) gateways.#made.set(vni, { ifindex: port.index, hasWayOut, addresses });
    gateways.#hostHasRules = whole.some(({ hasWayOut }) => hasWayOut);
    return gateways;
  }

  private constructor(options: GatewaysOptions) {
    this.#options = options;
  }

  get local(): readonly LocalGateway[] {
    const { mtu } = this.#options;
    return [...this.#made].map(([vni, { ifindex, addresses, hasWayOut }]) => {
      return { vni, ifindex, mac: gatewayMacOf(vni), mtu, addresses, isWayOut: hasWayOut };
    });
  }

  of(vni: number): Gateway | undefined {
    const made = this.#made.get(vni);
    if (made === undefined) return undefined;
    const namespacePath = this.#options.links.namespacePath(vni);
    return { vni, namespacePath, ifindex: made.ifindex, innerName: innerNames.vpc, mac: gatewayMacOf(vni) };
  }

  /**
   * The gateway of a VPC, made if need be; it stays until `user` releases it. `addresses` of the VPC are there for that user, behind its link,
   * in place of those that it had. Rejects with WeatherError.
   */
  async need(vni: number, user: string, addresses: readonly AddressHex[] = []): Promise<Gateway> {
    const users = this.#wanted.get(vni) ?? new Map<string, readonly AddressHex[]>();
    this.#wanted.set(vni, users.set(user, addresses));
    await this.#converge(vni);
    const gateway = this.of(vni);
    if (gateway === undefined) throw new WeatherError('no-gateway', `the gateway of VNI ${vni} was taken away while it was made`);
    return gateway;
  }

  /** Rejects with WeatherError. */
  async release(vni: number, user: string): Promise<void> {
    const users = this.#wanted.get(vni);
    if (users?.delete(user) !== true) return;
    if (users.size === 0) this.#wanted.delete(vni);
    await this.#converge(vni);
  }

  /** All VPCs whose way out this host is. What fails is logged, and tried again with the next call. */
  async setWaysOut(vnis: ReadonlySet<number>): Promise<void> {
    for (const [vni, users] of this.#wanted) {
      if (users.has(wayOutUser) && !vnis.has(vni)) await this.#logged(vni, this.release(vni, wayOutUser));
    }
    for (const vni of vnis) {
      const isThere = this.#made.get(vni)?.hasWayOut === true && this.#wanted.get(vni)?.has(wayOutUser) === true;
      if (!isThere) await this.#logged(vni, this.need(vni, wayOutUser));
    }
  }

  /** The prefixes of VPCs have changed. What fails is logged. */
  async routesChanged(): Promise<void> {
    for (const vni of this.#wanted.keys()) if (this.#made.has(vni)) await this.#logged(vni, this.#converge(vni));
  }

  /** Who needs a gateway has said so: the others go. What fails is logged. */
  async settle(): Promise<void> {
    this.#isSettled = true;
    for (const vni of this.#made.keys()) await this.#logged(vni, this.#converge(vni));
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#work.values(), this.#hostRules]);
  }

  /** One after the other for each VPC: makes what is wanted. */
  async #converge(vni: number): Promise<void> {
    const work = (): Promise<void> => this.#make(vni);
    const mine = (this.#work.get(vni) ?? Promise.resolve()).then(work, work);
    this.#work.set(vni, mine);
    try {
      await mine;
    } finally {
      if (this.#work.get(vni) === mine) this.#work.delete(vni);
    }
  }

  async #make(vni: number): Promise<void> {
    const { links, agents, mtu, prefixesOf, log } = this.#options;
    const users = this.#wanted.get(vni);
    if (users === undefined) {
      if (this.#isSettled) await this.#remove(vni);
      return;
    }
    if (!this.#made.has(vni)) {
      const ifindex = await links.create(vni, mtu);
      await agents.attach(ifindex);
      this.#made.set(vni, { ifindex, hasWayOut: false, addresses: [] });
      log.info('a VPC has a gateway', { vni, namespace: links.namespacePath(vni) });
    }
    await links.setRoutes(vni, prefixesOf(vni));
    const made = this.#made.get(vni)!;
    // Whose addresses they are may not have been said yet since the daemon started.
    const kept = this.#isSettled ? [] : made.addresses;
    const addresses = [...new Set([...kept, ...[...users.values()].flat()])].toSorted();
    await links.setAddresses(vni, addresses);
    const isWayOut = users.has(wayOutUser) || (made.hasWayOut && !this.#isSettled);
    this.#made.set(vni, { ...made, hasWayOut: made.hasWayOut && isWayOut, addresses });
    // Before a way out goes: packets take another one from now on.
    this.#changed();
    if (isWayOut) await this.#logged(vni, this.#makeWayOut(vni));
    else if (made.hasWayOut) {
      await links.removeWayOut(vni);
      await this.#removeHostRules();
    }
  }

  /** Other users of the gateway do not suffer when it fails. */
  async #makeWayOut(vni: number): Promise<void> {
    const { links, underlayMtu, log } = this.#options;
    const made = this.#made.get(vni)!;
    await this.#applyHostRules();
    if (!made.hasWayOut) {
      // Two at once would take the same pair of addresses.
      await this.#inTurn(() => links.createWayOut(vni, underlayMtu, this.#hasIpv6()));
      this.#made.set(vni, { ...made, hasWayOut: true });
      this.#changed();
      log.info('a VPC has a way out at this host', { vni });
    }
    this.#complaints.delete(vni);
  }

  /** The data path is told first: what is on its way there goes by another host. */
  async #remove(vni: number): Promise<void> {
    const { links, agents, log } = this.#options;
    const made = this.#made.get(vni);
    if (made === undefined) return;
    this.#made.delete(vni);
    this.#changed();
    agents.forget(made.ifindex);
    await links.remove(vni);
    log.info('a VPC has no gateway here any more', { vni });
    await this.#removeHostRules();
  }

  /** Before the first way out; and once in the life of the daemon, since the hosts may be others. */
  async #applyHostRules(): Promise<void> {
    const { calls, forwarding, hosts } = this.#options;
    await this.#inTurn(async () => {
      if (this.#hostRulesAreNew) return;
      await forwarding.switchOn(this.#hasIpv6() ? ['ipv4', 'ipv6'] : ['ipv4']);
      const addresses = hosts().map((address) => ipv4Octets(octetsOf(address)).join('.'));
      await applyRules(calls, hostRules({ hosts: addresses, forwardsForGatewaysOnly: forwarding.families }));
      this.#hostHasRules = true;
      this.#hostRulesAreNew = true;
    });
  }

  /** `hosts` are others: tenants must not reach those that came. */
  async hostsChanged(): Promise<void> {
    if (!this.#hostHasRules) return;
    this.#hostRulesAreNew = false;
    await this.#applyHostRules();
  }

  async #removeHostRules(): Promise<void> {
    const { calls, forwarding } = this.#options;
    await this.#inTurn(async () => {
      const isUsed = [...this.#made.values()].some(({ hasWayOut }) => hasWayOut);
      const isWanted = [...this.#wanted.values()].some((users) => users.has(wayOutUser));
      if (!this.#hostHasRules || isUsed || isWanted) return;
      await forwarding.restore();
      await applyRules(calls, noRules());
      this.#hostHasRules = false;
      this.#hostRulesAreNew = false;
    });
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#hostRules.then(work, work);
    this.#hostRules = mine;
    await mine;
  }

  #hasIpv6(): boolean {
    using socket = new NetlinkSocket(this.#options.calls);
    return socket
      .dump(dumpAddresses(), decodeAddress)
      .some(({ address, scope }) => scope === globalScope && address.length === 16 && !address.toHex().startsWith(ownIpv6));
  }

  #changed(): void {
    this.#options.changed(this.local);
  }

  async #logged(vni: number, work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof WeatherError)) throw error;
      // It is tried again and again.
      if (this.#complaints.get(vni) === error.message) return;
      this.#complaints.set(vni, error.message);
      this.#options.log.warn('the gateway of a VPC is not as it should be', { vni, reason: error.message, remedy: error.remedy });
    }
  }
}
