import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AddressRights } from './address-rights.ts';

function kinds(rights: AddressRights, addresses: readonly string[]): readonly string[] {
  return addresses.map((address) => rights.judge(address).kind);
}

test('names, beginnings of names, and all', () => {
  const some = new AddressRights('a', ['orders', 'open.*']);
  assert.deepEqual(kinds(some, ['orders', '/orders', 'amqp://host/orders', 'orders/', 'open.x']), Array(5).fill('service'));
  assert.deepEqual(kinds(some, ['order', 'orders.x', 'open', 'open.', 'Orders', '*', '']), Array(7).fill('refused'));
  const all = new AddressRights('a', ['*']);
  assert.deepEqual(all.judge('amqp:/anything'), { kind: 'service', name: 'anything' });
});

test('what belongs to routers is for nobody, but addresses for answers are for whoever knows them', () => {
  const all = new AddressRights('a', ['*']);
  const ownNames = [
    '$management',
    '_topo/0/a/services',
    'amqp:/_topo/0/b/$management',
    '_topo/0/b/qdrouter',
    '_topo/all/qdrouter',
    '_local/qdhello',
    '_edge/x/y',
    '_x',
  ];
  assert.deepEqual(kinds(all, ownNames), Array(ownNames.length).fill('refused'));
  const answers = ['amqp:/_topo/0/a/temp.abc', 'amqp:/_topo/0/b/temp.abc+_.3', '_topo/0/b/temp.x'];
  assert.deepEqual(kinds(new AddressRights('a', ['orders']), answers), Array(answers.length).fill('temporary'));
  assert.deepEqual(kinds(all, ['amqp:/_topo/0/b/temp.x/y', 'amqp:/_topo/0/b/x/temp.y', '_topo/0/b/temp.']), Array(3).fill('refused'));
});

test('no spelling of a router name is a service', () => {
  const all = new AddressRights('a', ['*']);
  const prefix = fc.constantFrom('', '/', 'amqp:', 'amqp:/', 'amqps:/', '//h/', 'amqp://h/');
  fc.assert(
    fc.property(prefix, fc.constantFrom('_topo/0/b/', '_local/', '_edge/b/', '$'), fc.string(), (start, kind, rest) => {
      assert.notEqual(all.judge(start + kind + rest).kind, 'service');
    }),
  );
});
