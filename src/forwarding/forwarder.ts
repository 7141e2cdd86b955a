import { DeliveryState } from '../amqp/performatives.ts';
import { ValueWriter } from '../amqp/value-writer.ts';
import type { Random } from '../base/random.ts';
import { discriminator } from '../base/random.ts';
import { Treatment } from '../routing/route-table.ts';
import type { RemoteRouter, RouteTable } from '../routing/route-table.ts';
import { parseAddress } from './address.ts';
import { InboundMessage } from './inbound-message.ts';
import type { IncomingDelivery } from '../amqp/delivery.ts';
import type { Consumer, Downstream, Upstream } from './leg.ts';
import type { MessageHead } from './message-head.ts';
import { MulticastLeg } from './multicast.ts';
import { linkCapacity } from './neighbour.ts';
import type { Neighbour } from './neighbour.ts';
import { RemoteLeg } from './remote-leg.ts';
import { encodeAnnotations } from './router-annotations.ts';
import type { RouterAnnotations } from './router-annotations.ts';

/** Addresses with consumers at this router. */
const maxLocalAddresses = 10_000;

/** What this router knows of an address itself. */
class AddressState {
  readonly key: string;
  readonly consumers: Consumer[] = [];
  /** Unsettled messages of this address by the neighbour's link number. */
  readonly outstanding: Map<number, number> = new Map();
  turn = 0;
  readonly #all: Map<string, AddressState>;

  /** Adds itself to `all`, and leaves it when nothing is known of the address any more. */
  constructor(key: string, all: Map<string, AddressState>) {
    this.key = key;
    this.#all = all;
    all.set(key, this);
  }

  forgetIfEmpty(): void {
    if (this.consumers.length === 0 && this.outstanding.size === 0) this.#all.delete(this.key);
  }

  sent(link: number): void {
    this.outstanding.set(link, (this.outstanding.get(link) ?? 0) + 1);
  }

  settled(link: number): void {
    const count = (this.outstanding.get(link) ?? 0) - 1;
    if (count > 0) this.outstanding.set(link, count);
    else {
      this.outstanding.delete(link);
      this.forgetIfEmpty();
    }
  }
}

/** Hears when the set of local consumers changes, to announce it. */
export interface ForwarderHandler {
  localAddress(key: string, treatment: Treatment): void;
  localAddressGone(key: string): void;
}

/** How an address is treated here when it is configured; undefined = not configured. */
export type TreatmentRule = (address: string) => { readonly treatment: Treatment; readonly priority: number | undefined } | undefined;

/**
 * The data plane: chooses for each message where it goes, and joins the two ends. Reads the control plane's `table` and never calls it.
 */
export class Forwarder {
  readonly routerId: string;
  /** Replaced whole by the control plane. */
  table: RouteTable;
  readonly #handler: ForwarderHandler;
  readonly #rule: TreatmentRule;
  readonly #random: Random;
  readonly #addresses = new Map<string, AddressState>();
  readonly #temporary = new Map<string, Consumer>();
  readonly #neighbours = new Map<number, Neighbour>();
  readonly #writer = new ValueWriter(512);

