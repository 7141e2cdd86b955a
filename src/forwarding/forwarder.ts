import { DeliveryState } from '../amqp/performatives.ts';
import type { Random } from '../base/random.ts';
import { Treatment } from '../routing/route-table.ts';
import type { RemoteRouter, RouteTable } from '../routing/route-table.ts';
import { AnnotatedLeg } from './annotated-leg.ts';
import { AddressClass, AddressParser, parseAddress } from './address.ts';
import type { ParsedAddress } from './address.ts';
import { AddressState } from './address-state.ts';
import { DeliveryCounters } from './delivery-counters.ts';
import { FirstOctets } from './first-octets.ts';
import { InboundMessage } from './inbound-message.ts';
import { LocalAddresses } from './local-addresses.ts';
import type { IncomingDelivery } from '../amqp/delivery.ts';
import type { Consumer, Downstream, LocalConsumer, Upstream } from './leg.ts';
import type { MessageHead } from './message-head.ts';
import { MulticastLeg } from './multicast.ts';
import { linkCapacity } from './neighbour.ts';
import type { Neighbour } from './neighbour.ts';
import { RemoteLeg } from './remote-leg.ts';

/** Addresses with consumers at this router. */
const maxLocalAddresses = 10_000;

/** A message to be routed. */
interface Routing {
  readonly head: MessageHead;
  readonly more: boolean;
  readonly preSettled: boolean;
  readonly priority: number;
  /** Of its address; undefined for an address of one router, for which nothing is counted. */
  readonly state: AddressState | undefined;
}

/** Why a message of a neighbour is not only undeliverable but nothing that an honest router sends. */
export type RefusedDelivery = 'cannot have come this way' | 'management is no address of the network';

/** Hears when the set of local consumers changes, to announce it. */
export interface ForwarderHandler {
  localAddress(key: string, treatment: Treatment): void;
  localAddressGone(key: string): void;
  /** A message was refused that `origin` is said to have sent. Once per message. */
  refused?(reason: RefusedDelivery, from: Neighbour, origin: string, address: string): void;
}

/** How an address is treated here when it is configured; undefined = not configured. */
export type TreatmentRule = (address: string) => { readonly treatment: Treatment; readonly priority: number | undefined } | undefined;

/**
 * The data plane: chooses for each message where it goes, and joins the two ends. Reads the control plane's `table` and never calls it.
 */
export class Forwarder {
  readonly routerId: string;
  /** Messages from neighbours, and to them. */
  readonly incoming: DeliveryCounters = new DeliveryCounters();
  readonly outgoing: DeliveryCounters = new DeliveryCounters();
  #table: RouteTable;
  readonly #handler: ForwarderHandler;
  readonly #rule: TreatmentRule;
  /** By key: addresses with consumers here, with unsettled messages, or in the table and used. */
  readonly #addresses = new Map<string, AddressState>();
  /** Messages refused: their origin may not send to the address, or cannot have sent them this way. */
  readonly refusals: { notGranted: number; infeasible: number } = { notGranted: 0, infeasible: 0 };
  #localAddresses = 0;
  readonly #local: LocalAddresses;
  /** Service addresses that are asked for here, as they are parsed. */
  readonly #services = new Map<string, ParsedAddress>();
  readonly #neighbours = new Map<number, Neighbour>();
  /** Multicast messages whose copies are not all settled. */
  readonly #multicasts = new Set<MulticastLeg>();
  readonly #firstOctets: FirstOctets;
  readonly #parser: AddressParser;
  readonly #localPrefix: string;
  /** Of the present table. */
  #lastRouter: RemoteRouter | undefined;

  constructor(table: RouteTable, handler: ForwarderHandler, rule: TreatmentRule, random: Random) {
    this.routerId = table.routerId;
    this.#table = table;
    this.#handler = handler;
    this.#rule = rule;
    this.#firstOctets = new FirstOctets(table.routerId);
    this.#parser = new AddressParser(table.routerId);
    this.#local = new LocalAddresses(random);
    this.#localPrefix = `amqp:/_topo/0/${table.routerId}/`;
  }

  get table(): RouteTable {
    return this.#table;
  }

