import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentAudit } from '../src/base/audit.ts';
import { formatNetwork } from '../src/cli/network-status.ts';
import type { AddressRow, ConnectionRow, RouterNodeRow } from '../src/management/operational-entities.ts';
import { formatResponse, parseResponse, respond, statusCodes } from '../src/management/management-protocol.ts';
import { judgeHealth } from '../src/site/health-rules.ts';
import { rootCauses } from '../src/site/health.ts';
import type { ReportedResource } from '../src/site/status.ts';
import { HealthMonitor } from '../src/supervisor/health-monitor.ts';
import { networkView, type NetworkSources, type NetworkView, type ServicePortRow } from '../src/supervisor/network-view.ts';
import { siteRecords } from '../src/supervisor/site-records.ts';
import { wellSite } from './checks/examples.ts';

/** Counts how often elements of lists are looked at. */
class Counter {
  looks = 0;

  list<Element>(elements: readonly Element[]): readonly Element[] {
    return new Proxy(elements, {
      get: (target, key): unknown => {
        if (typeof key === 'string' && /^\d+$/.test(key)) this.looks++;
        return Reflect.get(target, key);
      },
    });
  }
}

function id(index: number): string {
  return `site-${index}`;
}

/** A network of so many sites, twice as many services, and a router in it with links and ports of its own in proportion. */
function sources(size: number, counter: Counter): NetworkSources {
  const isLinked = (index: number): boolean => index % 5 === 1;
  const nodes = Array.from({ length: size }, (_, index): RouterNodeRow => {
    const peers = new Set([(index + 1) % size, (index + size - 1) % size, (index * 7) % size]);
    if (isLinked(index)) peers.add(0);
    if (index === 0) for (let other = 1; other < size; other++) if (isLinked(other)) peers.add(other);
    peers.delete(index);
    return {
      id: id(index),
      nextHop: null,
      cost: index === 0 ? 0 : 1,
      instance: 1,
      linkState: Object.fromEntries([...peers].map((peer) => [id(peer), 1])),
      signed: true,
      trust: 'signed',
      advertise: null,
      consume: null,
      site: { name: id(index), version: '1', listeners: [`service-${index}`, `service-${index + size}`], types: [`http service-${index}`] },
    };
  });
  const addresses = Array.from({ length: 2 * size }, (_, index): AddressRow => {
    const remoteRouters = [id(index % size), id((index * 3 + 1) % size)].filter((router) => router !== id(0));
    return {
      key: `Mservice-${index}`,
      name: `service-${index}`,
      distribution: 'balanced',
      subscriberCount: 0,
      remoteRouters,
      outstanding: 0,
    };
  });
  const connections = nodes
    .filter((_, index) => isLinked(index))
    .map((node, index): ConnectionRow => ({
      identity: String(index),
      container: node.id,
      role: 'inter-router',
      direction: 'out',
      host: '',
      owner: `link-${index}`,
      tlsVersion: null,
      user: null,
      uptimeSeconds: 0,
    }));
  const ports = Array.from({ length: size }, (_, index): ServicePortRow => ({
    name: `port-${index}`,
    address: `service-${index}`,
    host: '127.0.0.1',
    port: 1,
    boundPort: 1,
  }));
  return {
    networkId: 'n',
    nodes: counter.list(nodes),
    addresses: counter.list(addresses),
    connections: counter.list(connections),
    ports: counter.list(ports),
    types: new Map(),
    listenerKeys: new Map(),
  };
}

function counted(view: NetworkView, counter: Counter): NetworkView {
  return { ...view, sites: counter.list(view.sites), links: counter.list(view.links), services: counter.list(view.services) };
}

/** How often elements are looked at when a network of this size is seen, judged, told and drawn. */
function looks(size: number): Readonly<Record<string, number>> {
  const counter = new Counter();
  const found: Record<string, number> = {};
  const measure = <Result>(what: string, work: () => Result): Result => {
    counter.looks = 0;
    const result = work();
    found[what] = counter.looks;
    return result;
  };
  const given = sources(size, counter);
  const view = measure('view', () => networkView(given));
  assert.deepEqual([view.sites.length, view.services.length], [size, 2 * size]);
  const seen = counted(view, counter);
  measure('records', () => siteRecords(seen, []));
  measure('drawing', () => formatNetwork(seen));
  measure('one-sided links', () => new HealthMonitor(silentAudit, () => 0).oneSidedLinks(seen.sites));
  return found;
}

test('what it takes to tell of a network grows as the network does, and not with its square', () => {
  const [small, large] = [looks(250), looks(1000)];
  for (const [what, count] of Object.entries(large)) {
    const least = small[what] ?? 0;
    assert.ok(least > 0, what);
    assert.ok(count <= 5 * least, `${what}: ${count} looks for four times what took ${least}`);
  }
});

test('an answer about 1,000 sites with 2,000 services goes over the socket whole', () => {
  const view = networkView(sources(1000, new Counter()));
  const line = formatResponse(respond(1, statusCodes.ok, view));
  assert.ok(Buffer.byteLength(line) > 1024 * 1024);
  const response = parseResponse(line);
  assert.equal(response?.statusCode, 200);
  assert.deepEqual(response.body, JSON.parse(JSON.stringify(view)));
});

test('thousands of resources that fail are judged by their number, and told by a hundred', () => {
  const failing = (size: number): number => {
    const counter = new Counter();
    const resources = Array.from({ length: size }, (_, index): unknown => ({
      kind: 'Listener',
      apiVersion: 'skupper.io/v2alpha1',
      metadata: { name: `listener-${index}` },
      spec: { routingKey: `service-${index}`, host: '127.0.0.1', port: 1 },
      status: {
        status: 'Error',
        message: 'in use',
        conditions: [{ type: 'Configured', status: 'False', reason: 'Error', message: 'in use', lastTransitionTime: '' }],
      },
    })) as readonly ReportedResource[];
    const services = Array.from({ length: size }, (_, index) => ({
      routingKey: `service-${index}`,
      connectors: 1,
      localListeners: 1,
      types: ['tcp'],
      isOwn: true,
    }));
    const roots = rootCauses(judgeHealth({ ...wellSite, resources: counter.list(resources), services: counter.list(services) }));
    assert.equal(roots.length, 101);
    assert.match(roots.map(({ warning }) => warning.text).join(), new RegExp(`${size - 100} more resources of the site have no effect`));
    return counter.looks;
  };
  assert.ok(failing(2000) <= 5 * failing(500));
});
