import type { Random } from '../../base/random.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { BalancedServer } from '../balancing/balanced-server.ts';
import { ServerSet } from '../balancing/server-set.ts';
import type { BalancingPolicy } from '../balancing/server-set.ts';
import type { ServerChoice } from './ingress-exchange.ts';

/** The servers of one address in the whole network, as the router sees them where requests enter. */
export class ServerWatch implements ServerChoice {
  readonly #set: ServerSet;
  dueMs: number = Infinity;

  constructor(_forwarder: Forwarder, _address: string, policy: BalancingPolicy, random: Random) {
    this.#set = new ServerSet(policy, random);
  }

  choose(nowMs: number, tried: readonly BalancedServer[]): BalancedServer | undefined {
    return this.#set.choose(nowMs, tried);
  }

  get mayBeElsewhere(): boolean {
    return true;
  }

  routesChanged(_nowMs: number): void {}

  handleTimeout(_nowMs: number): void {}

  stop(): void {}
}
