import { Condition } from '../amqp/constants.ts';
import type { Audit } from '../base/audit.ts';
import type { Logger } from '../base/log.ts';
import { describeRevocation } from '../host/revocations.ts';
import type { RoutingEvent } from '../routing/events.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Link } from './link.ts';
import { readSigningCredentials } from './signing.ts';
import type { RouterSigning } from './signing.ts';
import type { SigningEntity } from '../management/entities.ts';

export interface TrustEnforcementOptions {
  readonly signing: RouterSigning;
  readonly control: ControlPlane;
  readonly links: () => Iterable<Link>;
  /** No links are made any more. Those that stand are ended by the control plane. */
  readonly fence: () => void;
  readonly log: Logger;
  readonly audit: Audit;
}

/** A disk that did not take the epoch is tried again after this time. */
const epochRetryMs = 1000;

/** How a revoked router is told; what it shows to its people begins with this. */
export const revokedPrefix = 'this site was revoked';

/** How a router is told whose certificate comes from a revoked issuer. Its membership may stand: then another issuer gives it another one. */
export const revokedIssuerPrefix = 'the certificate comes from an issuer that was';

/**
 * Between the trust of a router and its links and routing: statements that come to hold are passed on and end the links of those they revoke,
 * and what routing asks of the owner of its identity is done.
 */
export class TrustEnforcement {
  readonly #options: TrustEnforcementOptions;
  readonly #stopListening: () => void;
  #epochWanted = 0;
  #raising = false;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: TrustEnforcementOptions) {
    this.#options = options;
    const { signing, control } = options;
    signing.trust.changed = (): void => this.#changed();
    this.#stopListening = signing.revocations.onAdded((added) => {
      for (const bytes of added) control.addStatement(bytes);
      // Before links end: so a neighbour that is revoked still gets the statement itself.
      control.transmit();
      this.#changed();
    });
  }

  #changed(): void {
    if (this.#stopped) return;
    const { control, links } = this.#options;
    control.trustChanged();
    for (const link of links()) this.#endIfRevoked(link);
  }

  /** Called for each new link; false when it was ended because its peer is revoked. */
  admit(link: Link): boolean {
    return !this.#endIfRevoked(link);
  }

  #endIfRevoked(link: Link): boolean {
    const { signing, log, audit } = this.#options;
    const { routerId, issuers } = link.peer;
    const revocation = routerId === undefined ? undefined : signing.revocations.revocationOfPeer(routerId, issuers);
    if (revocation === undefined || routerId === undefined) return false;
    const how = describeRevocation(revocation);
    const fields = { router: routerId, from: link.remoteHost.slice(0, link.remoteHost.lastIndexOf(':')), reason: how };
    log.warn('link of a revoked site ended', fields);
    audit.record({ event: 'linkRefused', fields });
    const told = revocation.routerId === routerId ? `this site was ${how}` : `${revokedIssuerPrefix} ${how}`;
    link.close({ condition: Condition.unauthorizedAccess, description: told });
    return true;
  }

  heard(event: RoutingEvent): void {
    if (event.type === 'epochNeeded') this.#needEpoch(event.above);
    else if (event.type === 'fenced') {
      this.#options.fence();
    }
  }

  #needEpoch(above: number): void {
    this.#epochWanted = Math.max(this.#epochWanted, above);
    if (this.#raising) return;
    this.#raising = true;
    void this.#raiseEpoch();
  }

  async #raiseEpoch(): Promise<void> {
    const { signing, control, log } = this.#options;
    try {
      const epoch = await signing.trust.raiseEpoch(this.#epochWanted);
      this.#raising = false;
      if (!this.#stopped) control.newEpoch(epoch);
    } catch (error) {
      log.error('the epoch of this router cannot be kept on disk: what it says is not signed anew until it can', { reason: String(error) });
      if (!this.#stopped) this.#retry = setTimeout(() => void this.#raiseEpoch(), epochRetryMs);
    }
  }

  /** Takes a renewed membership. Throws WeatherError `certificate-not-readable` and InputError `bad-pem`. */
  async renew(entity: SigningEntity): Promise<void> {
    this.#options.signing.trust.renew(await readSigningCredentials(entity));
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#stopListening();
    this.#options.signing.trust.changed = undefined;
  }
}
