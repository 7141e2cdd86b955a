import type { Router } from '../router/router.ts';

/** Names are gathered anew after this time; one that is not among them sooner, but not for each of many that come at once. */
const keptMs = 1000;
const missingMs = 100;

/** Names of the sites of routers, as they told. To gather them takes the size of the network, and events come by the dozen. */
export class SiteNames {
  readonly #router: () => Router | undefined;
  readonly #nowMs: () => number;
  #names: ReadonlyMap<string, string> = new Map();
  #gatheredMs = -Infinity;

  constructor(router: () => Router | undefined, nowMs: () => number) {
    this.#router = router;
    this.#nowMs = nowMs;
  }

  /** Name of the site of a router; its id when it told none. */
  nameOf(routerId: string): string {
    const nowMs = this.#nowMs();
    const ageMs = nowMs - this.#gatheredMs;
    if (ageMs >= keptMs || (ageMs >= missingMs && !this.#names.has(routerId))) {
      this.#names = this.#gather();
      this.#gatheredMs = nowMs;
    }
    return this.#names.get(routerId) ?? routerId;
  }

  #gather(): ReadonlyMap<string, string> {
    const names = new Map<string, string>();
    for (const { routerId, site } of this.#router()?.routingStatus.routers ?? []) {
      const name = site?.get('name');
      if (typeof name === 'string' && name !== '') names.set(routerId, name);
    }
    return names;
  }
}