  constructor(table: RouteTable, handler: ForwarderHandler, rule: TreatmentRule, random: Random) {
    this.routerId = table.routerId;
    this.table = table;
    this.#handler = handler;
    this.#rule = rule;
    this.#random = random;
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
    const key = `M${address}`;
    let state = this.#addresses.get(key);
    if (state === undefined) {
      if (this.#addresses.size >= maxLocalAddresses) return false;
      state = new AddressState(key, this.#addresses);
    }
    state.consumers.push(consumer);
    if (state.consumers.length === 1) this.#handler.localAddress(key, this.treatment(address));
    return true;
  }

  removeConsumer(address: string, consumer: Consumer): void {
    const key = `M${address}`;
    const state = this.#addresses.get(key);
    const index = state?.consumers.indexOf(consumer) ?? -1;
    if (state === undefined || index < 0) return;
    state.consumers.splice(index, 1);
    if (state.consumers.length > 0) return;
    this.#handler.localAddressGone(key);
    state.forgetIfEmpty();
  }

  /** Makes an address of this router for answers; messages to it go to `consumer` until `removeTemporary`. */
  addTemporary(consumer: Consumer): string {
    const name = `temp.${discriminator(this.#random, 15)}`;
    this.#temporary.set(name, consumer);
    return `amqp:/_topo/0/${this.routerId}/${name}`;
  }

  removeTemporary(address: string): void {
    this.#temporary.delete(address.slice(address.lastIndexOf('/') + 1));
  }

  /** Consumers at this router. */
  localConsumers(address: string): number {
    return this.#addresses.get(`M${address}`)?.consumers.length ?? 0;
  }

  /** True when a message to the service address would find a consumer. */
  reachable(address: string): boolean {
    const key = `M${address}`;
    const state = this.#addresses.get(key);
    if (state !== undefined && state.consumers.length > 0) return true;
    const route = this.table.addresses.get(key);
    return route !== undefined && route.routers.some((router) => router.link >= 0);
  }

  treatment(address: string): Treatment {
    return this.#rule(address)?.treatment ?? Treatment.balanced;
  }

  /** Unsettled messages of a service address through each neighbour, for status. */
  outstanding(address: string): ReadonlyMap<number, number> {
    return this.#addresses.get(`M${address}`)?.outstanding ?? new Map<number, number>();
  }

  // ---- routing of messages ----

  /** The first frame of a message from a neighbour. */
  receive(neighbour: Neighbour, delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const message = new InboundMessage(this, neighbour, delivery);
    delivery.sink = message;
    message.transfer(delivery, bytes, start, end, more);
  }

  /**
   * Chooses where a message goes and returns that end, or the state to settle it with when there is none (released: nowhere now;
   * rejected: no address). `from` is undefined for a message made here.
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
    if (annotations.trace.length > this.table.radius + 1) return DeliveryState.released;
    const parsed = parseAddress(destination, this.routerId);
    switch (parsed.addressClass) {
      case 'M':
        return this.#forwardService(parsed.name, head, more, preSettled, from, upstream);
      case 'L':
        return this.#temporary.get(parsed.name)?.deliver(head, upstream) ?? DeliveryState.released;
      case 'R': {
        const router = this.table.routers.get(parsed.name);
        return (router && this.#remote(router, head, more, preSettled, undefined, upstream)) ?? DeliveryState.released;
      }
      default:
        // Control addresses take messages from control links only; edges are not connected here.
        return DeliveryState.released;
    }
  }

  #forwardService(
    address: string,
    head: MessageHead,
    more: boolean,
    preSettled: boolean,
    from: Neighbour | undefined,
    upstream: Upstream,
  ): Downstream | typeof DeliveryState.released {
    const key = `M${address}`;
    let state = this.#addresses.get(key);
    const route = this.table.addresses.get(key);
    if (route === undefined && (state === undefined || state.consumers.length === 0)) return DeliveryState.released;
    state ??= new AddressState(key, this.#addresses);
    const treatment = this.#rule(address)?.treatment ?? route?.treatment ?? Treatment.balanced;
    if (treatment === Treatment.unavailable) return DeliveryState.released;
    const remotes = route?.routers ?? [];
    const ingress =
      head.annotations.ingress === null ? this.routerId : head.annotations.ingress.slice(head.annotations.ingress.indexOf('/') + 1);
    if (treatment === Treatment.multicastOnce || treatment === Treatment.multicastFlood) {
      return this.#multicast(state, remotes, ingress, head, more, preSettled, from, upstream);
    }
    if (treatment === Treatment.closest) return this.#closest(state, remotes, ingress, head, more, preSettled, upstream);
    return this.#balanced(state, remotes, ingress, head, more, preSettled, upstream);
  }

  /**
   * Balanced: the least value wins, the first found wins a tie. Value of a local consumer: its outstanding messages; of a remote router:
   * this address's outstanding messages through the neighbour towards it, plus the path's cost. Candidates at their capacity
   * come last. A local consumer without outstanding messages ends the search.
   */
  #balanced(
    state: AddressState,
    remotes: readonly RemoteRouter[],
    ingress: string,
    head: MessageHead,
    more: boolean,
    preSettled: boolean,
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
      if (value === 0) {
        state.turn = (state.turn + index + 1) % consumers.length;
        return consumer.deliver(head, upstream);
      }
      const eligible = value < linkCapacity;
      if ((eligible && !bestEligible) || (eligible === bestEligible && value < bestValue)) {
        bestLocal = consumer;
        bestValue = value;
        bestEligible = eligible;
      }
    }
    for (const router of remotes) {
      if (router.link < 0 || !router.validOrigins.has(ingress)) continue;
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
    if (bestLocal !== undefined) return bestLocal.deliver(head, upstream);
    if (bestRemote === undefined) return DeliveryState.released;
    return this.#remote(bestRemote, head, more, preSettled, state, upstream) ?? DeliveryState.released;
  }

  /** Closest: local consumers in turn; else the nearest routers in turn, those on the ingress router's own shortest paths first. */
  #closest(
    state: AddressState,
    remotes: readonly RemoteRouter[],
    ingress: string,
    head: MessageHead,
    more: boolean,
    preSettled: boolean,
    upstream: Upstream,
  ): Downstream | typeof DeliveryState.released {
    const turn = state.turn++;
    if (state.consumers.length > 0) return state.consumers[turn % state.consumers.length].deliver(head, upstream);
    const usable = remotes.filter((router) => router.link >= 0);
    if (usable.length === 0) return DeliveryState.released;
    const nearest = usable.filter((router) => router.cost === usable[0].cost && router.validOrigins.has(ingress));
    const router = nearest.length > 0 ? nearest[turn % nearest.length] : usable[0];
    return this.#remote(router, head, more, preSettled, state, upstream) ?? DeliveryState.released;
  }

