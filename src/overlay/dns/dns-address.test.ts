import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressHex } from '../control/address.ts';
import { dnsAddressOf } from './dns-address.ts';

function dnsText(address: string, length: number, gateway: string | undefined): string | undefined {
  const found = dnsAddressOf({
    address: addressHex(address),
    length: length + (address.includes(':') ? 0 : 96),
    gateway: gateway === undefined ? undefined : addressHex(gateway),
    fixed: undefined,
  });
  return found;
}

test('it is the address behind the gateway, or before it where the prefix ends', () => {
  assert.equal(dnsText('10.0.0.0', 24, '10.0.0.1'), addressHex('10.0.0.2'));
  assert.equal(dnsText('10.0.0.0', 24, '10.0.0.254'), addressHex('10.0.0.253'));
  assert.equal(dnsText('10.0.0.0', 24, '10.0.0.77'), addressHex('10.0.0.78'));
  assert.equal(dnsText('fd00::', 64, 'fd00::1'), addressHex('fd00::2'));
  assert.equal(dnsText('fd00::', 124, 'fd00::f'), addressHex('fd00::e'));
  assert.equal(dnsText('fd00::', 124, 'fd00::e'), addressHex('fd00::f'));
  assert.equal(dnsText('10.0.0.0', 24, undefined), undefined);
});
