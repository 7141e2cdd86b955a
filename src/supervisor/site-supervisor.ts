import type { Clock } from '../base/clock.ts';
import { InputError, WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { LogThreshold } from '../host/log-filter.ts';
import type { Random } from '../base/random.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { AuditLog } from '../host/audit-log.ts';
import type { FolderLock } from '../host/folder-lock.ts';
import type { LineStream } from '../host/line-server.ts';
import { createRedemptionServer, type RedemptionServer } from '../host/redemption-server.ts';
import { startRenewal } from '../host/renewal.ts';
import { TrustStore } from '../host/trust-store.ts';
import { formatRouterConfiguration } from '../management/router-configuration.ts';
import { SchemaProblem } from '../management/schema.ts';
import type { ManagementRequest, ManagementResponse } from '../management/management-protocol.ts';
import { parseAccessToken } from '../pki/access-token.ts';
import type { GrantOptions } from '../pki/grant.ts';
import type { PkiCrypto } from '../pki/pki-crypto.ts';
import type { VerifiedRevocation } from '../pki/revocation.ts';
import { deriveSite, type DerivedSite } from '../site/derive.ts';
import type { Problem } from '../site/health-observation.ts';
import type { CheckReport } from '../site/health-report.ts';
import type { HealthWarning } from '../site/health.ts';
import { observerOptions } from '../site/observer-settings.ts';
import { parseResources } from '../site/resources.ts';
import { resourceKey, resourcesOf, type Resource, type ResourceOf } from '../site/resource-types.ts';
import type { SiteLayout } from '../site/state-layout.ts';
import type { ReportedResource } from '../site/status.ts';
import { accessPoints, certificateHosts, type AccessPoint, type MachineNames } from './access-points.ts';
import { AccessGrants } from './access-grants.ts';
import { CertificateFolders } from './certificate-files.ts';
import { checkDerivable, mergeResources, siteOf, type AppliedResource } from './desired-resources.ts';
import { checkSite } from './check-site.ts';
import { HealthMonitor } from './health-monitor.ts';
import type { NetworkView } from './network-view.ts';
import type { ObserverProcess, ObserverProcessState } from './observer-process.ts';
import { ResourceFolder, type ResourceChange } from './resource-folder.ts';
import { RouterIdentities } from './router-identity.ts';
import { siteData } from './site-data.ts';
import { nearestName } from '../base/nearest-name.ts';
import { openSiteFolder } from './site-folder.ts';
import { SiteEvents } from './site-events.ts';
import { flowSettings, SiteFlows } from './site-flows.ts';
import { SiteNames } from './site-names.ts';
import { SitePings, type PingRequestOptions, type PingStarted } from './site-pings.ts';
import { SiteRouter } from './site-router.ts';
import { SiteTokens, type IssuedToken, type RedeemedLink, type RedeemOptions, type TokenSite } from './site-tokens.ts';
import { SiteView, type SiteLook, type SiteState } from './site-view.ts';
import { makeStaticLink, type StaticLink, type StaticLinkOptions } from './static-link.ts';
import { noteStart } from './start-record.ts';
import { TokenRecords } from './token-records.ts';

export type { IssuedToken, RedeemedLink } from './site-tokens.ts';

export interface SiteSupervisorOptions {
  readonly namespace: string;
  readonly layout: SiteLayout;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: PkiCrypto;
  readonly log: Logger;
  readonly version: string;
  readonly machine: MachineNames;
  /** Sets log levels by component, as the site's setting `router-logging` asks. */
  readonly configureLog?: (levels: ReadonlyMap<string, LogThreshold>) => void;
  /** Runs the site's observer. */
  readonly observer?: Pick<ObserverProcess, 'apply' | 'state'>;
}

/** What the router refused, or a disk that was full, is tried again after this time, then twice as long, up to the last. */
const firstRetryMs = 1000;
const lastRetryMs = 30_000;

/**
 * One running site: its resources, its trust and its router, and the changes that lead from one state to the next. Changes
 * are made one after the other; what is asked is answered at once from what there is.
 */
export class SiteSupervisor implements AsyncDisposable {
  readonly namespace: string;
  readonly trust: TrustStore;
  /** Messages that are published and taken at this host. */
  readonly events: SiteEvents;
  /** Flow records of the network for programs of this host. */
  readonly flows: SiteFlows;
  readonly #pings = new SitePings();
  readonly #names: SiteNames;
  readonly #options: SiteSupervisorOptions;
  readonly #lock: FolderLock;
  readonly #folder: ResourceFolder;
  readonly #records: TokenRecords;
  readonly #audit: AuditLog;
  readonly #monitor: HealthMonitor;
  readonly #grants: AccessGrants;
  readonly #identities: RouterIdentities;
  readonly #redemption: RedemptionServer;
  readonly #router: SiteRouter;
  readonly #view: SiteView;
  readonly #tokens: SiteTokens;
  readonly #ending = new AbortController();
  #resources: readonly Resource[];
  #derived: DerivedSite | undefined;
  #writtenConfiguration = '';
  #renewal: AsyncDisposable | undefined;
  #renewing = '';
  #failure: Problem | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = firstRetryMs;
  #lastChange: Promise<unknown> = Promise.resolve();

  private constructor(
    options: SiteSupervisorOptions,
    lock: FolderLock,
    trust: TrustStore,
    records: TokenRecords,
    resources: readonly Resource[],
    audit: AuditLog,
    monitor: HealthMonitor,
    unexpectedStarts: number,
  ) {
    const { namespace, layout, clock, random, log, version } = options;
    this.#options = options;
    this.namespace = namespace;
    this.trust = trust;
    this.#lock = lock;
    this.#folder = new ResourceFolder(layout.resourceFolder);
    this.#records = records;
    this.#audit = audit;
    this.#monitor = monitor;
    this.#grants = new AccessGrants(trust);
    this.#identities = new RouterIdentities(layout, trust, new CertificateFolders(layout), random);
    this.#redemption = createRedemptionServer({ handler: trust, log: log.child('redemption'), nowMs: () => clock.nowMs() });
    const { configureLog } = options;
    this.#names = new SiteNames(
      () => this.#router.router,
      () => clock.nowMs(),
    );
    this.#router = new SiteRouter({
      clock,
      random,
      log,
      version,
      audit: monitor,
      onRoutingEvent: (event) => monitor.routingEvent(event, (routerId) => this.#names.nameOf(routerId), clock.wallMs()),
      revocations: () => trust.revocations,
      onReplaced: () => {
        monitor.routerReplaced();
        this.events.end('the site has a new router');
        this.flows.end('the site has a new router');
        this.#pings.end('the site has a new router');
      },
      http: () => (socket) => this.#redemption.accept(socket),
      flowSettings: () => flowSettings(this.#site, trust),
      ...(configureLog === undefined ? {} : { configureLog }),
    });
    this.events = new SiteEvents(this.#router, trust);
    this.flows = new SiteFlows(this.#router, trust);
    this.#view = new SiteView({
      namespace,
      version,
      clock,
      trust,
      router: this.#router,
      grants: this.#grants,
      records,
      monitor,
      audit,
      unexpectedStarts,
      observer: () => options.observer?.state,
    });
    this.#tokens = new SiteTokens(this.#tokenSite(), this.#grants, records);
    this.#resources = resources;
    trust.onCredentials(() => void this.#change(() => this.#refresh()));
  }

  /**
   * Opens the state folder and starts what is in it. Throws WeatherError `state-in-use`, `disk-full` and such, and InputError
   * for state that cannot be used.
   */
  static async open(options: SiteSupervisorOptions): Promise<SiteSupervisor> {
    const { layout, clock, crypto, log } = options;
    await using owned = new AsyncDisposableStack();
    const lock = owned.use(await openSiteFolder(layout));
    const resources = await new ResourceFolder(layout.resourceFolder).load();
    siteOf(resources, layout.resourceFolder);
    const unexpectedStarts = await noteStart(layout, clock.wallMs());
    const audit = owned.use(new AuditLog({ path: layout.auditFile, clock }));
    const monitor = new HealthMonitor(audit, () => clock.nowMs());
    const records = await TokenRecords.open(`${layout.runtimeFolder}/redeemed-tokens.json`);
    const trust = owned.use(
      await TrustStore.open(layout.pkiFolder, { wallMs: () => clock.wallMs(), crypto, log: log.child('trust'), audit: monitor }),
    );
    const supervisor = new SiteSupervisor(options, lock, trust, records, resources, audit, monitor, unexpectedStarts);
    owned.use(supervisor);
    await supervisor.#change(() => supervisor.#refresh());
    owned.move();
    // Tokens wait for other sites: the site runs meanwhile.
    void supervisor.#change(() => supervisor.#settleTokens());
    return supervisor;
  }

  get siteName(): string {
    return this.trust.siteName ?? this.#site.metadata.name;
  }

  get routerId(): string {
    return this.#router.router?.routerId ?? '';
  }

  /** How the site's own observer is; undefined when it runs none. */
  get observer(): ObserverProcessState | undefined {
    return this.#options.observer?.state;
  }

  get openConnections(): number {
    return this.#router.router?.openConnections ?? 0;
  }

  get #site(): ResourceOf<'Site'> {
    return siteOf(this.#resources, this.#options.layout.resourceFolder);
  }

  get #points(): readonly AccessPoint[] {
    return accessPoints(this.#resources, this.#options.machine);
  }

  get #hosts(): readonly string[] {
    return certificateHosts(this.#points, this.#options.machine);
  }

  // ---- resources ----

  /** Applies resources of one or more YAML documents: all or none. Throws InputError and WeatherError `disk-full`. */
  async apply(text: string, where: string): Promise<readonly AppliedResource[]> {
    const added = parseResources(text, where);
    return this.#change(() => this.#put(added, where));
  }

  async #put(added: readonly Resource[], where: string): Promise<readonly AppliedResource[]> {
    const { resources, results } = mergeResources(this.#resources, added, this.namespace, where);
    const site = siteOf(resources, where);
    const identity = await this.#identities.current(this.#resources, site.metadata.name, this.namespace, this.#options.version);
    checkDerivable(resources, identity, where);
    const changed = added.filter((_resource, index) => results[index]?.result !== 'unchanged');
    await this.#folder.change(changed.map((put) => ({ put })));
    this.#resources = resources;
    for (const { kind, metadata } of changed) this.#changed('applied', kind, metadata.name);
    await this.#refresh();
    await this.#settleTokens();
    return results;
  }

  /** Removes a resource. Throws InputError `unknown-resource`. */
  async remove(kind: string, name: string): Promise<void> {
    await this.#change(async () => {
      const resource = this.#resources.find((candidate) => candidate.kind === kind && candidate.metadata.name === name);
      if (resource === undefined) throw unknownResource(this.#resources, kind, name);
      if (kind === 'Site') {
        throw new InputError('site-in-use', `Site '${name}'`, 'a running site cannot lose its Site', {
          remedy: 'delete the whole site: van site delete',
        });
      }
      const change: ResourceChange = { remove: resource };
      await this.#folder.change([change]);
      this.#resources = this.#resources.filter((candidate) => candidate !== resource);
      this.#changed('removed', kind, name);
      if (kind === 'AccessToken') await this.#records.removed(name);
      if (kind === 'AccessGrant') await this.#grants.removed(name);
      await this.#refresh();
    });
  }

  #changed(change: string, kind: string, name: string): void {
    this.#monitor.record({ event: 'configurationChanged', fields: { change, kind, name } });
  }

  // ---- tokens ----

  /** Issues a token that leads to this site, and founds a network when the site is in none. */
  issueToken(options: GrantOptions): Promise<IssuedToken> {
    return this.#change(() => this.#tokens.issue(options));
  }

  /** Revokes a site of the network, by its name or router id. Throws as `TrustStore.revokeSite` does. */
  revokeSite(name: string, reason: string): Promise<VerifiedRevocation> {
    return this.#change(() => this.trust.revokeSite(name, reason, this.#router.signing?.trust.members ?? []));
  }

  /** By whom this site was revoked, when and why: from the statement, or as neighbours tell it when they refuse the link. */
  get ownRevocation(): string | undefined {
    return this.#view.ownRevocation;
  }

  /** Redeems a token: joins its network, and links to the site that issued it. `where` names the text in errors. */
  async redeem(text: string, where: string, options: RedeemOptions): Promise<RedeemedLink> {
    const token = parseAccessToken(text, where);
    return this.#change(() => this.#tokens.redeem(token, options));
  }

  /** A Link with certificates in a Secret, for a site that cannot redeem a token. The key is made here and leaves with it. */
  generateLink(options: StaticLinkOptions): Promise<StaticLink> {
    return this.#change(async () => makeStaticLink(this.trust, this.#options.crypto, await this.#tokens.reachableEndpoints(), options));
  }

  /** The site as its tokens see it: always as it is at the moment. */
  #tokenSite(): TokenSite {
    // Getters of an object literal have a `this` of their own.
    const site = (): SiteSupervisor => this;
    return {
      namespace: this.namespace,
      machine: this.#options.machine,
      router: this.#router,
      trust: this.trust,
      log: this.#options.log,
      signal: this.#ending.signal,
      get wantedName() {
        return site().#site.metadata.name;
      },
      get resources() {
        return site().#resources;
      },
      get points() {
        return site().#points;
      },
      refresh: () => this.#refresh(),
      putLink: async (link) => {
        await this.#folder.change([{ put: link }]);
        this.#resources = [...this.#resources.filter((resource) => resourceKey(resource) !== resourceKey(link)), link];
        this.#changed('token redeemed', 'Link', link.metadata.name);
        await this.#refresh();
      },
    };
  }

  async #settleTokens(): Promise<void> {
    if (!(await this.#tokens.settle())) this.#retryLater();
  }

  // ---- running ----

  /** Makes the router be what resources and trust say. */
  async #refresh(): Promise<void> {
    const { namespace, version, layout, log } = this.#options;
    if (this.#ending.signal.aborted) return;
    this.#options.observer?.apply(observerOptions(this.#site.spec.settings ?? {}));
    try {
      const identity = await this.#identities.current(this.#resources, this.#site.metadata.name, namespace, version);
      const derived = deriveSite({ resources: this.#resources, identity });
      this.#derived = derived;
      await this.#router.reconcile(derived.configuration, siteData(this.#resources, identity));
      this.#failure = undefined;
      await this.#keepRenewing();
      const text = formatRouterConfiguration(derived.configuration);
      if (text !== this.#writtenConfiguration) {
        await writeFileAtomic(layout.routerConfigurationFile, text);
        this.#writtenConfiguration = text;
      }
    } catch (error) {
      // A file of the user's that was changed by hand may say what only the router's tables can refuse.
      if (!(error instanceof WeatherError) && !(error instanceof SchemaProblem)) throw error;
      this.#failure = { code: error instanceof WeatherError ? error.code : 'refused', text: error.message };
      log.error('the router is not as the resources say', { reason: error.message });
    }
    if (this.#failure !== undefined || this.#router.refusals.size > 0) this.#retryLater();
    else this.#retryMs = firstRetryMs;
  }

  #retryLater(): void {
    if (this.#retry !== undefined || this.#ending.signal.aborted) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      void this.#change(async () => {
        await this.#refresh();
        await this.#settleTokens();
      });
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs);
  }

  /** The renewal loop of the present identity: a new one counts from its own certificate. */
  async #keepRenewing(): Promise<void> {
    const { trust } = this;
    const identity = `${trust.networkId ?? ''}/${trust.routerId ?? ''}`;
    if (trust.identity === undefined) return;
    await trust.setHosts(this.#hosts);
    if (identity === this.#renewing) return;
    this.#renewing = identity;
    await this.#renewal?.[Symbol.asyncDispose]();
    const { clock, random, log } = this.#options;
    this.#renewal = startRenewal(trust, {
      wallMs: () => clock.wallMs(),
      random,
      log: log.child('renewal'),
      isRefused: () => this.#view.isCertificateRefused,
      issuers: () =>
        resourcesOf(this.#resources, 'Link')
          .filter(({ spec }) => spec.tlsCredentials === undefined)
          .flatMap(({ spec }) => spec.endpoints.map(({ host, port }) => ({ host, port: Number(port) }))),
    });
  }

  /** Answers an operation of the router. */
  async handleRouter(request: ManagementRequest): Promise<ManagementResponse> {
    const changes = request.operation === 'CREATE' || request.operation === 'UPDATE' || request.operation === 'DELETE';
    if (!changes) return this.#router.handle(request);
    const response = await this.#change(() => this.#router.handle(request));
    this.#changed(request.operation, request.type, request.name ?? '');
    return response;
  }

  // ---- what is seen ----

  /** The resources with their status. */
  report(): readonly ReportedResource[] {
    return this.#view.report(this.#state);
  }

  /** The network, the resources with their status, and what is wrong, all of one moment; see `SiteView.look`. */
  look(isWhole: boolean): SiteLook {
    return this.#view.look(this.#state, isWhole);
  }

  /** The whole network; undefined while the router does not run. */
  network(): NetworkView | undefined {
    return this.#view.network(this.#resources);
  }

  /** What is wrong, causes and consequences. */
  warnings(): readonly HealthWarning[] {
    return this.#view.warnings(this.#state);
  }

  /** Pings a site or the sites of a service; the answers go to `client`. Throws as `SitePings.start` does, and `router-not-running`. */
  ping(options: PingRequestOptions, request: ManagementRequest, client: LineStream): PingStarted {
    const { router } = this.#router;
    const network = this.network();
    if (router === undefined || network === undefined) {
      throw new WeatherError('router-not-running', 'the router is not running', { remedy: 'the log says why: van site logs' });
    }
    return this.#pings.start(router, network, options, request, client);
  }

  /** Everything that can be wrong, with what can be found out by trying. */
  check(): Promise<CheckReport> {
    return checkSite({
      namespace: this.namespace,
      siteName: this.siteName,
      resources: this.#resources,
      trust: this.trust,
      clock: this.#options.clock,
      router: this.#router.router,
      nameOf: (routerId) => this.#names.nameOf(routerId),
      signal: this.#ending.signal,
      observe: (probes) => this.#view.health(this.#state, probes),
    });
  }

  get #state(): SiteState {
    const withheld = this.#derived?.withheld ?? new Map();
    return { resources: this.#resources, withheld, points: this.#points, siteName: this.siteName, failure: this.#failure };
  }

  // ---- end ----

  /** Takes nothing new and lets connections finish until `drainMs` has passed. Dispose afterwards. */
  async drain(drainMs: number): Promise<void> {
    this.#end();
    await this.#lastChange.catch(() => undefined);
    await this.#router.drain(drainMs);
  }

  #end(): void {
    this.#ending.abort();
    this.events.end('the site is shutting down');
    this.flows.end('the site is shutting down');
    this.#pings.end('the site is shutting down');
    clearTimeout(this.#retry);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    await this.#lastChange.catch(() => undefined);
    await this.#renewal?.[Symbol.asyncDispose]();
    await this.#router.stop();
    await this.#redemption[Symbol.asyncDispose]();
    await this.trust[Symbol.asyncDispose]();
    this.#audit[Symbol.dispose]();
    await this.#lock[Symbol.asyncDispose]();
  }

  /** Runs one change at a time, in the order of the calls. */
  #change<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#lastChange.then(change, change);
    this.#lastChange = result.catch((error: unknown) => this.#options.log.debug('a change failed', { reason: error }));
    return result;
  }
}

function unknownResource(resources: readonly Resource[], kind: string, name: string): InputError {
  const names = resources.filter((resource) => resource.kind === kind).map(({ metadata }) => metadata.name);
  const near = nearestName(name, names);
  const suggestion = near === undefined ? '' : `; did you mean '${near}'?`;
  return new InputError('unknown-resource', `${kind} '${name}'`, `does not exist${suggestion}`, {
    remedy: names.length === 0 ? `there is no ${kind} at all` : `there are: ${names.slice(0, 20).join(', ')}`,
  });
}
