import { setTimeout as sleep } from 'node:timers/promises';
import { SlabPool } from '../amqp/transmit-buffer.ts';
import { silentAudit } from '../base/audit.ts';
import type { Audit } from '../base/audit.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { discriminator } from '../base/random.ts';
import type { Random } from '../base/random.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import type { TreatmentRule } from '../forwarding/forwarder.ts';
import type { Neighbour, NeighbourHandler } from '../forwarding/neighbour.ts';
import { openFileLimit } from '../host/open-files.ts';
import { TurnQueue } from '../host/turn.ts';
import type { TurnTask } from '../host/turn.ts';
import type { LogThreshold } from '../host/log-filter.ts';
import type { KnownMember } from '../host/trust-revocation.ts';
import { applyChange, ChangeRefused } from '../management/configuration-change.ts';
import type { ConfigurationChange } from '../management/configuration-change.ts';
import { entitiesOf } from '../management/entities.ts';
import type { Entity, EntityType, RouterConfiguration } from '../management/entities.ts';
import type { ControlMap } from '../routing/control-message.ts';
import type { RoutingEvent } from '../routing/events.ts';
import type { RoutingStatus } from '../routing/status.ts';
import { treatmentRule } from './address-rules.ts';
import { ControlPlane } from './control-plane.ts';
import type { FlowSettings } from './flow-records.ts';
import { drain } from './drain.ts';
import type { Leaving } from './drain.ts';
import { answerInquiries } from './inquiries.ts';
import type { LinkContext } from './link-context.ts';
import { LinkConnector } from './link-connector.ts';
import { LinkListener } from './link-listener.ts';
import { logLevels } from './log-levels.ts';
import type { HttpAcceptor } from './link-listener.ts';
import type { Link } from './link.ts';
import { clientPortName, clientPortOf } from './client-port.ts';
import { RouterRecords, siteNameOf } from './router-records.ts';
import { auditedEvent } from './routing-audit.ts';
import { routingTimers } from './routing-timers.ts';
import type { RouterSigning } from './signing.ts';
import { WindowBudget } from '../services/tcp/window-budget.ts';
import { SocketBudget } from './socket-budget.ts';
import { ServerTrial } from './server-trial.ts';
import { RouterServices } from './services.ts';
import { loadTlsProfile } from './tls-profiles.ts';
import type { TlsProfile } from './tls-profiles.ts';
import { TrustEnforcement } from './trust-enforcement.ts';

export interface RouterDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Gets what concerns security: links and routing information that are refused. Nowhere by default. */
  readonly audit?: Audit;
  /** Hears each event of routing. */
  readonly onRoutingEvent?: (event: RoutingEvent) => void;
  /** What the router signs with; without it, it does not sign. Whoever opened it ends it after the router. */
  readonly signing?: RouterSigning;
  /** Version that is told to peers. */
  readonly version: string;
  /** Takes connections to link ports that speak HTTP: redemption of tokens. */
  readonly http?: () => HttpAcceptor | undefined;
  /** Data about the site for every router of the network. */
  readonly site?: ControlMap;
  /** What is known and wanted of the router's records, as it is at the moment. */
  readonly flowSettings?: () => FlowSettings;
  /** Sets log levels by component, as log entities ask; called at the start and when they change. */
  readonly configureLog?: (levels: ReadonlyMap<string, LogThreshold>) => void;
}

/** Sequences by which routing is ahead for each millisecond in the second of its start: more than it can use up in that time. */
const sequencesPerMs = 16;
/** Peers get this long to answer the close of a link. */
const linkCloseMs = 1000;

/** The composition root of one router: control plane, data plane and the sockets between them, as the configuration says. */
export class Router implements TurnTask, AsyncDisposable {
  readonly turns: TurnQueue = new TurnQueue();
  readonly startedMs: number;
  readonly #control: ControlPlane;
  readonly #enforcement: TrustEnforcement | undefined;
  readonly #records: RouterRecords;
  readonly #dependencies: RouterDependencies;
  readonly #log: Logger;
  readonly #links = new Map<Neighbour, Link>();
  readonly #profiles = new Map<string, TlsProfile>();
  readonly #listeners = new Map<string, LinkListener>();
  readonly #connectors = new Map<string, LinkConnector>();
  readonly #linkContext: LinkContext;
  /** Ports for clients and offers of servers. */
  readonly services: RouterServices;
  readonly #sockets = new SocketBudget(openFileLimit());
  #configuration: RouterConfiguration;
  #rule: TreatmentRule;
  #linkNumber = 0;
  #flowNumber = 0;
  /** Changes are applied one after the other: each starts from what the one before left. */
  #lastChange: Promise<void> = Promise.resolve();
  #routingTimer: NodeJS.Timeout | undefined;
  #routingTimerAtMs = Infinity;
  #stopped = false;
  /** Told when routes, neighbours or local addresses changed. */
  changed: (() => void) | undefined;

