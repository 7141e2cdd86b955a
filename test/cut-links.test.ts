import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulatedTrust } from '../src/routing/simulated-trust.ts';
import { SeededRandom } from '../src/sim/seeded-random.ts';
import { VirtualNetwork, servers } from '../src/sim/virtual-network.ts';
import type { VirtualLink } from '../src/sim/virtual-link.ts';
import type { VirtualRouter } from '../src/sim/virtual-router.ts';

const periodMs = 5;
const cuts = 40;

/** One request: when it began, and when and how it ended. */
interface Request {
  readonly startMs: number;
  endMs: number;
  how: 'end' | 'reset' | undefined;
}

/** Clients of a listener that come each few milliseconds, whatever becomes of those before. */
class OpenLoad {
  readonly requests: Request[] = [];
  readonly #network: VirtualNetwork;
  readonly #router: VirtualRouter;
  readonly #connect: (prepare: Parameters<VirtualRouter['connect']>[1]) => void;
  #stopped = false;

  constructor(network: VirtualNetwork, router: VirtualRouter, address: string) {
    this.#network = network;
    this.#router = router;
    const listener = router.listener(address);
    this.#connect = (prepare) => router.connect(listener, prepare);
    this.#begin();
  }

  #begin(): void {
    if (this.#stopped) return;
    const request: Request = { startMs: this.#network.nowMs, endMs: Infinity, how: undefined };
    this.requests.push(request);
    this.#connect((application) => {
      application.keepChunks = false;
      application.onGone = (how) => {
        request.endMs = this.#network.nowMs;
        request.how = how;
      };
      application.write(new Uint8Array(100));
      application.end();
    });
    this.#router.after(periodMs, () => this.#begin());
  }

  stop(): void {
    this.#stopped = true;
  }
}

/** The link breaks: for both ends at once, for one end before the other, or with part of what is on its way. */
function breakLink(network: VirtualNetwork, link: VirtualLink, random: SeededRandom): void {
  const kind = random.below(4);
  if (kind === 0) network.cut(link);
  else if (kind === 1) link.break(() => random.number());
  else {
    link.endLost(kind === 2 ? 0 : 1);
    network.at(random.below(300), () => network.cut(link));
  }
}

/**
 * A triangle: clients at alpha reach the server at beta by the link between them or by gamma. That link breaks again and again, also while the
 * routers still pause for what happened before.
 */
for (const [title, signs] of [
  ['that sign', true],
  ['that do not sign', false],
] as const) {
  test(`routers ${title}: a link that breaks again and again keeps nobody waiting while there is another way`, () => {
    for (const seed of [1, 2]) {
      const network = new VirtualNetwork(seed);
      const random = new SeededRandom(seed).split('breaks');
      const authority = simulatedTrust(seed);
      const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map((routerId) =>
        network.start(routerId, { routing: signs ? { trust: authority.router({ routerId, epoch: 1 }) } : {} }),
      );
      let direct = network.link(alpha, beta);
      network.link(alpha, gamma);
      network.link(gamma, beta);
      beta.serve('echo', servers.echo);
      network.runUntil(() => alpha.control.forwarder.table.routers.get('beta')?.cost === 1, 3000);
      network.runUntil(() => alpha.control.forwarder.reachable('echo'), 3000);
      network.run(1000);
      const load = new OpenLoad(network, alpha, 'echo');
      network.run(500);
      for (let cut = 0; cut < cuts; cut++) {
        breakLink(network, direct, random);
        network.run(300 + random.below(random.below(3) === 0 ? 1000 : 4000));
        direct = network.link(alpha, beta);
        network.run(random.below(2) === 0 ? 500 : random.below(6000));
      }
      load.stop();
      network.run(5000);
      const waits = load.requests.map(({ startMs, endMs }) => endMs - startMs);
      assert.ok(Math.max(...waits) < 100, `seed ${seed}: somebody waited for ${Math.max(...waits)} ms`);
      // Whose answer had begun when the link broke may see it: at most those of one round trip each time.
      const cutOff = load.requests.filter(({ how }) => how !== 'end').length;
      assert.ok(cutOff <= cuts * 2, `seed ${seed}: ${cutOff} were cut off`);
    }
  });
}