  #multicast(
    state: AddressState,
    remotes: readonly RemoteRouter[],
    ingress: string,
    head: MessageHead,
    more: boolean,
    preSettled: boolean,
    from: Neighbour | undefined,
    upstream: Upstream,
  ): Downstream | typeof DeliveryState.released {
    const leg = new MulticastLeg(upstream);
    let copies = 0;
    for (const consumer of state.consumers) {
      leg.add(consumer.deliver(head, leg.outcome()));
      copies++;
    }
    const nextHops = new Set<number>();
    for (const router of remotes) {
      if (router.link < 0 || router.link === from?.linkNumber || nextHops.has(router.link)) continue;
      if (!router.validOrigins.has(ingress) || head.annotations.trace.includes(`0/${router.nextHop}`)) continue;
      nextHops.add(router.link);
      const copy = this.#remote(router, head, more, preSettled, state, leg.outcome());
      if (copy === undefined) continue;
      leg.add(copy);
      copies++;
    }
    return copies === 0 ? DeliveryState.released : leg;
  }

  #remote(
    router: RemoteRouter,
    head: MessageHead,
    more: boolean,
    preSettled: boolean,
    state: AddressState | undefined,
    upstream: Upstream,
  ): Downstream | undefined {
    const neighbour = this.#neighbours.get(router.link);
    if (neighbour === undefined || !neighbour.isUp) return undefined;
    // Complete messages share the link of their priority; a stream gets a link of its own.
    const link = more ? neighbour.acquireStream() : neighbour.priorityLink(head.priority);
    if (link === undefined) return undefined;
    state?.sent(router.link);
    const leg = new RemoteLeg(neighbour, link, more, preSettled, state, upstream);
    return new AnnotatedLeg(leg, this.#annotate(head.annotations));
  }

  /** The annotations that go on: this router joins the trace, and becomes the ingress of a message that has none. */
  #annotate(annotations: RouterAnnotations): Uint8Array {
    const self = `0/${this.routerId}`;
    const writer = this.#writer;
    writer.reset();
    encodeAnnotations(writer, {
      flags: annotations.flags,
      toOverride: annotations.toOverride,
      ingress: annotations.ingress ?? self,
      trace: [...annotations.trace, self],
      ingressMesh: annotations.ingressMesh,
    });
    return writer.take();
  }
}

/** Puts the router annotations in front of the first bytes. */
class AnnotatedLeg implements Downstream {
  readonly #leg: RemoteLeg;
  #annotations: Uint8Array | undefined;

  constructor(leg: RemoteLeg, annotations: Uint8Array) {
    this.#leg = leg;
    this.#annotations = annotations;
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const annotations = this.#annotations;
    if (annotations === undefined) {
      this.#leg.send(bytes, start, end, more);
      return;
    }
    this.#annotations = undefined;
    const first = new Uint8Array(annotations.length + end - start);
    first.set(annotations);
    first.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), annotations.length);
    this.#leg.send(first, 0, first.length, more);
  }

  abort(): void {
    this.#leg.abort();
  }

  forget(): void {
    this.#leg.forget();
  }

  get congested(): boolean {
    return this.#leg.congested;
  }
}
