import type { Plan } from '../plan.ts';

/** Who may do what, worked out from the plan alone. Everybody everything, where some routers do not sign. */
export class GrantOracle {
  readonly #plan: Plan;
  readonly isStrict: boolean;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.isStrict = plan.isStrict;
  }

  mayAnnounce(router: number, address: string): boolean {
    return !this.isStrict || allows(this.#plan.grants[router].advertise, address);
  }

  maySend(router: number, address: string): boolean {
    return !this.isStrict || allows(this.#plan.grants[router].consume, address);
  }

  /** Whether a message made at one router may reach a consumer at another. At home everything may. */
  mayReach(from: number, to: number, address: string): boolean {
    return from === to || (this.maySend(from, address) && this.mayAnnounce(to, address));
  }
}

function allows(patterns: readonly string[], address: string): boolean {
  return patterns.some((pattern) => (pattern.endsWith('*') ? address.startsWith(pattern.slice(0, -1)) : pattern === address));
}
