import { explainNetworkError } from '../host/network-error.ts';
import { ResolvedHost } from '../host/resolved-host.ts';
import { UdpPort } from '../host/udp-socket.ts';
import type { UdpPortHandler } from '../host/udp-socket.ts';
import type { ListenerState } from '../management/operational-entities.ts';
import type { UdpListenerEntity } from '../management/service-entities.ts';
import type { AddressChoice } from './address-choice.ts';
import type { ServiceContext } from './service.ts';

/** A port that could not be bound is tried again this often. */
const rebindMs = 1000;
/** A port stays bound for this long after routers have been lost, as those of TCP services do: the link may be back by then. */
const lingerMs = 2000;
/** Codes of a system without IPv6: all addresses are then those of IPv4. */
const withoutIpv6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL']);

/** What the port gives to its owner. */
export type UdpPortEvents = Pick<UdpPortHandler, 'received' | 'dropped'> & { readonly closed: () => void };

/** The UDP port of a listener: bound only while a server is reachable, so that hosts answer clients that nobody is there otherwise. */
export class UdpListenerSocket {
  readonly #context: ServiceContext;
  readonly #entity: UdpListenerEntity;
  readonly #addresses: AddressChoice;
  readonly #events: UdpPortEvents;
  #port: UdpPort | undefined;
  #isOpening = false;
  #boundPort = 0;
  #message = '';
  #rebindTimer: NodeJS.Timeout | undefined;
  #lingerTimer: NodeJS.Timeout | undefined;
  #lastAddress: string | undefined;
  #routers = 0;
  #stopped = false;
  #ipv4Only = false;

  constructor(context: ServiceContext, entity: UdpListenerEntity, addresses: AddressChoice, events: UdpPortEvents) {
    this.#context = context;
    this.#entity = entity;
    this.#addresses = addresses;
    this.#events = events;
  }

  /** The address for a new flow; while the way to it is lost for a moment, the one that there was. */
  chooseAddress(): string | undefined {
    return this.#addresses.choose() ?? this.#lastAddress;
  }

  get state(): ListenerState {
    const isUp = this.#boundPort > 0;
    return {
      name: this.#entity.name,
      operStatus: isUp ? 'up' : 'down',
      boundPort: this.#boundPort,
      connectionMsg: isUp ? '' : this.#message || 'no connector is reachable',
    };
  }

  send(address: string, port: number, bytes: Uint8Array, start: number, end: number): void {
    this.#port?.send(address, port, bytes, start, end);
  }

  /** Binds or closes the port as reachability says. */
  update(): void {
    if (this.#stopped) return;
    const address = this.#addresses.choose();
    const { size } = this.#context.forwarder.table.routers;
    const isLoss = size < this.#routers;
    this.#routers = size;
    if (address !== undefined) {
      this.#lastAddress = address;
      clearTimeout(this.#lingerTimer);
      this.#lingerTimer = undefined;
      if (this.#port === undefined && !this.#isOpening && this.#rebindTimer === undefined) this.#resolve();
      return;
    }
    this.#message = '';
    if (this.#lingerTimer !== undefined) return;
    if (isLoss && this.#boundPort > 0) this.#lingerTimer = setTimeout(() => this.#close(), lingerMs);
    else this.#close();
  }

  #resolve(): void {
    const { host, multicastGroup } = this.#entity;
    if (host === '') {
      this.#open(this.#ipv4Only && multicastGroup === undefined ? '0.0.0.0' : '');
      return;
    }
    this.#isOpening = true;
    new ResolvedHost(host, () => this.#context.clock.nowMs()).resolve(
      (address) => {
        this.#isOpening = false;
        // Reachability may have changed meanwhile.
        if (!this.#stopped && this.#addresses.choose() !== undefined) this.#open(address);
      },
      (error) => {
        this.#isOpening = false;
        this.#failed(error);
      },
    );
  }

  #open(address: string): void {
    const { log, turns } = this.#context;
    const { type, name, port, multicastGroup } = this.#entity;
    const handler: UdpPortHandler = {
      received: this.#events.received,
      dropped: this.#events.dropped,
      listening: (boundPort) => {
        this.#boundPort = boundPort;
        this.#message = '';
        log.info('service port open', { [type]: name, port: boundPort });
      },
      failed: (error) => {
        this.#port = undefined;
        if (address === '' && multicastGroup === undefined && withoutIpv6.has((error as NodeJS.ErrnoException).code ?? '')) {
          this.#ipv4Only = true;
          this.#open('0.0.0.0');
        } else this.#failed(error);
      },
    };
    this.#port = new UdpPort(address, port, turns, handler, multicastGroup);
  }

  #failed(error: Error): void {
    if (this.#stopped) return;
    const { type, name, host, port } = this.#entity;
    const reason = explainNetworkError(error, `${host || '*'}:${port}`);
    if (this.#message !== reason) this.#context.log.error('a service cannot listen', { [type]: name, reason });
    this.#message = reason;
    this.#rebindTimer = setTimeout(() => {
      this.#rebindTimer = undefined;
      this.update();
    }, rebindMs);
  }

  #close(): void {
    clearTimeout(this.#rebindTimer);
    this.#rebindTimer = undefined;
    clearTimeout(this.#lingerTimer);
    this.#lingerTimer = undefined;
    this.#lastAddress = undefined;
    if (this.#port === undefined) return;
    this.#port.close();
    this.#port = undefined;
    this.#boundPort = 0;
    this.#context.log.info('service port closed', { [this.#entity.type]: this.#entity.name });
    this.#events.closed();
  }

  /** The port stays for the flows that there are. */
  stopUpdating(): void {
    this.#stopped = true;
    clearTimeout(this.#rebindTimer);
    clearTimeout(this.#lingerTimer);
  }

  stop(): void {
    this.stopUpdating();
    this.#close();
  }
}
