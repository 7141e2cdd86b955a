import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResources } from '../site/resources.ts';
import { accessPoints, certificateHosts } from './access-points.ts';
import { apiVersion, siteYaml } from './site-fixtures.test.ts';

const machine = { address: '192.0.2.7', names: ['laptop', 'localhost'] };

function hostsOf(spec: string): { reachedBy: readonly string[]; certified: readonly string[] } {
  const access = `---\napiVersion: ${apiVersion}\nkind: RouterAccess\nmetadata: {name: links}\nspec: ${spec}\n`;
  const points = accessPoints(parseResources(siteYaml('west') + access, 'test'), machine);
  return { reachedBy: points.flatMap(({ hosts }) => hosts), certified: certificateHosts(points, machine) };
}

const roles = 'roles: [{name: inter-router}], tlsCredentials: own';

for (const [what, spec, reachedBy] of [
  ['nothing', `{${roles}}`, ['192.0.2.7']],
  ['this machine only', `{${roles}, accessType: local}`, ['127.0.0.1']],
  ['all addresses', `{${roles}, bindHost: 0.0.0.0}`, ['192.0.2.7']],
  ['all addresses of IPv6', `{${roles}, bindHost: "::"}`, ['192.0.2.7']],
  ['all addresses of IPv6 in brackets', `{${roles}, bindHost: "[::]"}`, ['192.0.2.7']],
  ['an address of IPv6 in brackets', `{${roles}, bindHost: "[fd00::1]"}`, ['fd00::1']],
  ['names', `{${roles}, bindHost: "[::]", subjectAlternativeNames: [west.example, "[fd00::2]"]}`, ['west.example', 'fd00::2']],
] as const) {
  test(`where others reach a site whose access says ${what}`, () => {
    const hosts = hostsOf(spec);
    assert.deepEqual(hosts.reachedBy, reachedBy);
    assert.deepEqual(hosts.certified, [...new Set([...reachedBy, '192.0.2.7', 'laptop', 'localhost'])]);
  });
}
