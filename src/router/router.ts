import type { AmqpError, Open } from '../amqp/performatives.ts';
import { Condition } from '../amqp/constants.ts';
import type { IncomingDelivery } from '../amqp/delivery.ts';
import { SlabPool } from '../amqp/transmit-buffer.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { discriminator } from '../base/random.ts';
import type { Random } from '../base/random.ts';
import { encodeControlMessage } from '../forwarding/control-codec.ts';
import { Forwarder } from '../forwarding/forwarder.ts';
import type { TreatmentRule } from '../forwarding/forwarder.ts';
import type { Neighbour, NeighbourHandler } from '../forwarding/neighbour.ts';
import { ValueWriter } from '../amqp/value-writer.ts';
import { TurnQueue } from '../host/turn.ts';
import type { TurnTask } from '../host/turn.ts';
import { applyChange } from '../management/configuration-change.ts';
import type { ConfigurationChange } from '../management/configuration-change.ts';
import { entitiesOf } from '../management/entities.ts';
import type { Entity, EntityType, RouterConfiguration } from '../management/entities.ts';
import type { ControlMap, ControlMessage } from '../routing/control-message.ts';
import { RoutingEngine } from '../routing/engine.ts';
import type { RoutingEvent } from '../routing/events.ts';
import type { RoutingStatus } from '../routing/status.ts';
import { treatmentRule } from './address-rules.ts';
import type { LinkContext } from './link-context.ts';
import { LinkConnector } from './link-connector.ts';
import { LinkListener } from './link-listener.ts';
import type { HttpAcceptor } from './link-listener.ts';
import type { Link } from './link.ts';
import { TcpConnectorOffer, TcpListenerPort } from './tcp-services.ts';
import type { ServiceContext } from './tcp-services.ts';
import { loadTlsProfile } from './tls-profiles.ts';
import type { TlsProfile } from './tls-profiles.ts';

export interface RouterDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Version that is told to peers. */
  readonly version: string;
  /** Takes connections to link ports that speak HTTP: redemption of tokens. */
  readonly http?: () => HttpAcceptor | undefined;
  /** Data about the site for every router of the network. */
  readonly site?: ControlMap;
}

/** While draining, open connections are counted this often. */
const drainPollMs = 50;
/** Peers get this long to answer the close of a link. */
const linkCloseMs = 1000;

/** The composition root of one router: control plane, data plane and the sockets between them, as the configuration says. */
export class Router implements NeighbourHandler, TurnTask, AsyncDisposable {
  readonly turns: TurnQueue = new TurnQueue();
  readonly startedMs: number;
  readonly forwarder: Forwarder;
  readonly #dependencies: RouterDependencies;
  readonly #log: Logger;
  readonly #routing: RoutingEngine;
  readonly #writer = new ValueWriter(1024);
  readonly #links = new Map<Neighbour, Link>();
  readonly #profiles = new Map<string, TlsProfile>();
  readonly #listeners = new Map<string, LinkListener>();
  readonly #connectors = new Map<string, LinkConnector>();
  readonly #tcpListeners = new Map<string, TcpListenerPort>();
  readonly #tcpConnectors = new Map<string, TcpConnectorOffer>();
  readonly #linkContext: LinkContext;
  readonly #serviceContext: ServiceContext;
  #configuration: RouterConfiguration;
  #rule: TreatmentRule;
  #linkNumber = 0;
  #flowNumber = 0;
  #routingDirty = true;
  #servicesDirty = false;
  #routingTimer: NodeJS.Timeout | undefined;
  #routingTimerAtMs = Infinity;
  #stopped = false;
  /** Told when routes, neighbours or local addresses changed. */
  changed: (() => void) | undefined;

