import type { Fault } from './fault.ts';
import type { HostileRouter } from './hostile-router.ts';
import type { PlannedRevocation } from './plan.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Direction } from './virtual-link.ts';
import type { World } from './world.ts';

/** As patient as people are. */
const revokeAgainMs = 500;

/** Makes the faults of a plan happen. After `heal` the rest of them is ignored. */
export class FaultInjector {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #hostile: HostileRouter | undefined;
  #healed = false;

  constructor(world: World, random: SeededRandom, hostile: HostileRouter | undefined) {
    this.#world = world;
    this.#random = random;
    this.#hostile = hostile;
    for (const fault of world.plan.faults) world.network.at(fault.atMs, () => this.#later(() => this.#inject(fault)));
  }

  #later(work: () => void): void {
    if (!this.#healed) work();
  }

  #after(delayMs: number, work: () => void): void {
    this.#world.network.at(delayMs, () => this.#later(work));
  }

  #inject(fault: Fault): void {
    const { network, machines, diallers } = this.#world;
    network.hash.time(network.nowMs);
    switch (fault.kind) {
      case 'break':
        diallers[fault.cable]?.link?.break(() => fault.keep);
        break;
      case 'block':
        this.#block(this.#directions(fault.cable, fault.direction), fault.forMs);
        break;
      case 'partition': {
        const { mask, direction, forMs } = fault;
        const across = diallers.flatMap(({ from, to, cable }) => {
          const inFrom = ((mask >> from.number) & 1) === 1;
          if (inFrom === (((mask >> to.number) & 1) === 1)) return [];
          if (direction === 2) return [...cable.directions];
          // Out of the masked part (0) or into it (1).
          return [cable.directions[inFrom === (direction === 0) ? 0 : 1]];
        });
        this.#block(across, forMs);
        break;
      }
      case 'crash': {
        const machine = machines[fault.router];
        if (machine?.process === undefined) break;
        machine.crash(fault.silent);
        this.#after(fault.forMs, () => machine.powerUp());
        break;
      }
      case 'pause': {
        const machine = machines[fault.router];
        const process = machine?.process;
        if (machine === undefined || process === undefined) break;
        machine.pause();
        this.#after(fault.forMs, () => machine.resume(process));
        break;
      }
      case 'clock':
        machines[fault.router]?.jumpClock(fault.byMs);
        break;
      case 'impair':
        this.#impair(fault);
        break;
      case 'flap':
        for (let time = 0; time < fault.times; time++) {
          this.#after(time * fault.everyMs, () => diallers[fault.cable]?.link?.break(() => this.#random.number()));
        }
        break;
      case 'withdraw':
        this.#world.withdraw(fault.offer);
        this.#after(fault.forMs, () => {
          this.#world.withdrawn.delete(fault.offer);
          this.#world.offer(fault.offer);
        });
        break;
      case 'revoke':
        this.#revoke(fault);
        break;
      case 'clone':
        this.#world.spare?.startAsCopyOf(machines[fault.router]);
        break;
      case 'hostile':
        this.#hostile?.act(fault.choice, fault.salt);
        break;
      default:
        throw new Error(`bug: no fault of kind ${(fault as Fault).kind}`);
    }
  }

  /** Whoever is to do it may not run: then it is done later, and at the healing at the latest. */
  #revoke(fault: PlannedRevocation): void {
    const { machines, revokedId } = this.#world;
    if (revokedId === undefined || machines[fault.by].refuses(revokedId)) return;
    if (!machines[fault.by].revoke(revokedId)) this.#after(revokeAgainMs, () => this.#revoke(fault));
  }

  #directions(cable: number, direction: number): readonly Direction[] {
    const both = this.#world.diallers[cable]?.cable.directions ?? [];
    return direction === 2 ? both : both.slice(direction, direction + 1);
  }

  #block(directions: readonly Direction[], forMs: number): void {
    for (const direction of directions) direction.block();
    this.#after(forMs, () => {
      for (const direction of directions) direction.unblock();
    });
  }

  #impair(fault: Extract<Fault, { kind: 'impair' }>): void {
    const { planned } = this.#world.diallers[fault.cable];
    for (const direction of this.#directions(fault.cable, fault.direction)) {
      direction.delayMs = planned.delayMs + fault.delayMs;
      direction.jitterMs = fault.jitterMs;
      direction.rate = fault.rate === 0 ? undefined : fault.rate;
      this.#after(fault.forMs, () => restore(direction, planned));
    }
  }

  /**
   * The core is whole from now on; what is not of the core stays as it is, and apart from it. But a router that is revoked, and each of two
   * with one identity, comes back to it.
   */
  heal(): void {
    this.#healed = true;
    const { plan, machines, diallers, network, spare } = this.#world;
    const { revocation, clone } = plan;
    network.hash.time(network.nowMs);
    if (clone !== undefined && spare?.starts === 0) spare.startAsCopyOf(machines[clone.router]);
    const core = new Set(plan.core);
    for (const { from, to, cable, planned } of diallers) {
      const inside = [from.number, to.number].filter((number) => core.has(number)).length;
      const isRevoked = revocation?.router === from.number || revocation?.router === to.number;
      for (const direction of cable.directions) {
        if (inside === 2 || (inside === 1 && isRevoked)) {
          restore(direction, planned);
          direction.unblockWholly();
        } else if (inside === 1) direction.block();
      }
    }
    const healed = plan.core.map((number) => machines[number]);
    if (typeof revocation?.router === 'number') healed.push(machines[revocation.router]);
    if (spare !== undefined) healed.push(spare);
    for (const machine of healed) {
      if (machine.process === undefined) machine.powerUp();
      else machine.resumeWholly();
    }
    if (revocation !== undefined) this.#revoke(revocation);
    this.#world.settleIdentity();
    plan.offers.forEach((offer, index) => {
      if (!core.has(offer.router)) return;
      this.#world.withdrawn.delete(index);
      this.#world.offer(index);
    });
  }
}

function restore(direction: Direction, plan: { readonly delayMs: number; readonly jitterMs: number }): void {
  direction.delayMs = plan.delayMs;
  direction.jitterMs = plan.jitterMs;
  direction.rate = undefined;
  direction.hasten();
}
