import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attacks } from './attacks/all.ts';
import { EvilNetwork } from './virtual.ts';

for (const attack of attacks) {
  test(`${attack.name}: ${attack.tries}`, () => {
    const network = new EvilNetwork();
    network.settle();
    assert.ok(network.evil.isLinked);
    assert.deepEqual(network.attack(attack), []);
    const { evil, service } = network;
    assert.ok(evil.sent > 0, 'it has done something');
    assert.deepEqual([evil.taken, evil.accepted, evil.replies, service.taken.length], [0, 0, 0, 0]);
    if (attack.expected !== 'no effect') assert.ok(network.eventsOf('c', 'violation').length > 0, 'its neighbour notices');
    if (attack.expected === 'kept out') assert.equal(evil.isLinked, false);
  });
}

for (const attack of attacks.filter(({ signs }) => !signs)) {
  test(`${attack.name} of a router that does not sign, behind another one`, () => {
    const network = new EvilNetwork({ evilSigns: false, unsignedBetween: true });
    network.settle();
    assert.deepEqual(network.attack(attack), []);
    const { evil, service } = network;
    assert.ok(evil.sent > 0);
    assert.deepEqual([evil.taken, service.taken.length], [0, 0]);
  });

  test(`${attack.name} of a router that does not sign, where everybody must`, () => {
    const network = new EvilNetwork({ evilSigns: false, requireSigned: true });
    network.settle();
    assert.deepEqual(network.attack(attack), []);
    assert.equal(network.evil.isLinked, false);
    assert.deepEqual([network.evil.taken, network.evil.accepted, network.evil.replies, network.service.taken.length], [0, 0, 0, 0]);
  });
}

test('where nobody signs, the attacks on what is believed do what they are for', () => {
  const harmful = ['k1-advertise', 'k2-unsigned', 'k4-sequence'];
  for (const name of harmful) {
    const network = new EvilNetwork({ signs: false });
    network.settle();
    const attack = attacks.find((candidate) => candidate.name === name);
    assert.ok(attack !== undefined);
    assert.notDeepEqual(network.attack(attack), [], name);
  }
});

test('made-up addresses do not hide from the logs that it sends where it may not', () => {
  const network = new EvilNetwork();
  network.settle();
  for (const name of ['k1-advertise', 'beyond-consume']) {
    const attack = attacks.find((candidate) => candidate.name === name);
    assert.ok(attack !== undefined);
    assert.deepEqual(network.attack(attack), []);
  }
  const told = network.eventsOf('c', 'grantViolation').filter(({ right, address }) => right === 'consume' && address === 'service');
  assert.deepEqual([...new Set(told.map(({ routerId }) => routerId))], ['evil']);
});

test('most of a flood of invented routers does not get beyond the neighbour', () => {
  const network = new EvilNetwork();
  network.settle();
  const attack = attacks.find(({ name }) => name === 'k5-invented');
  assert.ok(attack !== undefined);
  assert.deepEqual(network.attack(attack), []);
  const [, neighbour] = network.honest;
  assert.ok((neighbour.control.routingStatus.ignored.get('too many') ?? 0) > network.evil.sent / 2);
});
