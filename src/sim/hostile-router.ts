import { AddressGrant } from '../base/address-grant.ts';
import type { Consumer } from '../forwarding/leg.ts';
import type { Neighbour, NeighbourHandler } from '../forwarding/neighbour.ts';
import type { ControlPlane } from '../router/control-plane.ts';
import type { RoutingTrust } from '../routing/trust.ts';
import { Refusal } from '../services/tcp/listener.ts';
import { HostileMessages } from './hostile-messages.ts';
import type { Machine } from './machine.ts';
import { SeededRandom } from './seeded-random.ts';
import { Cable } from './virtual-link.ts';
import type { VirtualRouter } from './virtual-router.ts';
import type { World } from './world.ts';

export const hostileId = 'evil';
/** What its credential grants it to announce. */
export const hostileAdvertise: readonly string[] = ['evil.*'];
/** It comes back this long after it was thrown out. */
const redialMs = 1000;
/** A liar says everything again this often, to the end of the run. */
const lieEveryMs = 3000;

/** To which addresses somebody has sent messages that came to the hostile router. */
export interface HostileObserver {
  hostileTook(address: string): void;
}

/**
 * A router with a link of its own and perhaps a credential of its own, which takes part in routing like any other and beside that sends what no honest
 * router sends. A noisy one sends anything: broken, old and forged messages, claims about others, and offers of services that are not its own. A
 * liar keeps to what nobody is cut off for, and goes on with it when the rest of the network has been healed.
 */
export class HostileRouter {
  readonly process: VirtualRouter;
  readonly #world: World;
  readonly #victim: Machine;
  readonly #observer: HostileObserver;
  readonly #messages: HostileMessages;
  readonly #cable = new Cable();
  readonly #random: SeededRandom;
  /** Its link to the victim, while that is up. */
  #neighbour: Neighbour | undefined;
  #lies = 0;

  constructor(world: World, victim: Machine, observer: HostileObserver) {
    this.#world = world;
    this.#victim = victim;
    this.#observer = observer;
    this.#random = new SeededRandom(world.plan.seed).split('lies');
    const trust = world.plan.hostileSigns ? lyingTrust(world) : undefined;
    const addresses = [...new Set(world.plan.offers.map(({ address }) => address))];
    const routerIds = world.machines.map(({ id }) => id);
    this.#messages = new HostileMessages({ id: hostileId, trust, victimId: victim.id, routerIds, addresses });
    this.process = world.network.start(hostileId, {
      random: world.network.random.split(hostileId),
      observe: (control) => this.#watch(control),
      routing: { instance: 1_767_225_600, ...(trust === undefined ? {} : { trust }) },
    });
    if (world.plan.isStrict) {
      for (const address of addresses) {
        const thief: Consumer = {
          outstanding: 0,
          deliver: (_head, upstream) => {
            observer.hostileTook(address);
            return new Refusal(upstream);
          },
        };
        this.process.control.forwarder.addConsumer(address, thief);
      }
    }
    this.process.after(500, () => this.#dial());
    if (world.plan.hostileLies) this.process.after(lieEveryMs, () => this.#lieAgain());
  }

  #dial(): void {
    const acceptor = this.#victim.process;
    if (acceptor === undefined) {
      this.process.after(redialMs, () => this.#dial());
      return;
    }
    const proven = this.#victim.signs ? this.#victim.id : undefined;
    const first = { dialled: true, cost: 1, provenRouterId: proven };
    const link = this.#world.network.connect(
      this.process,
      acceptor,
      first,
      { dialled: false, cost: 1, provenRouterId: hostileId },
      this.#cable,
    );
    link.onEnd = (end): void => {
      if (end === 0) this.process.after(redialMs, () => this.#dial());
    };
  }

  #watch(control: ControlPlane): NeighbourHandler {
    return {
      opened: (neighbour, open): void => control.opened(neighbour, open),
      controlUp: (neighbour): void => {
        this.#neighbour = neighbour;
        control.controlUp(neighbour);
      },
      controlMessage: (neighbour, message): void => {
        this.#messages.remember(message);
        control.controlMessage(neighbour, message);
      },
      message: (neighbour, delivery, bytes, start, end, more): void => {
        // It is at the edge of the network, and nobody has business with it.
        this.#observer.hostileTook('somebody else');
        control.message(neighbour, delivery, bytes, start, end, more);
      },
      relieved: (): void => control.relieved(),
      down: (neighbour, error): void => {
        if (this.#neighbour === neighbour) this.#neighbour = undefined;
        control.down(neighbour, error);
      },
    };
  }

  /** Does something that the numbers determine. */
  act(choice: number, salt: number): void {
    const { isStrict, hostileLies } = this.#world.plan;
    const random = new SeededRandom(salt);
    // Routers that do not sign believe whatever is said in another's name: there only broken messages are of use.
    if (!isStrict) this.#send(() => this.#messages.damage(choice, random));
    else this.#send(() => (hostileLies ? this.#messages.lie(choice, random) : this.#messages.noise(choice, random)));
  }

  #lieAgain(): void {
    this.#send(() => this.#messages.lie(this.#lies++, this.#random));
    this.process.after(lieEveryMs, () => this.#lieAgain());
  }

  #send(make: () => readonly Uint8Array[]): void {
    const neighbour = this.#neighbour;
    if (neighbour === undefined) return;
    for (const bytes of make()) neighbour.sendControl(bytes);
    this.process.touch();
  }
}

/** A trust whose owner believes to be granted everything; the others go by the credential. */
function lyingTrust(world: World): RoutingTrust {
  const trust = world.authority.router({ routerId: hostileId, advertise: hostileAdvertise, consume: hostileAdvertise, epoch: 1 });
  return {
    ...trust,
    credentialOf: (bytes) => {
      const verdict = trust.credentialOf(bytes);
      return bytes === trust.credential && typeof verdict !== 'string' ? { ...verdict, advertise: new AddressGrant(['*']) } : verdict;
    },
  };
}
