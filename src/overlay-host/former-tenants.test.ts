import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noNetworks, type Networks } from '../overlay/catalog/networks.ts';
import { formerTenants } from './former-tenants.ts';

const networks = (...vpcs: readonly (readonly [name: string, vni: number])[]): Networks => ({
  ...noNetworks,
  vpcs: vpcs.map(([name, vni]) => ({ name, vni, prefixes: [], peers: [], dns: 'off', egress: undefined })),
});

test('a VNI whose VPC is gone, or is another one now, had a former tenant', () => {
  const before = networks(['red', 7], ['blue', 8], ['green', 9]);
  assert.deepEqual([...formerTenants(before, networks(['blue', 8], ['other', 9], ['new', 10]))], [7, 9]);
  assert.deepEqual([...formerTenants(before, before)], []);
});
