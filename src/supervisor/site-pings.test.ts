import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LineStream } from '../host/line-server.ts';
import { connectorYaml, freePort, TestSites, until } from './site-fixtures.test.ts';
import { handleSiteRequest } from './site-requests.ts';
import type { PingBody, PingReported, PingServers } from './site-pings.ts';
import type { SiteSupervisor } from './site-supervisor.ts';

/** A client of a site's socket that keeps what it is sent. */
class TestClient implements LineStream {
  readonly #closing = new AbortController();
  readonly bodies: PingBody[] = [];
  ended = '';

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  send(text: string): boolean {
    this.bodies.push((JSON.parse(text) as { body: PingBody }).body);
    return true;
  }

  endWith(text: string): void {
    this.ended = text;
  }

  close(): void {
    this.#closing.abort();
  }

  get isDone(): boolean {
    return this.bodies.at(-1)?.type === 'done';
  }
}

async function ping(site: SiteSupervisor, attributes: Readonly<Record<string, unknown>>, client = new TestClient()): Promise<TestClient> {
  const request = { id: 1, operation: 'PING', type: '', attributes: new Map(Object.entries(attributes)) };
  const response = await handleSiteRequest({ supervisor: site, version: '0', stop: () => undefined }, request, client);
  assert.equal(response.statusCode, 200, response.statusDescription);
  return client;
}

async function joined(issuer: SiteSupervisor, site: SiteSupervisor, consume?: readonly string[]): Promise<void> {
  const { token } = await issuer.issueToken(consume === undefined ? {} : { consume });
  await site.redeem(token, 'token.yaml', {});
  await until('the link is up', () => issuer.network()?.sites.some(({ name }) => name === site.siteName) === true);
}

test('every member may ping every site, and hears of servers only of services that it may use', async () => {
  await using sites = await TestSites.create();
  const hub = await sites.start('hub', await freePort());
  const west = await sites.start('west');
  const poor = await sites.start('poor');
  await joined(hub, west);
  await joined(hub, poor, ['other']);
  await west.apply(connectorYaml('backend', await sites.echoServer()), 'west.yaml');
  const knows = (site: SiteSupervisor): boolean => site.network()?.services.some(({ connectors }) => connectors.length === 1) === true;
  await until('all know the service', () => knows(hub) && knows(poor));
  const attributes = { target: 'backend', count: 1, timeoutMs: 5000 };
  for (const [site, reason] of [
    [hub, ''],
    [poor, 'the site that asks may not use the address'],
  ] as const) {
    const client = await ping(site, attributes);
    await until('all is told', () => client.isDone);
    const answer = client.bodies.find((body): body is PingReported => body.type === 'answer');
    assert.deepEqual([answer?.name, answer?.outcome], ['west', 'answered']);
    const servers = client.bodies.find((body): body is PingServers => body.type === 'servers');
    assert.equal(servers?.reason, reason);
    assert.equal(servers.servers.length, reason === '' ? 1 : 0);
  }
});

test('a ping ends with its client and with the site', async () => {
  await using sites = await TestSites.create();
  const alone = await sites.start('alone');
  await until('it runs', () => alone.network() !== undefined);
  const gone = await ping(alone, { target: 'alone', count: 1000, intervalMs: 100 });
  await until('it is answered', () => gone.bodies.length > 1);
  gone.close();
  const told = gone.bodies.length;
  const cut = await ping(alone, { target: 'alone', count: 1000, intervalMs: 100 });
  await until('it is answered', () => cut.bodies.length > 2);
  assert.equal(gone.bodies.length, told);
  await sites.stop(alone);
  assert.match(cut.ended, /the site is shutting down/);
});
