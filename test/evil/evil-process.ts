import { SlabPool } from '../../src/amqp/transmit-buffer.ts';
import { silentAudit } from '../../src/base/audit.ts';
import type { Logger } from '../../src/base/log.ts';
import { processClock } from '../../src/host/process-clock.ts';
import { processRandom } from '../../src/host/process-random.ts';
import { TurnQueue } from '../../src/host/turn.ts';
import type { RouterConfiguration } from '../../src/management/entities.ts';
import type { NeighbourHandler } from '../../src/forwarding/neighbour.ts';
import { ControlPlane } from '../../src/router/control-plane.ts';
import type { LinkContext } from '../../src/router/link-context.ts';
import { LinkConnector } from '../../src/router/link-connector.ts';
import type { Link } from '../../src/router/link.ts';
import type { RouterSigning } from '../../src/router/signing.ts';
import { loadTlsProfile } from '../../src/router/tls-profiles.ts';
import type { TlsProfile } from '../../src/router/tls-profiles.ts';
import { EvilRouter } from './evil-router.ts';
import { LyingTrust } from './lying-trust.ts';

/** It dials again this soon, whatever it was told. */
const redialMs = 250;

export interface EvilProcessOptions {
  readonly configuration: RouterConfiguration;
  /** Its identity; without it, it does not sign. */
  readonly signing: RouterSigning | undefined;
  /** The router id in OPEN, when it is not its own. */
  readonly containerId?: string;
  readonly log: Logger;
}

/** The evil router over real sockets: the connectors of a router's configuration, and nothing else of it. */
export class EvilProcess implements AsyncDisposable {
  readonly evil: EvilRouter;
  readonly #control: ControlPlane;
  readonly #turns = new TurnQueue();
  readonly #connectors: readonly LinkConnector[];
  readonly #redial: NodeJS.Timeout;
  readonly #task = { endOfTurn: (): void => this.#endOfTurn() };
  #timer: NodeJS.Timeout | undefined;

  private constructor({ configuration, signing, containerId, log }: EvilProcessOptions, profiles: ReadonlyMap<string, TlsProfile>) {
    const random = processRandom();
    const { id } = configuration.router;
    const trust = signing === undefined ? undefined : new LyingTrust(signing.trust);
    const wake = (): void => this.#turns.touch();
    this.evil = new EvilRouter({ id, trust, random, wake });
    this.#control = new ControlPlane({
      routing: { routerId: id, instance: Math.floor(Date.now() / 1000), ...(trust === undefined ? {} : { trust }) },
      rule: () => undefined,
      clock: processClock,
      random,
      log,
      onRoutingEvent: (event) => {
        if (event.type === 'epochNeeded') void signing?.trust.raiseEpoch(event.above).then((epoch) => this.#control.newEpoch(epoch));
      },
      wake,
    });
    if (signing !== undefined) signing.trust.changed = (): void => this.#control.trustChanged();
    const handler = this.evil.watch(this.#control);
    let links = 0;
    const context = {
      routerId: containerId ?? id,
      version: '0',
      clock: processClock,
      random,
      log,
      audit: silentAudit,
      turns: this.#turns,
      slabs: new SlabPool(),
      filesKept: Infinity,
      nextLinkNumber: (): number => ++links,
      handlerFor: (link: Link): NeighbourHandler => ({
        ...handler,
        down: (neighbour, error): void => {
          handler.down(neighbour, error);
          link.ended?.(error);
        },
      }),
      tlsProfile: (name: string): TlsProfile => {
        const profile = profiles.get(name);
        if (profile === undefined) throw new Error(`there is no sslProfile ${name}`);
        return profile;
      },
      accessIdentity: () => undefined,
    };
    this.#turns.register(this.#task);
    this.#connectors = configuration.connectors.map((entity) => new LinkConnector(context satisfies LinkContext, entity));
    for (const connector of this.#connectors) connector.start();
    this.#redial = setInterval(() => {
      for (const connector of this.#connectors) connector.retryNow();
    }, redialMs);
  }

  static async open(options: EvilProcessOptions): Promise<EvilProcess> {
    const profiles = await Promise.all(options.configuration.sslProfiles.map(loadTlsProfile));
    return new EvilProcess(options, new Map(profiles.map((profile) => [profile.entity.name, profile])));
  }

  #endOfTurn(): void {
    if (!this.#control.isDirty) return;
    this.#control.drive();
    clearTimeout(this.#timer);
    const deadlineMs = this.#control.nextDeadlineMs();
    if (deadlineMs === Infinity) return;
    this.#timer = setTimeout(() => this.#control.handleTimeout(), Math.max(1, Math.ceil(deadlineMs - processClock.nowMs())));
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#redial);
    for (const connector of this.#connectors) connector.stop();
    for (const { link } of this.#connectors) link?.destroy();
    clearTimeout(this.#timer);
    this.#turns.unregister(this.#task);
    return Promise.resolve();
  }
}