  /** Replaced whole by the control plane. */
  set table(table: RouteTable) {
    this.#table = table;
    this.#lastRouter = undefined;
    // What is known of an address is kept from message to message, as long as messages can come.
    for (const [key, state] of this.#addresses) if (state.isEmpty && !table.addresses.has(key)) this.#addresses.delete(key);
  }

  addNeighbour(neighbour: Neighbour): void {
    this.#neighbours.set(neighbour.linkNumber, neighbour);
  }

  removeNeighbour(neighbour: Neighbour): void {
    this.#neighbours.delete(neighbour.linkNumber);
  }

  // ---- local consumers ----

  /** Offers a consumer under a service address. False when there are too many addresses. */
  addConsumer(address: string, consumer: Consumer): boolean {
    const { key, name } = this.#service(address);
    let state = this.#addresses.get(key);
    if (state === undefined || state.consumers.length === 0) {
      if (this.#localAddresses >= maxLocalAddresses) return false;
      this.#localAddresses++;
      state = this.#state(key);
    }
    const wasAnnounced = state.isAnnounced;
    state.consumers.push(consumer);
    if (!wasAnnounced) this.#handler.localAddress(key, this.treatment(name));
    return true;
  }

  removeConsumer(address: string, consumer: Consumer): void {
    const { key } = this.#service(address);
    const state = this.#addresses.get(key);
    const index = state?.consumers.indexOf(consumer) ?? -1;
    if (state === undefined || index < 0) return;
    const wasAnnounced = state.isAnnounced;
    state.consumers.splice(index, 1);
    state.concealed.delete(consumer);
    state.stuck.delete(consumer);
    if (state.consumers.length === 0) this.#localAddresses--;
    if (wasAnnounced && !state.isAnnounced) this.#handler.localAddressGone(key);
  }

  /** Other routers are told that this consumer is gone; it takes what still comes, until `removeConsumer`. */
  concealConsumer(address: string, consumer: Consumer): void {
    const { key } = this.#service(address);
    const state = this.#addresses.get(key);
    if (state === undefined || !state.consumers.includes(consumer)) return;
    const wasAnnounced = state.isAnnounced;
    state.concealed.add(consumer);
    if (wasAnnounced && !state.isAnnounced) this.#handler.localAddressGone(key);
  }

  /** The configured treatment of addresses has changed: those with consumers here are announced again. */
  rulesChanged(): void {
    for (const [key, { isAnnounced }] of this.#addresses) {
      if (isAnnounced) this.#handler.localAddress(key, this.treatment(key.slice(1)));
    }
  }

  /** A service address as messages name it, without scheme, host and final dot. */
  #service(address: string): ParsedAddress {
    let service = this.#services.get(address);
    if (service !== undefined) return service;
    const parsed = parseAddress(address, this.routerId);
    const isMobile = parsed.addressClass === AddressClass.mobile;
    service = isMobile ? parsed : { addressClass: AddressClass.mobile, key: AddressClass.mobile + address, name: address };
    if (this.#services.size >= maxLocalAddresses) this.#services.clear();
    this.#services.set(address, service);
    return service;
  }

  #state(key: string): AddressState {
    let state = this.#addresses.get(key);
    if (state === undefined) {
      state = new AddressState();
      this.#addresses.set(key, state);
    }
    return state;
  }

  /** Makes an address of this router for answers; messages to it go to `consumer` until `removeTemporary`. */
  addTemporary(consumer: Consumer): string {
    return this.#localPrefix + this.#local.make('temp', consumer);
  }

  removeTemporary(address: string): void {
    this.#local.remove(address.slice(this.#localPrefix.length));
  }

  /** Keeps the address, while messages to it find nobody. */
  parkTemporary(address: string): void {
    this.#local.lead(address.slice(this.#localPrefix.length), undefined);
  }

  /** Leads an address that was parked to `consumer`. */
  bindTemporary(address: string, consumer: Consumer): void {
    this.#local.lead(address.slice(this.#localPrefix.length), consumer);
  }

  /** Addresses of this router that were made and are in use. */
  get temporaryAddresses(): number {
    return this.#local.size;
  }

  /** Offers a consumer under an address of this router, `amqp:/_topo/0/<router>/<name>`; whom it serves is for it to say. */
  addLocal(name: string, consumer: LocalConsumer): void {
    this.#local.set(name, consumer);
  }

  /** The same with a name that is made for it, and returned. */
  makeLocal(kind: string, consumer: LocalConsumer): string {
    return this.#local.make(kind, consumer);
  }

  removeLocal(name: string): void {
    this.#local.remove(name);
  }

  /** Other routers with consumers of a service address that can be reached, nearest first. */
  routersOf(address: string): readonly RemoteRouter[] {
    return this.#table.addresses.get(this.#service(address).key)?.routers ?? [];
  }

  /** Consumers at this router. */
  localConsumers(address: string): number {
    return this.#addresses.get(this.#service(address).key)?.consumers.length ?? 0;
  }

  /** True when a message to the service address would find a consumer. */
  reachable(address: string): boolean {
    const { key, name } = this.#service(address);
    const state = this.#addresses.get(key);
    const route = this.#table.addresses.get(key);
    if ((this.#rule(name)?.treatment ?? route?.treatment) === Treatment.unavailable) return false;
    if (state !== undefined && state.consumers.length > 0) return true;
    return route !== undefined && route.routers.some((router) => router.link >= 0);
  }

  /** True when the address is configured to take no messages here. */
  isUnavailable(address: string): boolean {
    return this.treatment(this.#service(address).name) === Treatment.unavailable;
  }

  /** As this router announces the address. */
  treatment(address: string): Treatment {
    return this.#rule(address)?.treatment ?? Treatment.balanced;
  }

  /** As messages to the address are treated here: what is configured, or else announced by others. */
  treatmentInUse(address: string): Treatment {
    const { key, name } = this.#service(address);
    return this.#rule(name)?.treatment ?? this.#table.addresses.get(key)?.treatment ?? Treatment.balanced;
  }

  /** Service addresses with consumers at this router. */
  get localServices(): string[] {
    return [...this.#addresses].filter(([, { consumers }]) => consumers.length > 0).map(([key]) => key.slice(1));
  }

  /** Unsettled messages of a service address through each neighbour, for status. */
  outstanding(address: string): ReadonlyMap<number, number> {
    return this.#addresses.get(this.#service(address).key)?.outstanding ?? new Map<number, number>();
  }

  // ---- routing of messages ----

  /** The first frame of a message from a neighbour. */
  receive(neighbour: Neighbour, delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const message = new InboundMessage(this, neighbour, delivery);
    delivery.sink = message;
    message.transfer(delivery, bytes, start, end, more);
  }

  /**
   * Chooses where a message goes and returns that end, or the state to settle it with when there is none (released: nowhere now, or from
   * an origin not known yet; rejected: no address, or one that its origin may not send to). `from` is undefined for a message made here.
   */
  forward(
    head: MessageHead,
    more: boolean,
    preSettled: boolean,
    from: Neighbour | undefined,
    upstream: Upstream,
  ): Downstream | typeof DeliveryState.released | typeof DeliveryState.rejected {
    const { annotations } = head;
    const destination = annotations.toOverride ?? head.to;
    if (destination === null) return DeliveryState.rejected;
    if (annotations.trace.length > this.#table.radius + 1) return DeliveryState.released;
    const parsed = this.#parser.parse(destination);
    // A message without ingress from a neighbour can only be its own.
    const { ingress } = annotations;
    const origin = ingress === null ? (from?.routerId ?? this.routerId) : ingress.slice(ingress.indexOf('/') + 1);
    if (from !== undefined && !this.#table.isFeasibleIngress(from.routerId, origin)) {
      this.refusals.infeasible++;
      this.#handler.refused?.('cannot have come this way', from, origin, parsed.name);
      return DeliveryState.released;
    }
    switch (parsed.addressClass) {
      case AddressClass.mobile:
        if (!this.#table.mayConsume(origin, parsed.name)) {
          this.refusals.notGranted++;
          // Records of the origin may be on their way to a router that has just started.
          return this.#table.knowsRightsOf(origin) ? DeliveryState.rejected : DeliveryState.released;
        }
        return this.#forwardService(parsed, head, more, preSettled, from, upstream);
      case AddressClass.local:
        if (from !== undefined) this.#lookForManagement(parsed.name, from, origin);
        return this.#local.find(parsed.name)?.deliver(head, upstream, origin, preSettled) ?? DeliveryState.released;
      case AddressClass.router: {
        const router = this.#router(parsed.name);
        const message: Routing = { head, more, preSettled, priority: head.priority, state: undefined };
        return (router && this.#remote(router, message, upstream)) ?? DeliveryState.released;
      }
      default:
        // Control addresses take messages from control links only; edges are not connected here.
        return DeliveryState.released;
    }
  }

  /** Messages to one router come in a row. */
  #router(routerId: string): RemoteRouter | undefined {
    if (this.#lastRouter?.routerId !== routerId) this.#lastRouter = this.#table.routers.get(routerId);
    return this.#lastRouter;
  }

  /** There is none: nobody is delivered to. A skupper-router would be asked for its configuration like this. */
  #lookForManagement(name: string, from: Neighbour, origin: string): void {
    if (name.startsWith('$')) this.#handler.refused?.('management is no address of the network', from, origin, name);
  }

  #forwardService(
    { key, name }: ParsedAddress,
    head: MessageHead,
    more: boolean,
    preSettled: boolean,
    from: Neighbour | undefined,
    upstream: Upstream,
  ): Downstream | typeof DeliveryState.released {
    const { ingress } = head.annotations;
    const origin = ingress === null ? this.routerId : ingress.slice(ingress.indexOf('/') + 1);
    const route = this.#table.addresses.get(key);
    if (route === undefined && (this.#addresses.get(key)?.consumers.length ?? 0) === 0) {
      if (from !== undefined) this.#lookForManagement(name, from, ingress === null ? from.routerId : origin);
      return DeliveryState.released;
    }
    const rule = this.#rule(name);
    const treatment = rule?.treatment ?? route?.treatment ?? Treatment.balanced;
    if (treatment === Treatment.unavailable) return DeliveryState.released;
    const state = this.#state(key);
    const remotes = route?.routers ?? [];
    const message: Routing = { head, more, preSettled, priority: rule?.priority ?? head.priority, state };
    if (treatment === Treatment.multicastOnce || treatment === Treatment.multicastFlood) {
      return this.#multicast(state, remotes, origin, message, from, upstream);
    }
    if (treatment === Treatment.closest) return this.#closest(state, remotes, origin, message, upstream);
    return this.#balanced(state, remotes, origin, message, upstream);
  }

  /**
   * Balanced: the least value wins, the first found wins a tie. Value of a local consumer: its outstanding messages; of a remote router:
   * this address's outstanding messages through the neighbour towards it, plus the path's cost. Candidates at their capacity
   * come last. A local consumer without outstanding messages ends the search.
   *
   * Of remote routers only those count to which the ingress router's shortest path goes through here. If there is none, routes are
   * changing, and this table or that of another is old: then any will do that leads to a router the message has not passed.
   */
  #balanced(
    state: AddressState,
    remotes: readonly RemoteRouter[],
    origin: string,
    message: Routing,
    upstream: Upstream,
  ): Downstream | typeof DeliveryState.released {
    let bestLocal: Consumer | undefined;
    let bestRemote: RemoteRouter | undefined;
    let bestValue = Infinity;
    let bestEligible = false;
    const { consumers } = state;
    for (let index = 0; index < consumers.length; index++) {
      const consumer = consumers[(state.turn + index) % consumers.length];
      const value = consumer.outstanding;
      const ready = consumer.ready !== false;
      if (value === 0 && ready) {
        state.turn = (state.turn + index + 1) % consumers.length;
        return consumer.deliver(message.head, upstream, origin, message.preSettled);
      }
      const eligible = ready && value < linkCapacity;
      if ((eligible && !bestEligible) || (eligible === bestEligible && value < bestValue)) {
        bestLocal = consumer;
        bestValue = value;
        bestEligible = eligible;
      }
    }
    let bestDetour: RemoteRouter | undefined;
    for (const router of remotes) {
      if (!this.#leadsOn(router)) continue;
      if (!router.validOrigins.has(origin)) {
        if (!hasPassed(message.head, router.nextHop)) bestDetour ??= router;
        continue;
      }
      const outstanding = state.outstanding.get(router.link) ?? 0;
      const value = outstanding + router.cost;
      const eligible = outstanding < linkCapacity;
      if ((eligible && !bestEligible) || (eligible === bestEligible && value < bestValue)) {
        bestRemote = router;
        bestLocal = undefined;
        bestValue = value;
        bestEligible = eligible;
      }
    }
    if (bestLocal !== undefined) return bestLocal.deliver(message.head, upstream, origin, message.preSettled);
    const remote = bestRemote ?? bestDetour;
    if (remote === undefined) return DeliveryState.released;
    return this.#remote(remote, message, upstream) ?? DeliveryState.released;
  }

  /** Closest: local consumers in turn; else the nearest routers in turn, those on the ingress router's own shortest paths first. */
  #closest(
    state: AddressState,
    remotes: readonly RemoteRouter[],
    origin: string,
    message: Routing,
    upstream: Upstream,
  ): Downstream | typeof DeliveryState.released {
    const turn = state.turn++;
    const { consumers } = state;
    for (let index = 0; index < consumers.length; index++) {
      const consumer = consumers[(turn + index) % consumers.length];
      if (consumer.ready !== false) return consumer.deliver(message.head, upstream, origin, message.preSettled);
    }
    const usable = remotes.filter((router) => this.#leadsOn(router) && !hasPassed(message.head, router.nextHop));
    if (usable.length === 0) {
      if (consumers.length === 0) return DeliveryState.released;
      return consumers[turn % consumers.length].deliver(message.head, upstream, origin, message.preSettled);
    }
    const nearest = usable.filter((router) => router.cost === usable[0].cost && router.validOrigins.has(origin));
    const router = nearest.length > 0 ? nearest[turn % nearest.length] : usable[0];
    return this.#remote(router, message, upstream) ?? DeliveryState.released;
  }

  /** Multicast: every local consumer, and one copy for each next hop that leads on from the ingress router and has not seen it. */
  #multicast(
    state: AddressState,
    remotes: readonly RemoteRouter[],
    origin: string,
    message: Routing,
    from: Neighbour | undefined,
    upstream: Upstream,
  ): Downstream | typeof DeliveryState.released {
    const leg = new MulticastLeg(upstream, message.preSettled, this.#multicasts, state.stuck);
    for (const consumer of state.consumers) {
      if (state.stuck.has(consumer)) {
        if (consumer.ready === false) continue;
        state.stuck.delete(consumer);
      }
      leg.add((outcome) => consumer.deliver(message.head, outcome, origin, message.preSettled), consumer);
    }
    const nextHops = new Set<number>();
    for (const router of remotes) {
      if (router.link === from?.linkNumber || nextHops.has(router.link) || !this.#leadsOn(router)) continue;
      if (!router.validOrigins.has(origin) || hasPassed(message.head, router.nextHop)) continue;
      nextHops.add(router.link);
      leg.add((outcome) => this.#remote(router, message, outcome));
    }
    return leg.copies === 0 ? DeliveryState.released : leg;
  }

  /** To be called every second or so: copies of multicast messages that nobody takes are given up. */
  sweep(nowMs: number): void {
    for (const leg of [...this.#multicasts]) leg.sweep(nowMs);
  }

  isSevered(link: number): boolean {
    return !this.#table.neighbours.has(link);
  }

  /** The table may be older than the loss of a link. */
  #leadsOn(router: RemoteRouter): boolean {
    return this.#neighbours.get(router.link)?.isUp === true;
  }

  #remote(router: RemoteRouter, message: Routing, upstream: Upstream): Downstream | undefined {
    const neighbour = this.#neighbours.get(router.link);
    if (neighbour === undefined || !neighbour.isUp) return undefined;
    const { head, more, preSettled, priority, state } = message;
    // Complete messages share the link of their priority; a stream gets a link of its own.
    const link = more ? neighbour.acquireStream() : neighbour.priorityLink(priority);
    if (link === undefined) return undefined;
    state?.sent(router.link);
    const leg = new RemoteLeg(neighbour, link, more, preSettled, state, this.outgoing, upstream);
    return new AnnotatedLeg(leg, head.annotations, this.#firstOctets, this, router.link);
  }
}

/** Whether a message comes from or past a router. */
function hasPassed({ annotations }: MessageHead, routerId: string): boolean {
  return annotations.trace.includes(`0/${routerId}`);
}