  constructor(configuration: RouterConfiguration, dependencies: RouterDependencies) {
    const { clock, random, version, signing, site } = dependencies;
    this.#dependencies = dependencies;
    const { router } = configuration;
    const sourceId = discriminator(random, 5);
    const nextFlowId = (): string => `${sourceId}:${++this.#flowNumber}`;
    const parts = { forwarder: (): Forwarder => this.forwarder, turns: this.turns, sourceId, nextIdentity: nextFlowId };
    this.#records = new RouterRecords({ ...parts, configuration, dependencies, probesOf: (link) => this.#control.probesOf(link) });
    const { log } = this.#records;
    this.#log = log.child('router');
    this.startedMs = clock.nowMs();
    const startedWallMs = clock.wallMs();
    // Entities come one by one in `start`.
    this.#configuration = configuration;
    this.#rule = treatmentRule(configuration.addresses, router.defaultDistribution);
    this.#control = new ControlPlane({
      routing: {
        routerId: router.id,
        instance: Math.floor(startedWallMs / 1000),
        sequenceStart: Math.floor(startedWallMs % 1000) * sequencesPerMs,
        timers: routingTimers(router),
        ...(site === undefined ? {} : { site }),
        ...(signing === undefined ? {} : { trust: signing.trust, requireSigned: signing.entity.requireSigned }),
      },
      rule: (address) => this.#rule(address),
      clock,
      random,
      log: this.#log,
      audit: dependencies.audit ?? silentAudit,
      onRoutingEvent: (event) => this.#heard(event),
      wake: () => this.turns.touch(),
    });
    if (signing !== undefined) {
      this.#enforcement = new TrustEnforcement({
        signing,
        control: this.#control,
        links: () => this.#links.values(),
        fence: () => this.#fence(),
        log: this.#log,
        audit: dependencies.audit ?? silentAudit,
      });
    }
    this.#linkContext = {
      routerId: router.id,
      version,
      clock,
      random,
      log: log.child('link'),
      audit: dependencies.audit ?? silentAudit,
      turns: this.turns,
      slabs: new SlabPool(),
      filesKept: this.#sockets.reserved,
      nextLinkNumber: () => ++this.#linkNumber,
      handlerFor: (link) => this.#handlerFor(link),
      accessIdentity: (listener) => this.#records.links.accessIdentity(listener),
      tlsProfile: (name) => this.#profile(name),
    };
    this.services = new RouterServices({
      forwarder: this.forwarder,
      turns: this.turns,
      clock,
      random,
      log,
      windows: new WindowBudget(),
      sockets: this.#sockets,
      siteName: siteNameOf(site) ?? router.id,
      version,
      records: this.#records.services,
      nextFlowId,
      nextMessageId: () => `${sourceId}:0${++this.#flowNumber}`,
      tlsProfile: (name) => this.#profile(name),
    });
    this.#records.attach(this.services);
    answerInquiries({
      router: this,
      forwarder: this.forwarder,
      clock,
      version,
      trial: new ServerTrial(() => this.#configuration, this.#sockets, clock),
      touch: () => this.turns.touch(),
    });
    // First in every turn, so that what routing says leaves in the same turn.
    this.turns.register(this);
  }

  get routerId(): string {
    return this.#control.routerId;
  }

  get forwarder(): Forwarder {
    return this.#control.forwarder;
  }

  get configuration(): RouterConfiguration {
    return this.#configuration;
  }

  /** Creates everything that is configured. Throws if certificates cannot be read or a link port cannot be opened. */
  async start(): Promise<void> {
    this.#dependencies.configureLog?.(logLevels(this.#configuration.logs));
    for (const entity of entitiesOf(this.#configuration)) await this.#create(entity);
    this.turns.touch();
  }

  /** Applies one change while running. Throws ChangeRefused or WeatherError and leaves everything as it was. */
  async apply(change: ConfigurationChange): Promise<void> {
    const applied = this.#lastChange.then(() => this.#apply(change));
    this.#lastChange = applied.catch(() => {});
    await applied;
  }

  async #apply(change: ConfigurationChange): Promise<void> {
    const before = this.#configuration;
    const after = applyChange(before, change);
    if ((after.signing === undefined) !== (before.signing === undefined)) {
      throw new ChangeRefused(403, 'a router begins and ends to sign only with its process');
    }
    switch (change.operation) {
      case 'CREATE':
        await this.#create(change.entity);
        break;
      case 'UPDATE':
        await this.#update(change.entity);
        break;
      case 'DELETE':
        this.#delete(change.type, change.name);
        break;
      default:
        throw new Error('bug: a router cannot replace its own router entity');
    }
    this.#configuration = after;
    const changedType = change.operation === 'DELETE' ? change.type : change.entity.type;
    if (changedType === 'log') this.#dependencies.configureLog?.(logLevels(after.logs));
    if (changedType === 'address') {
      this.#rule = treatmentRule(after.addresses, after.router.defaultDistribution);
      this.forwarder.rulesChanged();
    }
    this.#control.servicesChanged();
  }

  async #create(entity: Entity): Promise<void> {
    switch (entity.type) {
      case 'sslProfile':
        this.#profiles.set(entity.name, await loadTlsProfile(entity));
        return;
      case 'listener': {
        if (entity.role === 'normal') {
          this.services.create(clientPortOf(entity));
          return;
        }
        const listener = new LinkListener(this.#linkContext, entity, this.#dependencies.http);
        await listener.start();
        this.#records.links.listener(entity);
        this.#listeners.set(entity.name, listener);
        return;
      }
      case 'connector': {
        this.#records.links.connector(entity);
        const connector = new LinkConnector(this.#linkContext, entity);
        this.#connectors.set(entity.name, connector);
        connector.start();
        return;
      }
      case 'router':
      case 'site':
      case 'log':
      case 'address':
      case 'signing':
        // They have no parts of their own; signing is there from the start.
        return;
      default:
        this.services.create(entity);
    }
  }

  async #update(entity: Entity): Promise<void> {
    if (entity.type === 'signing') await this.#enforcement?.renew(entity);
    if (entity.type !== 'sslProfile') return;
    const profile = await loadTlsProfile(entity);
    this.#profiles.set(entity.name, profile);
    for (const listener of this.#listeners.values()) if (listener.entity.sslProfile === entity.name) listener.renew(profile);
    for (const connector of this.#connectors.values()) if (connector.entity.sslProfile === entity.name) connector.retryNow();
    this.services.renew(profile);
  }

  #delete(type: EntityType, name: string): void {
    switch (type) {
      case 'sslProfile':
        this.#profiles.delete(name);
        return;
      case 'listener':
        this.#listeners.get(name)?.stop();
        this.#listeners.delete(name);
        this.#records.links.ended(type, name);
        this.services.delete('amqpListener', clientPortName(name));
        return;
      case 'connector':
        this.#connectors.get(name)?.stop();
        this.#connectors.delete(name);
        this.#records.links.ended(type, name);
        return;
      case 'router':
      case 'site':
      case 'log':
      case 'address':
      case 'signing':
        return;
      default:
        this.services.delete(type, name);
    }
  }

  #profile(name: string): TlsProfile {
    const profile = this.#profiles.get(name);
    if (profile === undefined) throw new Error(`bug: sslProfile '${name}' is not loaded`);
    return profile;
  }

  // ---- neighbours ----

  #handlerFor(link: Link): NeighbourHandler {
    const control = this.#control;
    // A link is made with its neighbour, which calls back only later: the map is filled on the first call.
    return {
      opened: (neighbour, open) => {
        this.#links.set(neighbour, link);
        link.heardOpen(open);
        if (this.#enforcement?.admit(link) !== false) control.opened(neighbour, open);
      },
      controlUp: (neighbour) => {
        this.#records.links.up(link);
        control.controlUp(neighbour);
      },
      controlMessage: (neighbour, message) => control.controlMessage(neighbour, message),
      message: (neighbour, delivery, bytes, start, end, more) => control.message(neighbour, delivery, bytes, start, end, more),
      relieved: () => control.relieved(),
      down: (neighbour, error) => {
        this.#links.delete(neighbour);
        this.#records.links.down(link, error);
        control.down(neighbour, error);
        link.ended?.(error);
      },
    };
  }

  // ---- routing ----

  #heard(event: RoutingEvent): void {
    const { audit, onRoutingEvent } = this.#dependencies;
    const audited = auditedEvent(event);
    if (audited !== undefined) audit?.record(audited);
    this.#enforcement?.heard(event);
    onRoutingEvent?.(event);
  }

  /** Another process has this router's identity and goes on: this one keeps out of the network. */
  #fence(): void {
    for (const connector of this.#connectors.values()) connector.stop();
    for (const listener of this.#listeners.values()) listener.stopAccepting();
  }

  endOfTurn(): void {
    if (!this.#control.isDirty || this.#stopped) return;
    const changed = this.#control.drive();
    this.#armRouting(this.#control.nextDeadlineMs());
    if (!changed) return;
    this.services.routesChanged();
    this.#records.flows.routesChanged();
    this.changed?.();
  }

  #armRouting(deadlineMs: number): void {
    if (deadlineMs === this.#routingTimerAtMs) return;
    clearTimeout(this.#routingTimer);
    this.#routingTimerAtMs = deadlineMs;
    if (deadlineMs === Infinity) return;
    const { clock } = this.#dependencies;
    this.#routingTimer = setTimeout(
      () => {
        this.#routingTimerAtMs = Infinity;
        this.#control.handleTimeout();
      },
      Math.max(1, Math.ceil(deadlineMs - clock.nowMs())),
    );
  }

  // ---- state ----

  get routingStatus(): RoutingStatus {
    return this.#control.routingStatus;
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

  /** Whether this router signs, and the members of its network whose credentials hold, by router id. */
  get signs(): boolean {
    return this.#dependencies.signing !== undefined;
  }

  get members(): ReadonlyMap<string, KnownMember> {
    return new Map(this.#dependencies.signing?.trust.members.map((member) => [member.routerId, member]));
  }

  /** Changes the data about the site that other routers are told. */
  updateSite(site: ControlMap): void {
    this.#control.updateSite(site);
    this.#records.flows.updateSite(site);
  }

  // ---- end ----

  /** Connections, flows and requests of services that are open. */
  get openConnections(): number {
    return this.services.active;
  }

  /** Connections refused in the last minutes because there were no file descriptors for them. */
  get socketsRefusedLately(): number {
    return this.#sockets.refusedLately(this.#dependencies.clock.nowMs());
  }

  /** Leaves the network without loss, as far as connections end until `deadlineMs` from now has passed, then stops. */
  async drain(deadlineMs: number): Promise<void> {
    await drain(this.#leaving(), deadlineMs);
    if (this.openConnections > 0) this.#log.warn('connections cut off at the end of the drain time', { count: this.openConnections });
    await this.stop();
  }

  #leaving(): Leaving {
    const { clock } = this.#dependencies;
    return {
      nowMs: () => clock.nowMs(),
      pause: (durationMs) => sleep(durationMs),
      announce: () => {
        this.services.conceal();
        this.#control.discourageTransit();
      },
      stopAccepting: () => {
        this.services.stopAccepting();
        for (const listener of this.#listeners.values()) listener.stopAccepting();
      },
      hasLinks: () => this.#links.size > 0,
      openConnections: () => this.openConnections,
      connectionsTaken: () => this.services.taken,
      streams: () => sum(this.#links.keys(), ({ activeStreams }) => activeStreams),
      streamsBegun: () => sum(this.#links.keys(), ({ streamsBegun }) => streamsBegun),
    };
  }

  /** Ends everything: connections of services are cut, links are closed in order. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#enforcement?.stop();
    this.#records.flows.stop();
    this.services.stop();
    for (const connector of this.#connectors.values()) connector.stop();
    for (const listener of this.#listeners.values()) listener.stop();
    const closing = [...this.#links.values()];
    for (const link of closing) link.close();
    this.turns.touch();
    const { clock } = this.#dependencies;
    const endMs = clock.nowMs() + linkCloseMs;
    while (this.#links.size > 0 && clock.nowMs() < endMs) {
      await sleep(5);
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

function sum<T>(parts: Iterable<T>, count: (part: T) => number): number {
  let total = 0;
  for (const part of parts) total += count(part);
  return total;
}
