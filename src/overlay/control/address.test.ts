import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressHex, addressIn, bitOf, bitsIn, blockAt, blockCount, blockOf, isInPrefix, usableMask, type Prefix } from './address.ts';

const prefix = (text: string, length: number): Prefix => ({ address: addressHex(text), length });

test('a /24 has 16 blocks; network, gateway and broadcast are no endpoints', () => {
  const net = prefix('10.1.2.0', 120);
  const gateway = addressHex('10.1.2.1');
  assert.equal(blockCount(net), 16);
  assert.equal(addressIn(blockAt(net, 0), 5), addressHex('10.1.2.5'));
  assert.equal(addressIn(blockAt(net, 15), 15), addressHex('10.1.2.255'));
  assert.equal(usableMask(net, blockAt(net, 0), gateway), 0xfffc);
  assert.equal(usableMask(net, blockAt(net, 1), gateway), 0xffff);
  assert.equal(usableMask(net, blockAt(net, 15), gateway), 0x7fff);
});

test('a subnet smaller than a block', () => {
  const net = prefix('10.1.2.8', 125);
  assert.equal(blockCount(net), 1);
  const mask = usableMask(net, blockAt(net, 0), addressHex('10.1.2.9'));
  assert.equal(bitsIn(mask), 5);
  assert.equal(mask, 0b0111_1100_0000_0000);
});

test('IPv6: a /64 has blocks without end and no broadcast', () => {
  const net = prefix('fd00::', 64);
  assert.equal(blockCount(net), 2 ** 32);
  assert.equal(addressIn(blockAt(net, 0x10), 1), addressHex('fd00::101'));
  assert.equal(usableMask(net, blockAt(net, 0), addressHex('fd00::1')), 0xfffc);
  assert.equal(usableMask(prefix('fd00::', 124), blockOf(addressHex('fd00::')), undefined), 0xfffe);
});

test('prefixes of every length hold their own addresses only', () => {
  assert.ok(isInPrefix(addressHex('10.1.2.9'), prefix('10.1.2.8', 125)));
  assert.ok(!isInPrefix(addressHex('10.1.2.16'), prefix('10.1.2.8', 125)));
  assert.ok(isInPrefix(addressHex('10.1.255.9'), prefix('10.1.0.0', 112)));
  assert.ok(!isInPrefix(addressHex('10.2.0.0'), prefix('10.1.0.0', 112)));
  assert.ok(isInPrefix(addressHex('fd00::1'), prefix('::', 0)));
});

test('an address and its bit', () => {
  assert.equal(bitOf(addressHex('10.0.0.17')), 2);
  assert.equal(blockOf(addressHex('10.0.0.17')), blockOf(addressHex('10.0.0.31')));
});
