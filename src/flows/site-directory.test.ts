import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attribute, RecordType } from './record-types.ts';
import { SiteDirectory } from './site-directory.ts';

test('a router that had another id before it joined is one site: the old id goes as soon as it is silent', () => {
  const directory = new SiteDirectory('west-old');
  const old = directory.source('aaaaa:0', 0);
  directory.learn(
    old,
    new Map<number, string | number>([
      [Attribute.recordType, RecordType.router],
      [Attribute.identity, 'aaaaa:1'],
      [Attribute.name, '0/west-old'],
    ]),
  );
  old.state = 'silent';
  assert.deepEqual(directory.routerIds(), ['west-old'], 'without routing, what records told is all there is');
  const facts = {
    namespace: null,
    platform: null,
    version: null,
    location: null,
    nextHop: null,
    trust: 'signed',
    advertise: [],
    consume: [],
  };
  directory.setTopology({
    networkId: 'net',
    routerId: 'west-new',
    sites: [{ ...facts, routerId: 'west-new', name: 'west', relation: 'self', cost: 0 }],
    links: [],
    services: [],
    warnings: [],
  });
  assert.deepEqual(directory.routerIds(), ['west-new']);
  old.state = 'up';
  assert.deepEqual(directory.routerIds(), ['west-new', 'west-old'], 'one that tells records is there before routing says so');
});
