import type { Audit } from '../base/audit.ts';
import type { Clock } from '../base/clock.ts';
import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Revocations } from '../host/revocations.ts';
import type { LogThreshold } from '../host/log-filter.ts';
import { canUpdate, ChangeRefused, type ConfigurationChange } from '../management/configuration-change.ts';
import { configurationOf, entitiesOf, sameEntity, type Entity, type RouterConfiguration } from '../management/entities.ts';
import type { ManagementRequest, ManagementResponse } from '../management/management-protocol.ts';
import type { FlowSettings } from '../router/flow-records.ts';
import type { HttpAcceptor } from '../router/link-listener.ts';
import { RouterManagement } from '../router/management.ts';
import { Router } from '../router/router.ts';
import { openSigning, type RouterSigning } from '../router/signing.ts';
import type { RoutingEvent } from '../routing/events.ts';
import { planChanges } from '../site/plan.ts';

/** Data about the site that every router of the network is told. */
export type SiteData = ReadonlyMap<string, string | readonly string[]>;

export interface SiteRouterOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly audit: Audit;
  /** Hears each event of routing. */
  readonly onRoutingEvent: (event: RoutingEvent) => void;
  /** A new router takes the place of the one before. */
  readonly onReplaced: () => void;
  readonly version: string;
  /** Revocations of the site's network. */
  readonly revocations: () => Revocations | undefined;
  /** Takes connections for redemption and renewal. */
  readonly http: () => HttpAcceptor | undefined;
  /** What is known and wanted of the router's flow records. */
  readonly flowSettings: () => FlowSettings;
  /** Sets log levels by component. */
  readonly configureLog?: (levels: ReadonlyMap<string, LogThreshold>) => void;
}

/**
 * The router of a site, kept as the resources say: only what differs is changed. What was created over management beside
 * that stays as long as the process. What the router refuses is remembered, for status, and tried again.
 */
export class SiteRouter {
  readonly #options: SiteRouterOptions;
  #router: Router | undefined;
  #signing: RouterSigning | undefined;
  #management: RouterManagement | undefined;
  #siteData: SiteData = new Map();
  /** Keys of the entities that come from resources. */
  readonly #derived = new Set<string>();
  #refusals: ReadonlyMap<string, string> = new Map();

  constructor(options: SiteRouterOptions) {
    this.#options = options;
  }

  get router(): Router | undefined {
    return this.#router;
  }

  /** What the router signs with; undefined when it does not sign. */
  get signing(): RouterSigning | undefined {
    return this.#signing;
  }

  get siteData(): SiteData {
    return this.#siteData;
  }

  /** Why the router does not have what the resources say, by entity: `listener/link-access`. */
  get refusals(): ReadonlyMap<string, string> {
    return this.#refusals;
  }

