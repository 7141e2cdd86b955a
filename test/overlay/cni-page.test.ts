import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cniCode } from '../../src/overlay/cni/cni-error.ts';
import { cniCommands } from '../../src/overlay/cni/cni-environment.ts';
import { supportedVersions } from '../../src/overlay/cni/cni-version.ts';
import { readNetworkConfig } from '../../src/overlay/cni/network-config.ts';
import { readText } from '../source-files.ts';

/** The page about CNI, and the plugin's source, say what the service does. */

const page = readText('docs/cni.md');

test('the page tells every code, command and version', () => {
  const cells = new Set([...page.matchAll(/^\| (\w+) \|/gm)].map((match) => match[1]));
  for (const code of Object.values(cniCode)) assert.ok(cells.has(String(code)), `code ${code}`);
  for (const command of cniCommands) assert.ok(cells.has(command), command);
  for (const version of supportedVersions) assert.ok(page.includes(version), version);
});

test('the configuration on the page is read as it says', () => {
  const [, text = ''] = /```json\n(.*?)```/s.exec(page) ?? [];
  const { plugins, ...list } = JSON.parse(text) as { plugins: object[] };
  // As a runtime takes a plugin's configuration out of a list.
  const { name, vpc, subnet } = readNetworkConfig({ ...list, ...plugins[0] });
  assert.deepEqual([name, vpc, subnet], ['caravan', 'red', 'front']);
});

test('the plugin knows the same versions', () => {
  const source = readText('cni/caravan-cni.c');
  const [, listed = ''] = /SUPPORTED_VERSIONS "(.*)"/.exec(source) ?? [];
  assert.deepEqual(JSON.parse(listed.replaceAll('\\"', '"')), supportedVersions);
});
