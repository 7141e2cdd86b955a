import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError, WeatherError } from '../base/errors.ts';
import type { NetworkService, NetworkSite, NetworkView } from './network-view.ts';
import { likelyWay, pingTargets } from './ping-targets.ts';

function site(name: string, cost: number, peers: Readonly<Record<string, number>>): NetworkSite {
  return {
    routerId: `${name}-1`,
    name,
    namespace: null,
    platform: null,
    version: '1',
    location: null,
    relation: cost === 0 ? 'self' : 'indirect',
    nextHop: null,
    cost,
    signed: true,
    trust: 'signed',
    advertise: null,
    consume: null,
    peers: Object.entries(peers).map(([peer, peerCost]) => ({ routerId: `${peer}-1`, name: peer, cost: peerCost })),
  };
}

function service(routingKey: string, ...connectors: readonly string[]): NetworkService {
  return {
    routingKey,
    distribution: 'balanced',
    types: ['tcp'],
    connectors: connectors.map((name) => ({ routerId: `${name}-1`, name })),
    listeners: [],
    localListeners: [],
  };
}

const network: NetworkView = {
  networkId: 'n',
  routerId: 'east-1',
  sites: [
    site('east', 0, { hub: 1, far: 5 }),
    site('hub', 1, { east: 1, west: 1 }),
    site('west', 2, { hub: 1, far: 1 }),
    site('far', 3, { west: 1, east: 5 }),
  ],
  links: [],
  services: [service('backend', 'west', 'far'), service('west', 'hub'), service('lonely'), service('mc/news', 'hub')],
};

test('a name is a site, its router, or else a service', () => {
  const names = (text: string): unknown => {
    const { kind, name, sites } = pingTargets(network, text);
    return [kind, name, sites.map((one) => one.name)];
  };
  assert.deepEqual(names('west'), ['site', 'west', ['west']]);
  assert.deepEqual(names('west-1'), ['site', 'west-1', ['west']]);
  assert.deepEqual(names('service/west'), ['service', 'west', ['hub']]);
  assert.deepEqual(names('site/west'), ['site', 'west', ['west']]);
  assert.deepEqual(names('backend'), ['service', 'backend', ['west', 'far']]);
  assert.deepEqual(names('mc/news'), ['service', 'mc/news', ['hub']]);
  assert.deepEqual(names('service/mc/news'), ['service', 'mc/news', ['hub']]);
});

test('what there is not is told, with what could have been meant', () => {
  const remedyOf = (text: string): string => {
    try {
      pingTargets(network, text);
    } catch (error) {
      assert.ok(error instanceof InputError && error.code === 'unknown-target');
      return error.remedy ?? '';
    }
    return 'found';
  };
  assert.equal(remedyOf('wst'), 'did you mean west? (van network status shows all)');
  assert.equal(remedyOf('service/bakcend'), 'did you mean backend? (van network status shows all)');
  assert.equal(remedyOf('site/something-else'), 'there are east, far, hub, west');
  assert.throws(
    () => pingTargets(network, 'lonely'),
    (error) => error instanceof WeatherError && error.code === 'nobody-offers',
  );
});

test('a way follows the costs, whatever sites say of themselves', () => {
  const wayTo = (name: string): readonly string[] => {
    const target = network.sites.find((one) => one.name === name);
    assert.ok(target !== undefined);
    return likelyWay(network, target);
  };
  assert.deepEqual(wayTo('far'), ['hub-1', 'west-1', 'far-1']);
  assert.deepEqual(wayTo('east'), []);
  const odd = { ...network, sites: [site('east', 0, {}), site('loop', 2, { loop: 0 }), site('lost', 9, {})] };
  assert.equal(likelyWay(odd, odd.sites[1] as NetworkSite).length, 3);
  assert.deepEqual(likelyWay(odd, odd.sites[2] as NetworkSite), ['lost-1']);
});