  get management(): RouterManagement {
    if (this.#management !== undefined) return this.#management;
    throw new WeatherError('router-not-running', 'the router is not running', { remedy: 'the log says why: van site logs' });
  }

  /** Makes the router be `desired`. Another router id or key means a new router; connections of the old one end. */
  async reconcile(desired: RouterConfiguration, siteData: SiteData): Promise<void> {
    const running = this.#router;
    const extras = running === undefined ? [] : this.#extras(running);
    if (
      running === undefined ||
      !sameEntity(running.configuration.router, desired.router) ||
      !sameSigning(running.configuration, desired)
    ) {
      await this.#replaceRouter(desired, siteData);
    } else if (!sameData(this.#siteData, siteData)) {
      running.updateSite(siteData);
    }
    this.#siteData = siteData;
    const router = this.#router;
    if (router === undefined) return;
    const observed = configurationOf(
      router.configuration.router,
      entitiesOf(router.configuration).filter((entity) => this.#derived.has(keyOf(entity))),
    );
    const refusals = new Map<string, string>();
    for (const change of planChanges(desired, observed)) await this.#apply(router, change, refusals);
    this.#refusals = refusals;
    if (router !== running) for (const entity of extras) await this.#restore(router, entity);
  }

  async #replaceRouter(desired: RouterConfiguration, siteData: SiteData): Promise<void> {
    await this.stop();
    const { http, version, onReplaced, revocations: revocationsOf, ...dependencies } = this.#options;
    onReplaced();
    const { signing: entity } = desired;
    const initial = configurationOf(desired.router, entity === undefined ? [] : [entity]);
    const revocations = revocationsOf();
    const signing =
      entity === undefined
        ? undefined
        : await openSigning(entity, { ...dependencies, ...(revocations === undefined ? {} : { revocations }) });
    this.#signing = signing;
    const router = new Router(initial, { ...dependencies, version, http, site: siteData, ...(signing === undefined ? {} : { signing }) });
    await router.start();
    this.#router = router;
    if (entity !== undefined) this.#derived.add(keyOf(entity));
    this.#management = new RouterManagement(router, {
      clock: dependencies.clock,
      version,
      site: () => Object.fromEntries(this.#siteData),
    });
    this.#options.log.info('router is running', { id: router.routerId });
  }

  async #apply(router: Router, change: ConfigurationChange, refusals: Map<string, string>): Promise<void> {
    if (change.operation === 'RESTART') throw new Error('bug: the router entity is compared before');
    const key = change.operation === 'DELETE' ? `${change.type}/${change.name}` : keyOf(change.entity);
    try {
      await router.apply(change);
      if (change.operation === 'DELETE') this.#derived.delete(key);
      else this.#derived.add(key);
    } catch (error) {
      if (!(error instanceof WeatherError) && !(error instanceof ChangeRefused)) throw error;
      refusals.set(key, error.message);
      this.#options.log.warn('the router refused a change', { entity: key, reason: error.message });
    }
  }

  /** Entities created over management. */
  #extras(router: Router): readonly Entity[] {
    return entitiesOf(router.configuration).filter((entity) => entity.type !== 'router' && !this.#derived.has(keyOf(entity)));
  }

  async #restore(router: Router, entity: Entity): Promise<void> {
    try {
      await router.apply({ operation: 'CREATE', entity });
    } catch (error) {
      this.#options.log.warn('an entity of management is lost with the change of identity', { entity: keyOf(entity), reason: error });
    }
  }

  /** Answers a router operation. What comes from resources cannot be changed here: the resources would win again later. */
  async handle(request: ManagementRequest): Promise<ManagementResponse> {
    const { operation, type, name = '' } = request;
    if ((operation === 'UPDATE' || operation === 'DELETE') && this.#derived.has(`${shortType(type)}/${name}`)) {
      throw new ChangeRefused(403, `${type} '${name}' comes from a resource of the site; change or delete the resource`);
    }
    return this.management.handle(request);
  }

  async drain(deadlineMs: number): Promise<void> {
    await this.#router?.drain(deadlineMs);
    await this.#forget();
  }

  async stop(): Promise<void> {
    await this.#router?.stop();
    await this.#forget();
  }

  async #forget(): Promise<void> {
    await this.#signing?.[Symbol.asyncDispose]();
    this.#signing = undefined;
    this.#router = undefined;
    this.#management = undefined;
    this.#derived.clear();
    this.#refusals = new Map();
  }
}

/** Whether a router that signs as `present` says can come to sign as `desired` says. */
function sameSigning({ signing: present }: RouterConfiguration, { signing: desired }: RouterConfiguration): boolean {
  if (present === undefined || desired === undefined) return present === desired;
  return canUpdate(present, desired);
}

function keyOf(entity: Entity): string {
  return `${entity.type}/${entity.name}`;
}

function shortType(type: string): string {
  return type.replace(/^(?:io\.skupper\.router\.)?(?:router\.config\.)?/, '');
}

function sameData(a: SiteData, b: SiteData): boolean {
  return JSON.stringify([...a]) === JSON.stringify([...b]);
}