  constructor(configuration: RouterConfiguration, dependencies: RouterDependencies) {
    const { clock, random, log, version } = dependencies;
    this.#dependencies = dependencies;
    this.#log = log.child('router');
    this.startedMs = clock.nowMs();
    const { router } = configuration;
    // Entities come one by one in `start`.
    this.#configuration = configuration;
    this.#rule = treatmentRule(configuration.addresses, router.defaultDistribution);
    this.#routing = new RoutingEngine({
      routerId: router.id,
      instance: Math.floor(clock.wallMs() / 1000),
      timers: {
        helloIntervalMs: router.helloIntervalSeconds * 1000,
        helloMaxAgeMs: router.helloMaxAgeSeconds * 1000,
        advertisementIntervalMs: router.raIntervalSeconds * 1000,
        advertisementFluxIntervalMs: router.raIntervalFluxSeconds * 1000,
        linkStateMaxAgeMs: router.remoteLsMaxAgeSeconds * 1000,
        unreachableHoldoffMs: router.unreachableHoldoffSeconds * 1000,
      },
      ...(dependencies.site === undefined ? {} : { site: dependencies.site }),
    });
    this.forwarder = new Forwarder(
      this.#routing.table,
      {
        localAddress: (key, treatment): void => {
          this.#routing.localAddress(key, treatment, 0, clock.nowMs());
          this.#changedServices();
        },
        localAddressGone: (key): void => {
          this.#routing.localAddressGone(key, clock.nowMs());
          this.#changedServices();
        },
      },
      (address) => this.#rule(address),
      random,
    );
    const sourceId = discriminator(random, 5);
    this.#linkContext = {
      routerId: router.id,
      version,
      clock,
      random,
      log: log.child('link'),
      turns: this.turns,
      slabs: new SlabPool(),
      nextLinkNumber: () => ++this.#linkNumber,
      handlerFor: (link) => this.#handlerFor(link),
      tlsProfile: (name) => this.#profile(name),
    };
    this.#serviceContext = {
      forwarder: this.forwarder,
      turns: this.turns,
      clock,
      random,
      log,
      nextFlowId: () => `${sourceId}:${++this.#flowNumber}`,
    };
    // First in every turn, so that what routing says leaves in the same turn.
    this.turns.register(this);
  }

  get routerId(): string {
    return this.forwarder.routerId;
  }

  get configuration(): RouterConfiguration {
    return this.#configuration;
  }

  /** Creates everything that is configured. Throws if certificates cannot be read or a link port cannot be opened. */
  async start(): Promise<void> {
    for (const entity of entitiesOf(this.#configuration)) await this.#create(entity);
    this.turns.touch();
  }

  /** Applies one change while running. Throws ChangeRefused or WeatherError and leaves everything as it was. */
  async apply(change: ConfigurationChange): Promise<void> {
    const before = this.#configuration;
    const after = applyChange(before, change);
    switch (change.operation) {
      case 'CREATE':
        await this.#create(change.entity);
        break;
      case 'UPDATE':
        await this.#update(change.entity);
        break;
      case 'DELETE':
        this.#delete(change.type, change.name, before);
        break;
      default:
        throw new Error('bug: a router cannot replace its own router entity');
    }
    this.#configuration = after;
    this.#rule = treatmentRule(after.addresses, after.router.defaultDistribution);
    this.#changedServices();
  }

  async #create(entity: Entity): Promise<void> {
    switch (entity.type) {
      case 'sslProfile':
        this.#profiles.set(entity.name, await loadTlsProfile(entity));
        return;
      case 'listener': {
        const listener = new LinkListener(this.#linkContext, entity, this.#dependencies.http);
        await listener.start();
        this.#listeners.set(entity.name, listener);
        return;
      }
      case 'connector': {
        const connector = new LinkConnector(this.#linkContext, entity);
        this.#connectors.set(entity.name, connector);
        connector.start();
        return;
      }
      case 'tcpListener': {
        const port = new TcpListenerPort(this.#serviceContext, entity);
        this.#tcpListeners.set(entity.name, port);
        port.update();
        return;
      }
      case 'listenerAddress':
        this.#tcpListeners.get(entity.listener)?.addAddress(entity);
        return;
      case 'tcpConnector': {
        const offer = new TcpConnectorOffer(this.#serviceContext, entity);
        this.#tcpConnectors.set(entity.name, offer);
        offer.start();
        return;
      }
      default:
      // router, site, log and address have no parts of their own.
    }
  }

  async #update(entity: Entity): Promise<void> {
    if (entity.type !== 'sslProfile') return;
    const profile = await loadTlsProfile(entity);
    this.#profiles.set(entity.name, profile);
    for (const listener of this.#listeners.values()) if (listener.entity.sslProfile === entity.name) listener.renew(profile);
    for (const connector of this.#connectors.values()) if (connector.entity.sslProfile === entity.name) connector.retryNow();
  }

  #delete(type: EntityType, name: string, configuration: RouterConfiguration): void {
    switch (type) {
      case 'sslProfile':
        this.#profiles.delete(name);
        return;
      case 'listener':
        this.#listeners.get(name)?.stop();
        this.#listeners.delete(name);
        return;
      case 'connector':
        this.#connectors.get(name)?.stop();
        this.#connectors.delete(name);
        return;
      case 'tcpListener':
        this.#tcpListeners.get(name)?.stop();
        this.#tcpListeners.delete(name);
        return;
      case 'listenerAddress': {
        const address = configuration.listenerAddresses.find((entry) => entry.name === name);
        if (address !== undefined) this.#tcpListeners.get(address.listener)?.removeAddress(name);
        return;
      }
      case 'tcpConnector':
        this.#tcpConnectors.get(name)?.stop();
        this.#tcpConnectors.delete(name);
        return;
      default:
    }
  }

  #profile(name: string): TlsProfile {
    const profile = this.#profiles.get(name);
    if (profile === undefined) throw new Error(`bug: sslProfile '${name}' is not loaded`);
    return profile;
  }

  // ---- neighbours ----

  #handlerFor(link: Link): NeighbourHandler {
    // A link is made with its neighbour, which calls back only later: the map is filled on the first call.
    return {
      opened: (neighbour, open) => {
        this.#links.set(neighbour, link);
        this.opened(neighbour, open);
      },
      controlUp: (neighbour) => this.controlUp(neighbour),
      controlMessage: (neighbour, message) => this.controlMessage(neighbour, message),
      message: (neighbour, delivery, bytes, start, end, more) => this.forwarder.receive(neighbour, delivery, bytes, start, end, more),
      down: (neighbour, error) => {
        this.down(neighbour, error);
        link.ended?.(error);
      },
    };
  }

  opened(neighbour: Neighbour, open: Open): void {
    const link = this.#links.get(neighbour);
    const proven = link?.peer.routerId;
    if (open.containerId === this.routerId) {
      this.#log.error('a peer has the same router id as this router', { peer: link?.remoteHost });
      neighbour.connection.close({ condition: Condition.notAllowed, description: `router id ${this.routerId} is in use at both ends` });
    } else if (proven !== undefined && proven !== open.containerId) {
      this.#log.error('a peer claims another router id than its certificate', {
        peer: link?.remoteHost,
        claimed: open.containerId,
        proven,
      });
      neighbour.connection.close({
        condition: Condition.unauthorizedAccess,
        description: 'container-id is not the router id of the certificate',
      });
    }
  }

  controlUp(neighbour: Neighbour): void {
    this.forwarder.addNeighbour(neighbour);
    this.#log.info('link is up', { router: neighbour.routerId, cost: neighbour.cost, dialled: neighbour.dialled });
    this.#routing.linkUp(neighbour.linkNumber, neighbour.cost, this.#dependencies.clock.nowMs(), neighbour.routerId);
    this.#dirty();
  }

  controlMessage(neighbour: Neighbour, message: ControlMessage): void {
    this.#routing.receive(neighbour.linkNumber, message, this.#dependencies.clock.nowMs());
    this.#dirty();
  }

  message(neighbour: Neighbour, delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.forwarder.receive(neighbour, delivery, bytes, start, end, more);
  }

  down(neighbour: Neighbour, error: AmqpError | undefined): void {
    this.#links.delete(neighbour);
    this.forwarder.removeNeighbour(neighbour);
    if (neighbour.role === 'control') this.#routing.linkDown(neighbour.linkNumber, this.#dependencies.clock.nowMs());
    if (neighbour.routerId !== '' && neighbour.role === 'control') {
      this.#log.info('link is down', { router: neighbour.routerId, reason: error?.description });
    }
    this.#dirty();
  }

  // ---- routing ----

  #dirty(): void {
    this.#routingDirty = true;
    this.turns.touch();
  }

  #changedServices(): void {
    this.#servicesDirty = true;
    this.#dirty();
  }

  endOfTurn(): void {
    if (!this.#routingDirty || this.#stopped) return;
    this.#routingDirty = false;
    this.#driveRouting();
    if (!this.#servicesDirty) return;
    this.#servicesDirty = false;
    for (const listener of this.#tcpListeners.values()) listener.update();
    this.changed?.();
  }

  #driveRouting(): void {
    const routing = this.#routing;
    for (let transmit = routing.nextTransmit(); transmit !== undefined; transmit = routing.nextTransmit()) {
      const encoded = encodeControlMessage(this.#writer, transmit.message);
      for (const number of transmit.links) this.#neighbour(number)?.sendControl(encoded);
    }
    for (let event = routing.nextEvent(); event !== undefined; event = routing.nextEvent()) this.#logEvent(event);
    const { table } = routing;
    if (table !== this.forwarder.table) {
      this.forwarder.table = table;
      this.#servicesDirty = true;
    }
    const deadlineMs = routing.nextDeadlineMs();
    if (deadlineMs !== this.#routingTimerAtMs) this.#armRouting(deadlineMs);
  }

  #armRouting(deadlineMs: number): void {
    clearTimeout(this.#routingTimer);
    this.#routingTimerAtMs = deadlineMs;
    if (deadlineMs === Infinity) return;
    const { clock } = this.#dependencies;
    this.#routingTimer = setTimeout(
      () => {
        this.#routingTimerAtMs = Infinity;
        this.#routing.handleTimeout(clock.nowMs());
        this.#dirty();
      },
      Math.max(1, Math.ceil(deadlineMs - clock.nowMs())),
    );
  }

  #neighbour(linkNumber: number): Neighbour | undefined {
    for (const neighbour of this.#links.keys()) if (neighbour.linkNumber === linkNumber) return neighbour;
    return undefined;
  }

  #logEvent(event: RoutingEvent): void {
    const { type, ...fields } = event;
    if (type === 'duplicateRouterId') this.#log.error('another router has the id of this router', fields);
    else if (type === 'limitReached') this.#log.warn('a limit of routing is reached', fields);
    else if (type === 'ignoredMessage' || type === 'ignoredVersion') this.#log.warn('routing message ignored', { type, ...fields });
    else this.#log.info(type, fields);
  }

  // ---- state ----

  get routingStatus(): RoutingStatus {
    return this.#routing.status();
  }

  get uptimeMs(): number {
    return this.#dependencies.clock.nowMs() - this.startedMs;
  }

  get links(): readonly Link[] {
    return [...this.#links.values()];
  }

  listener(name: string): LinkListener | undefined {
    return this.#listeners.get(name);
  }

  connector(name: string): LinkConnector | undefined {
    return this.#connectors.get(name);
  }

  tcpListener(name: string): TcpListenerPort | undefined {
    return this.#tcpListeners.get(name);
  }

  tcpConnector(name: string): TcpConnectorOffer | undefined {
    return this.#tcpConnectors.get(name);
  }

  /** Changes the data about the site that other routers are told. */
  updateSite(site: ControlMap): void {
    this.#routing.updateSite(site, this.#dependencies.clock.nowMs());
    this.#dirty();
  }

  // ---- end ----

  /** Connections of services that are open. */
  get openConnections(): number {
    let count = 0;
    for (const listener of this.#tcpListeners.values()) count += listener.service.active;
    for (const connector of this.#tcpConnectors.values()) count += connector.service.outstanding;
    return count;
  }

  /** Takes nothing new, lets connections finish until `deadlineMs` from now has passed, then stops. */
  async drain(deadlineMs: number): Promise<void> {
    for (const listener of this.#tcpListeners.values()) listener.stopAccepting();
    for (const offer of this.#tcpConnectors.values()) offer.withdraw();
    for (const listener of this.#listeners.values()) listener.stopAccepting();
    const { clock } = this.#dependencies;
    const endMs = clock.nowMs() + deadlineMs;
    while (this.openConnections > 0 && clock.nowMs() < endMs) {
      await new Promise((resolve) => {
        setTimeout(resolve, Math.min(drainPollMs, Math.max(1, endMs - clock.nowMs())));
      });
    }
    if (this.openConnections > 0) this.#log.warn('connections cut off at the end of the drain time', { count: this.openConnections });
    await this.stop();
  }

  /** Ends everything: connections of services are cut, links are closed in order. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    for (const port of this.#tcpListeners.values()) port.stop();
    for (const offer of this.#tcpConnectors.values()) offer.stop();
    for (const connector of this.#connectors.values()) connector.stop();
    for (const listener of this.#listeners.values()) listener.stop();
    const closing = [...this.#links.values()];
    for (const link of closing) link.close();
    this.turns.touch();
    const { clock } = this.#dependencies;
    const endMs = clock.nowMs() + linkCloseMs;
    while (this.#links.size > 0 && clock.nowMs() < endMs) {
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
    }
    for (const link of closing) link.destroy();
    this.#stopped = true;
    clearTimeout(this.#routingTimer);
    this.turns.unregister(this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
