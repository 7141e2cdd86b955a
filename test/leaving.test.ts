import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TcpListener } from '../src/services/tcp/listener.ts';
import { VirtualNetwork, pattern, servers } from '../src/sim/virtual-network.ts';
import type { VirtualRouter } from '../src/sim/virtual-router.ts';
import type { Application } from '../src/sim/virtual-socket.ts';

/** Clients of one listener that come each few milliseconds and want an echo. */
class Load {
  readonly clients: Application[] = [];
  readonly #network: VirtualNetwork;
  readonly #router: VirtualRouter;
  readonly #listener: TcpListener;

  constructor(network: VirtualNetwork, router: VirtualRouter, address: string) {
    this.#network = network;
    this.#router = router;
    this.#listener = router.listener(address);
    network.runUntil(() => router.control.forwarder.reachable(address), 3000);
  }

  run(durationMs: number): void {
    const endMs = this.#network.nowMs + durationMs;
    while (this.#network.nowMs < endMs) {
      const client = this.#router.connect(this.#listener);
      client.write(pattern(2000));
      client.end();
      this.clients.push(client);
      this.#network.run(3);
    }
  }

  /** Waits for all answers. */
  assertServed(): void {
    this.#network.runUntil(() => this.clients.every(({ gone }) => gone !== undefined), 5000);
    for (const { gone, received } of this.clients) assert.deepEqual([gone, received], ['end', 2000]);
  }
}

test('a router that discourages transit is left by all streams before its links end, and none is lost', () => {
  const network = new VirtualNetwork();
  const [alpha, beta, gamma, delta] = ['alpha', 'beta', 'gamma', 'delta'].map((id) => network.router(id));
  const links = [network.link(alpha, beta), network.link(beta, gamma)];
  network.link(alpha, delta, 5);
  network.link(delta, gamma, 5);
  const connector = gamma.serve('echo', servers.echo);
  const load = new Load(network, alpha, 'echo');
  network.runUntil(() => alpha.control.forwarder.table.routers.get('gamma')?.cost === 2, 3000);
  load.run(300);
  const before = load.clients.length;
  beta.control.discourageTransit();
  beta.touch();
  load.run(100);
  assert.equal(alpha.control.forwarder.table.routers.get('gamma')?.nextHop, 'delta');
  network.run(50);
  for (const link of links) network.cut(link);
  load.run(300);
  load.assertServed();
  assert.ok(before > 90 && load.clients.length > before + 90);
  assert.equal(connector.opened, load.clients.length, 'none was tried twice');
});

test('a server that is concealed takes what still comes, and then nothing more', () => {
  const network = new VirtualNetwork();
  const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map((id) => network.router(id));
  network.link(alpha, beta);
  const link = network.link(alpha, gamma);
  beta.serve('echo', servers.echo);
  const leaving = gamma.serve('echo', servers.echo);
  const load = new Load(network, alpha, 'echo');
  network.runUntil(() => alpha.control.forwarder.table.addresses.get('Mecho')?.routers.length === 2, 3000);
  load.run(300);
  assert.ok(leaving.opened > 30);
  const { forwarder } = gamma.control;
  forwarder.concealConsumer('echo', leaving);
  gamma.touch();
  load.run(100);
  const { opened } = leaving;
  load.run(100);
  assert.equal(leaving.opened, opened, 'everybody has heard');
  assert.ok(forwarder.reachable('echo'), 'but whoever is here may go on');
  forwarder.removeConsumer('echo', leaving);
  assert.equal(forwarder.localConsumers('echo'), 0);
  network.cut(link);
  load.run(100);
  load.assertServed();
});

test('an address is announced as long as one of its servers is not concealed, and again when one comes', () => {
  const network = new VirtualNetwork();
  const [alpha, beta] = ['alpha', 'beta'].map((id) => network.router(id));
  network.link(alpha, beta);
  const first = beta.serve('echo', servers.echo);
  const second = beta.serve('echo', servers.echo);
  const { forwarder } = beta.control;
  const isKnown = (): boolean => alpha.control.forwarder.reachable('echo');
  network.runUntil(isKnown, 3000);
  forwarder.concealConsumer('echo', first);
  forwarder.concealConsumer('echo', first);
  beta.touch();
  network.run(100);
  assert.ok(isKnown());
  forwarder.removeConsumer('echo', second);
  beta.touch();
  network.runUntil(() => !isKnown(), 100);
  beta.serve('echo', servers.echo);
  network.runUntil(isKnown, 200);
  forwarder.removeConsumer('echo', first);
  beta.touch();
  network.run(100);
  assert.ok(isKnown());
});
