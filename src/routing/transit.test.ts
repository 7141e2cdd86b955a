import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ControlMessage } from './control-message.ts';
import { TestNetwork } from './test-network.ts';

/** a - b - c, with b also linked to d; the links in that order. */
function star(): { network: TestNetwork; links: number[] } {
  const network = new TestNetwork();
  for (const id of ['a', 'b', 'c', 'd']) network.router(id);
  const links = [network.connect('a', 'b'), network.connect('b', 'c'), network.connect('b', 'd')];
  network.run(1500);
  return { network, links };
}

function transits(network: TestNetwork, link: number, message: ControlMessage): { links: readonly number[]; message: ControlMessage }[] {
  const engine = network.engine('b');
  engine.receive(link, message, network.nowMs);
  const out = [];
  for (let next = engine.nextTransmit(); next !== undefined; next = engine.nextTransmit()) out.push(next);
  return out;
}

const base = { opcode: 'NEW', body: new Map(), ingress: '0/a', trace: ['0/a'] };

test('a message for another router goes to the next hop as it came, with this router in the trace', () => {
  const { network, links } = star();
  const encoded = Uint8Array.of(1, 2, 3);
  const [out, ...rest] = transits(network, links[0], { ...base, to: 'amqp:/_topo/0/c/qdrouter', encoded });
  assert.deepEqual(rest, []);
  assert.deepEqual(out.links, [links[1]]);
  assert.equal(out.message.encoded, encoded);
  assert.deepEqual([out.message.ingress, out.message.trace], ['0/a', ['0/a', '0/b']]);
});

test('a flood goes to every neighbour that it has not passed', () => {
  const { network, links } = star();
  const [out] = transits(network, links[0], { ...base, to: '_topo/0/all/qdrouter' });
  assert.deepEqual(new Set(out.links), new Set([links[1], links[2]]));
  const [second] = transits(network, links[0], { ...base, to: '_topo/all/qdrouter', trace: ['0/d', '0/a'] });
  assert.deepEqual(second.links, [links[1]]);
});

test('a multicast of an unknown origin goes nowhere, one of a known origin along its tree', () => {
  const { network, links } = star();
  const to = '_topo/0/all/qdrouter.ma';
  assert.deepEqual(transits(network, links[0], { ...base, to, ingress: '0/stranger' }), []);
  const [out] = transits(network, links[0], { ...base, to });
  assert.deepEqual(new Set(out.links), new Set([links[1], links[2]]));
});

test('a message that has been here, or has come further than the network is wide, stops', () => {
  const { network, links } = star();
  const to = '_topo/0/all/qdrouter';
  assert.deepEqual(transits(network, links[0], { ...base, to, trace: ['0/b', '0/a'] }), []);
  assert.equal(transits(network, links[0], { ...base, to, trace: ['0/x', '0/a'] }).length, 1, 'radius 1 and one more');
  assert.deepEqual(transits(network, links[0], { ...base, to, trace: ['0/y', '0/x', '0/a'] }), []);
  assert.deepEqual(transits(network, links[0], { ...base, to: '_topo/0/a/qdrouter' }), [], 'not back to where it came from');
  const { ignored } = network.engine('b').status();
  assert.deepEqual([ignored.get('loop'), ignored.get('too far')], [2, 1]);
});

test('a message without ingress counts as made here', () => {
  const { network, links } = star();
  const [out] = transits(network, links[0], { ...base, to: '_topo/0/all/qdrouter.ma', ingress: null, trace: [] });
  assert.equal(out.message.ingress, '0/b');
  assert.deepEqual(out.message.trace, ['0/b']);
  assert.deepEqual(new Set(out.links), new Set([links[1], links[2]]));
});

test('messages for nobody and from nowhere are counted', () => {
  const { network, links } = star();
  const to = '_topo/0/nobody/qdrouter';
  assert.deepEqual(transits(network, links[0], { ...base, to }), []);
  assert.deepEqual(transits(network, 99, { ...base, to }), []);
  assert.deepEqual(transits(network, links[0], { ...base, to: 'greeting' }), []);
  const { ignored } = network.engine('b').status();
  assert.deepEqual([ignored.get('no route'), ignored.get('unknown link'), ignored.get('not a routing address')], [1, 1, 1]);
});
