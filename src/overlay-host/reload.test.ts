import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { parseConfiguration, type OverlayConfiguration } from './configuration/configuration.ts';
import { checkReload } from './reload.ts';

function configuration(more: object = {}): OverlayConfiguration {
  const hosts = [
    { name: 'one', id: 1, address: '192.0.2.1' },
    { name: 'two', id: 2, address: '192.0.2.2' },
  ];
  const text = stringify({ host: 'one', epoch: 2, hosts, ...more });
  return parseConfiguration(text, '/etc/overlay.yaml', () => assert.fail('it names no file'));
}

const three = [{ name: 'one', id: 1, address: '192.0.2.1' }];

for (const [what, more, code, message] of [
  ['the same', {}, undefined, ''],
  ['other networks', { vpcs: [{ name: 'red', vni: 1, subnets: [{ name: 'a', id: 1, ipv4: '10.0.0.0/24' }] }] }, undefined, ''],
  ['other hosts in a newer epoch', { epoch: 3, hosts: three }, undefined, ''],
  ['a newer epoch alone', { epoch: 9 }, undefined, ''],
  ['other hosts in the same epoch', { hosts: three }, 'old-epoch', 'write 3'],
  ['an older epoch', { epoch: 1 }, 'old-epoch', ''],
  ['another folder', { stateFolder: '/other' }, 'needs-start', ''],
  ['another address of its own', { epoch: 3, hosts: [{ name: 'one', id: 1, address: '192.0.2.9' }] }, 'needs-start', ''],
] as const) {
  test(`reload: ${what}`, () => {
    const check = (): void => checkReload(configuration(), configuration(more), 'FILE');
    if (code === undefined) check();
    else
      assert.throws(
        check,
        (error: Error & { code?: string; remedy?: string }) => error.code === code && error.remedy?.includes(message) === true,
      );
  });
}
