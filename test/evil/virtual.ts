import { consume } from '../../src/sim/messages.ts';
import { Cable } from '../../src/sim/virtual-link.ts';
import { VirtualNetwork } from '../../src/sim/virtual-network.ts';
import type { VirtualRouter } from '../../src/sim/virtual-router.ts';
import { treatmentRule } from '../../src/router/address-rules.ts';
import type { RoutingEvent } from '../../src/routing/events.ts';
import { simulatedTrust } from '../../src/routing/simulated-trust.ts';
import type { SimulatedAuthority } from '../../src/routing/simulated-trust.ts';
import { addressRows, nodeRows } from './virtual-rows.ts';
import { beliefOf } from './belief.ts';
import type { Attack } from './attack.ts';
import { EvilRouter } from './evil-router.ts';
import { LyingTrust } from './lying-trust.ts';

const redialMs = 250;
const settleMs = 3_000;
const sampleMs = 50;
export const evilId = 'evil';

/** Honest routers a - c - b in virtual time, with a service at b, and the evil router next to c (its only link). */
export class EvilNetwork {
  readonly network = new VirtualNetwork(1);
  readonly authority: SimulatedAuthority = simulatedTrust(1);
  readonly honest: readonly VirtualRouter[];
  readonly events = new Map<string, RoutingEvent[]>();
  readonly service: ReturnType<typeof consume>;
  readonly evil: EvilRouter;
  readonly #process: VirtualRouter;
  readonly #target: VirtualRouter;

  /** `signs`: whether the honest routers do; where they do not, nothing is verified. `unsignedBetween`: the evil router is linked to an honest one that does not sign, and that to c. */
  constructor(options: { signs?: boolean; evilSigns?: boolean; unsignedBetween?: boolean; requireSigned?: boolean } = {}) {
    const { signs = true, evilSigns = signs, unsignedBetween = false, requireSigned = false } = options;
    // Who stands next to routers that do not sign vouches for them with its own grants.
    const own = (id: string): readonly string[] => (unsignedBetween && id === 'c' ? ['c.*'] : ['*']);
    const [a, c, b] = ['a', 'c', 'b'].map((id) => this.#start(id, { signs, requireSigned, addresses: own(id) }));
    this.honest = [a, c, b];
    this.#connect(a, c);
    this.#connect(b, c);
    this.#target = unsignedBetween ? this.#start('u', { signs: false, requireSigned, addresses: [] }) : c;
    if (unsignedBetween) this.#connect(this.#target, c);
    this.service = consume(b, 'service');
    const trust = evilSigns
      ? new LyingTrust(this.authority.router({ routerId: evilId, advertise: ['evil.*'], consume: ['evil.*'], epoch: 1 }))
      : undefined;
    this.evil = new EvilRouter({ id: evilId, trust, random: this.network.random.split(evilId), wake: () => this.#process.touch() });
    this.#process = this.network.start(evilId, {
      rule: treatmentRule([], 'balanced'),
      observe: (control) => this.evil.watch(control),
      routing: { instance: 1, ...(trust === undefined ? {} : { trust }) },
      onRoutingEvent: (event) => {
        if (event.type === 'epochNeeded') this.#process.later(() => this.#process.control.newEpoch(event.above + 1));
      },
    });
  }

  #start(id: string, options: { signs: boolean; requireSigned: boolean; addresses: readonly string[] }): VirtualRouter {
    const { signs, requireSigned, addresses } = options;
    const events: RoutingEvent[] = [];
    this.events.set(id, events);
    const router: VirtualRouter = this.network.start(id, {
      rule: treatmentRule([], 'balanced'),
      routing: {
        instance: 1,
        ...(signs
          ? { trust: this.authority.router({ routerId: id, advertise: addresses, consume: addresses, epoch: 1 }), requireSigned }
          : {}),
      },
      onRoutingEvent: (event) => {
        events.push(event);
        if (event.type === 'epochNeeded') router.later(() => router.control.newEpoch(event.above + 1));
      },
    });
    return router;
  }

  #connect(dialler: VirtualRouter, acceptor: VirtualRouter): ReturnType<VirtualNetwork['connect']> {
    const first = { dialled: true, cost: 1, provenRouterId: acceptor.id };
    return this.network.connect(dialler, acceptor, first, { dialled: false, cost: 1, provenRouterId: dialler.id }, new Cable());
  }

  /** Lets the honest routers learn each other, then the evil one join. */
  settle(): void {
    this.network.run(settleMs);
    this.#dial();
    this.network.run(settleMs);
  }

  #dial(): void {
    const link = this.#connect(this.#process, this.#target);
    link.onEnd = (end): void => {
      if (end === 0) this.#process.after(redialMs, () => this.#dial());
    };
  }

  /** What the honest routers believe, without the evil one. */
  belief(): string {
    return this.honest.map((router) => beliefOf(nodeRows(router), addressRows(router))).join('\n');
  }

  /** Makes an attack and gives the beliefs of honest routers that were other than before, at any time; the last sample comes long after. */
  attack({ run }: Attack, limitMs = 10_000): string[] {
    const before = this.belief();
    const wrong: string[] = [];
    const steps = run(this.evil);
    const endMs = this.network.nowMs + limitMs;
    const sample = (): void => {
      const belief = this.belief();
      if (belief !== before && wrong.length < 3) wrong.push(`${before}\n---\n${belief}`);
    };
    for (let step = steps.next(); step.done !== true && this.network.nowMs < endMs; step = steps.next()) {
      for (let leftMs = step.value; leftMs > 0; leftMs -= sampleMs) {
        this.network.run(Math.min(sampleMs, leftMs));
        sample();
      }
    }
    for (let round = 0; round < 8; round++) {
      this.network.run(500);
      sample();
    }
    return wrong;
  }

  eventsOf<Type extends RoutingEvent['type']>(id: string, type: Type): Extract<RoutingEvent, { type: Type }>[] {
    return (this.events.get(id) ?? []).filter((event): event is Extract<RoutingEvent, { type: Type }> => event.type === type);
  }
}
