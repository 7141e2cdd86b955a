import { randomFillSync } from 'node:crypto';
import { WeatherError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { NetworkNamespace } from '../../kernel/netlink/network-namespace.ts';
import type { AttachmentKey } from '../../overlay/cni/cni-environment.ts';
import { cniCode, CniError } from '../../overlay/cni/cni-error.ts';
import type { Attachment, AttachmentRequest, NetworkStatus, PodNetwork } from '../../overlay/cni/pod-network.ts';
import type { NumberedSubnet } from '../../overlay/catalog/networks.ts';
import { octetsOf, type AddressHex } from '../../overlay/control/address.ts';
import type { LocalEndpoint } from '../../overlay/control/host-maps.ts';
import type { MoveTicket } from '../../overlay/control/local-endpoints.ts';
import type { SubnetPrefix } from '../../overlay/control/spec.ts';
import { formatAddress, formatMac, isIpv4, mappedIpv4, parseAddress, parseMac } from '../../overlay/packet/address.ts';
import type { DataPath } from '../data-path/data-path.ts';
import type { AgentMode } from '../data-path/pod-agents.ts';
import { hostNameOf, type PodLinks } from './pod-links.ts';
import type { PlacementRequest, Placements } from '../placements.ts';

export interface HostPodNetworkOptions {
  readonly links: PodLinks;
  readonly dataPath: DataPath;
  readonly placements: Placements;
  readonly subnets: () => readonly NumberedSubnet[];
  /** The most that pods may have, in octets. */
  readonly mtu: number;
  readonly agent: AgentMode;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Why a pod that is added now would fail; undefined when it would not. */
  readonly obstacle: () => string | undefined;
}

/** The bits that say that a MAC is one interface's, and that no vendor gave it. */
const groupBit = 1;
const localBit = 2;
/** Codes of the control's failures that pass. */
const passing: ReadonlySet<string> = new Set(['no-address', 'owners-unreachable', 'lease-lost', 'stopping']);
/** Endpoints that are to come from other hosts, and how long they are waited for: as long as they are served there. */
const ticketsLimit = 4096;
const ticketMs = 45_000;

/**
 * Pods on this host.
 *
 *   link ──► addresses, maps ──► owners are told       ──► answer
 *        │                  └──► addresses in the pod ──►
 *        └──► agent ───────────────────────────────────►
 */
export class HostPodNetwork implements PodNetwork {
  readonly #options: HostPodNetworkOptions;
  /** By the endpoint's first address and subnet. */
  readonly #tickets = new Map<string, { readonly ticket: MoveTicket; readonly untilMs: number }>();

  constructor(options: HostPodNetworkOptions) {
    this.#options = options;
  }

  async add(request: AttachmentRequest): Promise<Attachment> {
    const { links, dataPath, agent, log, nowMs } = this.#options;
    const { key, netns } = request;
    const startMs = nowMs();
    const subnet = this.#subnetFor(request);
    const fixed = request.addresses.map(fixedAddress);
    const ticket = this.#takeTicket(subnet.subnetId, fixed);
    // Neighbours of an endpoint that moves know its MAC.
    const mac = ticket === undefined ? macFor(request.mac) : octetsOf(ticket.endpoint.mac);
    const mtu = Math.min(subnet.mtu ?? Infinity, this.#options.mtu);
    using namespace = new NetworkNamespace(netns);
    const link = await existing(() => links.create(key, namespace, { mac, mtu, transmitChecksumOffload: agent !== 'xdp' }));
    const linkMs = nowMs();
    const attached = dataPath.agents.attach(link.hostIndex);
    // What fails first is told; what fails beside it must not go unheard.
    attached.catch(() => undefined);
    const configure = async ({ addresses }: Pick<LocalEndpoint, 'addresses'>): Promise<PodLayout> => {
      const layout = layoutOf(addresses, subnet.prefixes);
      await links.configure(namespace, link.podIndex, layout.addresses, layout.routes);
      await attached;
      return layout;
    };
    const { layout, placedMs } =
      ticket === undefined
        ? await this.#place(
            { subnetId: subnet.subnetId, ifindex: link.hostIndex, mac: mac.toHex(), fixed, labels: request.labels },
            configure,
          )
        : await this.#moveIn(link.hostIndex, ticket, configure);
    const attachment: Attachment = {
      host: { name: hostNameOf(key), mac: formatMac(link.hostMac), mtu },
      container: { name: key.ifname, mac: formatMac(mac), mtu },
      addresses: layout.addresses.map(({ address, prefixLength, gateway }) => ({
        address: `${formatAddress(address)}/${prefixLength}`,
        gateway: gateway === undefined ? undefined : formatAddress(gateway),
      })),
      routes: layout.routes.map(({ destination, gateway }) => ({
        destination: `${formatAddress(destination.address)}/${destination.prefixLength}`,
        gateway: formatAddress(gateway),
      })),
      dns: undefined,
    };
    log.info(ticket === undefined ? 'a pod was added' : 'a pod has come from another host', {
      ...key,
      pod: request.pod === undefined ? undefined : `${request.pod.namespace}/${request.pod.name}`,
      vpc: subnet.vpc,
      subnet: subnet.name,
      addresses: attachment.addresses.map(({ address }) => address),
      linkMs: rounded(linkMs - startMs),
      addressMs: rounded(placedMs - linkMs),
      restMs: rounded(nowMs() - placedMs),
    });
    return attachment;
  }

  /** The pod is configured while its owners are told. */
  async #place(request: PlacementRequest, configure: (endpoint: LocalEndpoint) => Promise<PodLayout>): Promise<Placed> {
    const { placements, nowMs } = this.#options;
    const { placed, known } = placements.place(request);
    const endpoint = await soon(placed);
    const placedMs = nowMs();
    const layout = await configure(endpoint);
    await soon(known);
    return { layout, placedMs };
  }

  /** The pod is ready before anybody is told, since its packets come here from that moment on. */
  async #moveIn(ifindex: number, ticket: MoveTicket, configure: (endpoint: LocalEndpoint) => Promise<PodLayout>): Promise<Placed> {
    const { placements, nowMs } = this.#options;
    const layout = await configure(ticket.endpoint);
    const placedMs = nowMs();
    await soon(placements.moveIn(ifindex, ticket).known);
    return { layout, placedMs };
  }

  async delete(key: AttachmentKey): Promise<void> {
    const { links, placements, dataPath, log } = this.#options;
    const link = links.find(key);
    if (link === undefined) return;
    await placements.remove(link.index);
    dataPath.agents.forget(link.index);
    await links.remove(key);
    log.info('a pod was deleted', { ...key });
  }

  async check(key: AttachmentKey, netns: string, attachment: Attachment): Promise<void> {
    const { links, placements, dataPath } = this.#options;
    const failed = (message: string): CniError => new CniError(cniCode.checkFailed, `${key.ifname} of this container: ${message}`);
    const link = links.find(key);
    if (link === undefined) throw failed('its end at the host is gone');
    if (!link.up) throw failed('its end at the host is down');
    if (!dataPath.agents.isAttached(link.index)) throw failed('the agent is not attached');
    if (placements.endpoint(link.index) === undefined) throw failed('the overlay does not know its addresses');
    using namespace = new NetworkNamespace(netns);
    const pod = links.read(namespace, key.ifname);
    if (pod === undefined) throw failed('it is gone');
    if (!pod.link.up) throw failed('it is down');
    if (formatMac(pod.link.mac) !== attachment.container.mac) throw failed(`its MAC is ${formatMac(pod.link.mac)}`);
    if (pod.link.mtu !== attachment.container.mtu) throw failed(`its MTU is ${pod.link.mtu}`);
    const there = new Set(pod.addresses.map(({ address, prefixLength }) => `${addressText(address)}/${prefixLength}`));
    for (const { address } of attachment.addresses) if (!there.has(address)) throw failed(`it lacks the address ${address}`);
  }

  status(): Promise<NetworkStatus> {
    const reason = this.#options.obstacle();
    return Promise.resolve(reason === undefined ? { ready: true } : { ready: false, reason, containers: 'unharmed' });
  }

  list(): Promise<readonly AttachmentKey[]> {
    return Promise.resolve(this.#options.links.list().map(({ key }) => key));
  }

  /** The pod that is added with the addresses of the ticket is the one that was at the other host. Throws WeatherError. */
  expect(ticket: MoveTicket): void {
    const nowMs = this.#options.nowMs();
    for (const [key, { untilMs }] of this.#tickets) if (nowMs >= untilMs) this.#tickets.delete(key);
    if (this.#tickets.size >= ticketsLimit) throw new WeatherError('too-many-moves', `${ticketsLimit} pods are expected already`);
    const { subnetId, addresses } = ticket.endpoint;
    this.#tickets.set(ticketKey(subnetId, addresses[0]), { ticket, untilMs: nowMs + ticketMs });
  }

  #takeTicket(subnetId: number, fixed: readonly string[]): MoveTicket | undefined {
    for (const address of fixed) {
      const key = ticketKey(subnetId, address);
      const found = this.#tickets.get(key);
      if (found === undefined || this.#options.nowMs() >= found.untilMs) continue;
      this.#tickets.delete(key);
      return found.ticket;
    }
    return undefined;
  }

  /** The one that is named; when nothing is named, the only one. */
  #subnetFor({ vpc, subnet }: AttachmentRequest): NumberedSubnet {
    const subnets = this.#options.subnets();
    const found = subnets.filter(
      (candidate) =>
        (vpc === undefined || candidate.vpc === vpc) &&
        (subnet === undefined || candidate.name === subnet || candidate.name === `${candidate.vpc}/${subnet}`),
    );
    const [first] = found;
    if (first !== undefined && found.length === 1) return first;
    const what = `${vpc === undefined ? '' : `VPC ${vpc}, `}subnet ${subnet ?? '(none named)'}`;
    throw new CniError(
      cniCode.invalidConfig,
      first === undefined ? `there is no ${what}` : `more than one subnet fits ${what}`,
      `there are ${subnets.map(({ vpc: of, name }) => (name.startsWith(`${of}/`) ? name : `${of}/${name}`)).join(', ')}`,
    );
  }
}

/** What the pod gets. */
interface PodLayout {
  readonly addresses: readonly { readonly address: Uint8Array; readonly prefixLength: number; readonly gateway: Uint8Array | undefined }[];
  readonly routes: readonly {
    readonly destination: { readonly address: Uint8Array; readonly prefixLength: number };
    readonly gateway: Uint8Array;
  }[];
}

interface Placed {
  readonly layout: PodLayout;
  /** When its addresses were known. */
  readonly placedMs: number;
}

/** One address of each prefix of its subnet, and the way out through each gateway. */
function layoutOf(endpointAddresses: readonly AddressHex[], prefixes: readonly SubnetPrefix[]): PodLayout {
  const addresses = endpointAddresses.map((hex, at) => {
    const address = octetsOf(hex);
    const prefix = prefixes[at];
    const gateway = prefix?.gateway === undefined ? undefined : octetsOf(prefix.gateway);
    return { address, prefixLength: (prefix?.length ?? 128) - (isIpv4(address) ? 96 : 0), gateway };
  });
  const routes = addresses.flatMap(({ gateway }) => {
    if (gateway === undefined) return [];
    // All zeros, of the same family.
    const address = isIpv4(gateway) ? mappedIpv4(new Uint8Array(4)) : new Uint8Array(16);
    return [{ destination: { address, prefixLength: 0 }, gateway }];
  });
  return { addresses, routes };
}

function ticketKey(subnetId: number, address: string | undefined): string {
  return `${subnetId}/${address ?? ''}`;
}

function macFor(asked: string | undefined): Uint8Array {
  if (asked !== undefined) {
    const mac = parseMac(asked);
    if (mac === undefined || ((mac[0] ?? 0) & groupBit) !== 0)
      throw new CniError(cniCode.invalidConfig, `${asked} is no MAC of an interface`);
    return mac;
  }
  const mac = randomFillSync(new Uint8Array(6));
  mac[0] = ((mac[0] ?? 0) | localBit) & ~groupBit;
  return mac;
}

function fixedAddress(text: string): string {
  const octets = parseAddress(text);
  if (octets === undefined) throw new CniError(cniCode.invalidConfig, `${text} is no IP address`);
  return octets.toHex();
}

/** The kernel's addresses have 4 octets for IPv4. */
function addressText(address: Uint8Array): string {
  return address.length === 4 ? address.join('.') : formatAddress(address);
}

/** What passes by itself is told so, that the runtime tries again. */
async function soon<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof WeatherError) || !passing.has(error.code)) throw error;
    throw new CniError(cniCode.tryAgain, error.message, error.code, { cause: error });
  }
}

/** An interface that is there already is a mistake of the runtime. */
async function existing<T>(create: () => Promise<T>): Promise<T> {
  try {
    return await create();
  } catch (error) {
    if (!(error instanceof WeatherError) || error.code !== 'pod-link-exists') throw error;
    throw new CniError(cniCode.attachmentExists, error.message, error.remedy ?? '', { cause: error });
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
