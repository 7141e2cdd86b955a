import { AddressGrant } from '../base/address-grant.ts';
import { WeatherError } from '../base/errors.ts';
import { defaultFlowsPerSecond } from '../flows/flow-source.ts';
import type { LineStream } from '../host/line-server.ts';
import type { TrustStore } from '../host/trust-store.ts';
import type { ManagementRequest } from '../management/management-protocol.ts';
import type { FlowSettings } from '../router/flow-records.ts';
import { flowDetailRate } from '../site/flow-settings.ts';
import type { ResourceOf } from '../site/resource-types.ts';
import { FlowObservation } from './flow-observation.ts';
import type { SiteRouter } from './site-router.ts';

/** Observers of one site at a time: one that keeps a history, and a few commands. */
const maxObservations = 8;
const beaconAddress = 'mc/sfe.all';

/** What a site knows and wants of its router's records. */
export function flowSettings({ spec }: ResourceOf<'Site'>, trust: TrustStore): FlowSettings {
  return {
    detailRate: flowDetailRate(spec.settings ?? {}, []) ?? defaultFlowsPerSecond,
    certificateEndsMs: trust.leafExpiresAtMs,
    membershipEndsMs: trust.membershipEndsAtMs,
  };
}

export interface ObserveOptions {
  /** Whether records of single requests and connections are wanted. */
  readonly detail: boolean;
  /** Whether lines of logs are wanted. */
  readonly logs: boolean;
  /** How long routers go on counting when the client has gone; not at all when absent. */
  readonly lingerMs?: number;
}

/** An observer that is started anew is back within seconds, or has to begin anew. */
export const maxLingerMs = 60_000;

/** The first answer to an observer. */
export interface ObservedBody {
  readonly routerId: string;
  readonly siteName: string;
}

/** Gives the flow records of the whole network to programs of this host. */
export class SiteFlows {
  readonly #router: SiteRouter;
  readonly #trust: TrustStore;
  readonly #observations = new Set<FlowObservation>();

  constructor(router: SiteRouter, trust: TrustStore) {
    this.#router = router;
    this.#trust = trust;
  }

  /**
   * Sends each message to `client` as an answer of its own, until the client goes. Throws WeatherError `router-not-running`, `not-granted` and
   * `too-many-observers`.
   */
  observe(options: ObserveOptions, siteName: string, request: ManagementRequest, client: LineStream): ObservedBody {
    const { router } = this.#router;
    if (router === undefined) {
      throw new WeatherError('router-not-running', 'the router is not running', { remedy: 'the log says why: van site logs' });
    }
    this.#checkGrant();
    const { detail, logs } = options;
    const before = [...this.#observations].find((one) => one.isLingering && one.options.detail === detail && one.options.logs === logs);
    if (before === undefined && this.#observations.size >= maxObservations) {
      throw new WeatherError('too-many-observers', `this site has ${maxObservations} observers`, { remedy: 'end some of them' });
    }
    const observation = new FlowObservation(router, options, request, client, () => this.#observations.delete(observation), before, [
      ...this.#observations,
    ]);
    this.#observations.add(observation);
    return { routerId: router.routerId, siteName };
  }

  /** The other routers hold this site to what it was granted; here it hears why. */
  #checkGrant(): void {
    const patterns = this.#trust.rights?.advertise;
    if (patterns === undefined || new AddressGrant(patterns).allows(beaconAddress)) return;
    throw new WeatherError('not-granted', 'this site may not see the records of others', {
      remedy: "redeem a token that was issued with --advertise 'mc/sfe.*' --consume 'sfe.*'",
    });
  }

  /** The router is about to stop. */
  end(reason: string): void {
    for (const observation of [...this.#observations]) {
      observation.cut(new WeatherError('observation-ended', reason, { remedy: 'observe again when the site runs' }));
    }
  }
}
