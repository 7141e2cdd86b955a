import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { redeemToken, type RedeemedToken } from '../host/redemption-client.ts';
import type { TrustStore } from '../host/trust-store.ts';
import { formatAccessToken, parseAccessTokenSpec, type AccessToken } from '../pki/access-token.ts';
import type { GrantOptions, LinkEndpoint } from '../pki/grant.ts';
import { resourcesOf, type Resource, type ResourceOf } from '../site/resource-types.ts';
import { tokenUrl, type AccessGrants } from './access-grants.ts';
import { certificateHosts, type AccessPoint, type MachineNames } from './access-points.ts';
import type { SiteRouter } from './site-router.ts';
import type { TokenRecords } from './token-records.ts';

export interface IssuedToken {
  /** The token file: an AccessToken in YAML. */
  readonly token: string;
  readonly name: string;
  readonly grantId: string;
  readonly url: string;
  /** RFC 3339. */
  readonly expirationTime: string;
  readonly redemptionsAllowed: number;
}

export interface RedeemedLink {
  /** Name of the Link. */
  readonly link: string;
  readonly networkId: string;
  readonly routerId: string;
  readonly siteName: string;
  /** False when the site was in the network already and got no more than a link. */
  readonly joined: boolean;
}

export interface RedeemOptions {
  /** Cost of the Link; the token's own when absent. */
  readonly linkCost?: number;
  /** Name of the Link; the token's own when absent. */
  readonly name?: string;
}

/** What tokens need of the site. Its methods run inside one of its changes. */
export interface TokenSite {
  readonly namespace: string;
  /** The name in the Site resource: what the site would like to be called. */
  readonly wantedName: string;
  readonly resources: readonly Resource[];
  readonly points: readonly AccessPoint[];
  readonly machine: MachineNames;
  readonly router: SiteRouter;
  readonly trust: TrustStore;
  readonly log: Logger;
  /** Aborted when the site ends. */
  readonly signal: AbortSignal;
  /** Makes the router be what resources and trust say now. */
  refresh(): Promise<void>;
  /** Keeps a Link, and makes the router have it. */
  putLink(link: ResourceOf<'Link'>): Promise<void>;
}

/** Failures that pass by themselves: the token is tried again. */
const passingFailures: readonly string[] = ['issuer-unreachable', 'issuer-timeout', 'disk-full'];

/** Tokens of a site: those it issues, and those it redeems. */
export class SiteTokens {
  readonly #site: TokenSite;
  readonly #grants: AccessGrants;
  readonly #records: TokenRecords;

  constructor(site: TokenSite, grants: AccessGrants, records: TokenRecords) {
    this.#site = site;
    this.#grants = grants;
    this.#records = records;
  }

  /** Issues a token that leads to this site, and founds a network when the site is in none. */
  async issue(options: GrantOptions): Promise<IssuedToken> {
    const { trust } = this.#site;
    const links = await this.reachableEndpoints();
    const [endpoint] = links;
    if (endpoint === undefined) throw new Error('bug: an access point has a host');
    const token = await trust.issueToken(endpoint, { ...options, links });
    const grant = trust.grants.find(({ id }) => id === token.grantId);
    return {
      token: formatAccessToken(token),
      name: token.name,
      grantId: token.grantId,
      url: tokenUrl(token),
      expirationTime: new Date(grant?.expiresAtMs ?? 0).toISOString(),
      redemptionsAllowed: grant?.redemptionsAllowed ?? 1,
    };
  }

  /**
   * Where other sites dial this one; the network is founded and the port opened first when they are not there. Throws
   * WeatherError `no-link-access` and `link-port-unavailable`.
   */
  async reachableEndpoints(): Promise<readonly LinkEndpoint[]> {
    const { namespace, wantedName, points, machine, trust, router } = this.#site;
    const [point] = points;
    if (point === undefined) {
      const flag = namespace === 'default' ? '' : ` -n ${namespace}`;
      throw new WeatherError('no-link-access', `site '${wantedName}' accepts no links, so that nobody could use a token of it`, {
        remedy: `van${flag} site create ${wantedName} --enable-link-access`,
      });
    }
    if (trust.state === 'none') {
      await trust.foundNetwork(wantedName, certificateHosts(points, machine));
      await this.#site.refresh();
    }
    const state = router.router?.listener(point.listener)?.state;
    if (state === undefined || state.operStatus === 'down') {
      const reason = router.refusals.get(`listener/${point.listener}`) ?? 'it does not listen';
      throw new WeatherError('link-port-unavailable', `the link port is not open: ${reason}`, {
        remedy: 'stop what uses the port, or choose another one',
      });
    }
    return point.hosts.map((host) => ({ host, port: state.boundPort }));
  }

  /** Redeems a token: joins its network, and links to the site that issued it. */
  async redeem(token: AccessToken, options: RedeemOptions): Promise<RedeemedLink> {
    const { trust, wantedName, points, machine, signal } = this.#site;
    const redeemed = await redeemToken(trust, token, { siteName: wantedName, hosts: certificateHosts(points, machine), signal });
    const link = this.#linkFor(options.name ?? token.name, redeemed, options.linkCost ?? redeemed.linkCost);
    await this.#site.putLink(link);
    const { networkId = '', routerId = '', siteName = wantedName } = trust;
    return { link: link.metadata.name, networkId, routerId, siteName, joined: redeemed.joined };
  }

  /** A Link to where the token led. A Link that leads there already is replaced: two to the same router would carry no more. */
  #linkFor(name: string, { links }: RedeemedToken, cost: number): ResourceOf<'Link'> {
    const endpoints = links.map(({ host, port }) => ({ name: 'inter-router', host, port: String(port) }) as const);
    const known = resourcesOf(this.#site.resources, 'Link');
    const leadsThere = ({ host, port }: { host: string; port: string }): boolean =>
      endpoints.some((endpoint) => endpoint.host === host && endpoint.port === port);
    const same = known.find(({ spec }) => spec.tlsCredentials === undefined && spec.endpoints.some(leadsThere));
    const taken = new Set(known.map(({ metadata }) => metadata.name));
    return { kind: 'Link', metadata: { name: same?.metadata.name ?? freeName(name, taken) }, spec: { endpoints, cost } };
  }

  /** Issues grants and redeems tokens that resources ask for and that are not done. False when some should be tried again. */
  async settle(): Promise<boolean> {
    const { log, signal } = this.#site;
    await this.#grants.issue(resourcesOf(this.#site.resources, 'AccessGrant'), (options) => this.issue(options));
    let done = true;
    for (const resource of resourcesOf(this.#site.resources, 'AccessToken')) {
      const { name } = resource.metadata;
      if (signal.aborted || this.#records.isRedeemed(resource)) continue;
      try {
        await this.redeem(parseAccessTokenSpec(name, resource.spec, `AccessToken '${name}'`), { name });
        await this.#records.redeemed(resource);
      } catch (error) {
        if (!(error instanceof WeatherError)) throw error;
        this.#records.failed(name, error.message);
        if (passingFailures.includes(error.code)) done = false;
        log.warn('token not redeemed', { token: name, reason: error.message });
      }
    }
    return done;
  }
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${name}-${number}`;
  return free;
}
