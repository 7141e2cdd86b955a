import { WeatherError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { kernelAddress } from '../../kernel/netlink/ip-address.ts';
import { findNextHop } from '../../kernel/netlink/next-hop.ts';
import { NetlinkSocket } from '../../kernel/netlink/netlink-socket.ts';
import type { SocketCalls } from '../../kernel/netlink/socket-calls.ts';
import { findUplink, type Uplink } from '../../kernel/netlink/uplink.ts';
import { parseAddress } from '../../overlay/packet/address.ts';

/** The network between the hosts, as the kernel of this one sees it. */
export class Underlay implements Disposable {
  readonly #socket: NetlinkSocket;
  readonly #log: Logger;
  readonly uplink: Uplink;
  readonly #hops = new Map<string, string>();
  readonly #mtus = new Map<string, number>();

  /** `address`: this host's own; it must be on the uplink. Throws WeatherError. */
  constructor(calls: SocketCalls, name: string | undefined, address: string, log: Logger) {
    this.#socket = new NetlinkSocket(calls);
    this.#log = log;
    try {
      this.uplink = findUplink(this.#socket, name);
      const own = kernelAddress(addressOf(address)).toHex();
      if (!this.uplink.addresses.some((candidate) => candidate.address.toHex() === own)) {
        throw new WeatherError('uplink-address', `link ${this.uplink.link.name} does not have the address ${address}`, {
          remedy: 'see hosts and uplink in the configuration',
        });
      }
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** MACs of the next hops towards these addresses, as hex digits; undefined while one is not known. */
  nextHops(addresses: readonly string[]): ReadonlyMap<string, string | undefined> {
    return new Map(addresses.map((address) => [address, this.#nextHop(address)]));
  }

  /** Octets of the largest packet to a host, as the kernel knew it at the last `nextHops`: of the uplink, or less if a router has said so. */
  mtuTo(address: string): number {
    return Math.min(this.#mtus.get(address) ?? Infinity, this.uplink.link.mtu);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #setMtu(address: string, mtu: number | undefined): void {
    const before = this.mtuTo(address);
    if (mtu === undefined) this.#mtus.delete(address);
    else this.#mtus.set(address, mtu);
    const after = this.mtuTo(address);
    if (before !== after) this.#log.info('the way to a host takes packets of another size', { address, before, after });
  }

  /** One that has been known stays: a neighbour that is silent now is still the best guess. */
  #nextHop(address: string): string | undefined {
    try {
      const { mac, linkIndex, mtu } = findNextHop(this.#socket, addressOf(address));
      this.#setMtu(address, mtu);
      if (linkIndex !== this.uplink.link.index) this.#log.warn('a host is not behind the uplink', { address });
      else if (mac !== undefined) this.#hops.set(address, mac.toHex());
    } catch (error) {
      if (!(error instanceof WeatherError)) throw error;
      this.#log.warn(error.message, { address });
    }
    return this.#hops.get(address);
  }
}

function addressOf(text: string): Uint8Array {
  const octets = parseAddress(text);
  if (octets === undefined) throw new WeatherError('bad-address', `${text} is no IP address`);
  return octets;
}
