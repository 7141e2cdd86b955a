import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Neighbour } from '../../src/forwarding/neighbour.ts';
import type { RoutingOptions } from '../../src/routing/routing-options.ts';
import { simulatedTrust } from '../../src/routing/simulated-trust.ts';
import { VirtualNetwork } from '../../src/sim/virtual-network.ts';
import type { VirtualRouter } from '../../src/sim/virtual-router.ts';

test('a link that was being made when its router gave way to another process does not come up', () => {
  const network = new VirtualNetwork();
  const authority = simulatedTrust(1);
  const trustOf = (routerId: string, nonce: number): Partial<RoutingOptions> => ({
    trust: authority.router({ routerId, epoch: 1, nonce: new Uint8Array(8).fill(nonce) }),
  });
  let epoch = 1;
  let fenced = false;
  /** Links of the loser that are open, and come up when the test says so. */
  const late: Neighbour[] = [];
  const start = (id: string, nonce: number, isLoser: boolean): VirtualRouter => {
    const router: VirtualRouter = network.start(id, {
      routing: trustOf(id, nonce),
      observe: (control) => ({
        opened: (neighbour, open): void => control.opened(neighbour, open),
        controlUp: (neighbour): void => {
          if (isLoser && neighbour.routerId === 'b') late.push(neighbour);
          else control.controlUp(neighbour);
        },
        controlMessage: (neighbour, message): void => control.controlMessage(neighbour, message),
        message: (neighbour, delivery, bytes, from, to, more): void => control.message(neighbour, delivery, bytes, from, to, more),
        relieved: (): void => control.relieved(),
        down: (neighbour, error): void => control.down(neighbour, error),
      }),
      onRoutingEvent: (event) => {
        if (event.type === 'epochNeeded') router.later(() => router.control.newEpoch((epoch = Math.max(epoch, event.above) + 1)));
        if (event.type === 'fenced') fenced = isLoser;
      },
    });
    return router;
  };
  const [a, b] = [start('a', 5, false), start('b', 6, false)];
  const [loser, winner] = [start('x', 1, true), start('x', 9, false)];
  network.link(loser, a);
  network.link(winner, a);
  network.link(loser, b);
  network.runUntil(() => fenced, 20_000);
  const [neighbour] = late;
  assert.equal(late.length, 1);
  assert.equal(neighbour.connection.opened, true);
  loser.control.controlUp(neighbour);
  loser.touch();
  network.run(2_000);
  assert.equal(neighbour.isUp, false);
  assert.deepEqual([...loser.control.routingStatus.neighbours], []);
  assert.equal(b.control.forwarder.table.routers.has('x'), false);
});
