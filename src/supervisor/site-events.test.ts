import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LineStream } from '../host/line-server.ts';
import type { ManagementResponse } from '../management/management-protocol.ts';
import { maxEventBodyBytes } from '../services/events/event-message.ts';
import type { SiteSupervisor } from './site-supervisor.ts';
import { ask, freePort, TestSites, until } from './site-fixtures.test.ts';
import type { PublishedEvent, ReceivedEvent } from './site-events.ts';

/** A client of the site's socket, and what it is sent. */
class Client implements LineStream {
  readonly #closing = new AbortController();
  readonly lines: string[] = [];
  /** Whether it reads what it is sent. */
  isReading = true;
  last: string | undefined;

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  send(text: string): boolean {
    if (this.isReading) this.lines.push(text);
    return this.isReading;
  }

  endWith(text: string): void {
    this.last = text;
    this.close();
  }

  close(): void {
    this.#closing.abort();
  }

  get bodies(): string[] {
    return this.lines.map((line) => {
      const { body } = JSON.parse(line) as { body: ReceivedEvent };
      return Buffer.from(body.body, 'base64').toString();
    });
  }
}

function subscribe(site: SiteSupervisor, address: string): Client {
  const client = new Client();
  site.events.subscribe(address, { id: 7, operation: 'SUBSCRIBE', type: '', attributes: new Map() }, client);
  return client;
}

async function publish(site: SiteSupervisor, address: string, text: string, more: object = {}): Promise<PublishedEvent> {
  const { statusCode, statusDescription, body } = await ask(site, 'PUBLISH', {
    address,
    body: Buffer.from(text).toString('base64'),
    ...more,
  });
  assert.equal(statusCode, 200, statusDescription);
  return body as PublishedEvent;
}

test('a subscriber that does not read is cut off with the reason, and the others go on', async () => {
  await using sites = await TestSites.create();
  const site = await sites.start('west');
  const [slow, other] = [subscribe(site, 'mc/news'), subscribe(site, 'mc/news')];
  const first = await publish(site, 'mc/news', 'one');
  assert.deepEqual(first, { outcome: 'accepted', subscribers: 2, sites: 1, reason: null });
  slow.isReading = false;
  assert.equal((await publish(site, 'mc/news', 'two')).subscribers, 1);
  await until('it is cut off', () => slow.last !== undefined);
  const { id, statusCode, body } = JSON.parse(slow.last ?? '') as ManagementResponse;
  assert.deepEqual([id, statusCode >= 400, (body as { code: string }).code], [7, true, 'slow-subscriber']);
  assert.equal((await publish(site, 'mc/news', 'three')).subscribers, 1);
  assert.deepEqual([slow.bodies, other.bodies], [['one'], ['one', 'two', 'three']]);
  other.close();
  assert.equal((await publish(site, 'mc/news', 'four')).outcome, 'released');
  const last = subscribe(site, 'mc/news');
  await sites.stop(site);
  assert.match(last.last ?? '', /the site is shutting down/);
});

test('subscriptions, bodies and requests have limits', async () => {
  await using sites = await TestSites.create();
  const site = await sites.start('west');
  const clients = Array.from({ length: 32 }, () => subscribe(site, 'queue'));
  assert.throws(() => subscribe(site, 'queue'), { code: 'too-many-subscriptions' });
  clients[0].close();
  subscribe(site, 'queue');
  const longest = 'x'.repeat(maxEventBodyBytes);
  assert.equal((await publish(site, 'queue', longest)).subscribers, 1);
  const whole = clients.flatMap(({ bodies }) => bodies);
  assert.ok(whole.length <= 1 && whole.every((body) => body === longest));
  const tooLong = await ask(site, 'PUBLISH', { address: 'queue', body: Buffer.from(`${longest}x`).toString('base64') });
  assert.deepEqual([tooLong.statusCode, (tooLong.body as { code: string }).code], [400, 'input-too-long']);
  for (const attributes of [
    { body: '' },
    { address: '', body: '' },
    { address: 'queue', body: '', waitFor: -1 },
    { address: 'a', body: '', timeoutMs: 0 },
  ]) {
    assert.equal((await ask(site, 'PUBLISH', attributes)).statusCode, 400);
  }
  const few = await ask(site, 'PUBLISH', { address: 'queue', body: '', waitFor: 2, timeoutMs: 100 });
  assert.equal((few.body as { code: string }).code, 'too-few-subscribers');
});

test('a site publishes and subscribes within its grants', async () => {
  await using sites = await TestSites.create();
  const west = await sites.start('west', await freePort());
  const east = await sites.start('east');
  const { token } = await west.issueToken({ advertise: ['news'], consume: ['orders'] });
  await east.redeem(token, 'token', {});
  await until('they are linked', () => (east.network()?.sites.length ?? 0) === 2);
  const client = subscribe(east, 'news');
  assert.throws(() => subscribe(east, 'orders'), { code: 'not-granted' });
  assert.equal((await publish(west, 'news', 'hello', { waitFor: 1 })).subscribers, 1);
  assert.deepEqual(client.bodies, ['hello']);
  const { body } = await ask(east, 'PUBLISH', { address: 'news', body: '' });
  assert.equal((body as { code: string }).code, 'not-granted');
  const orders = subscribe(west, 'orders');
  assert.equal((await publish(east, 'orders', 'an order', { waitFor: 1 })).subscribers, 1);
  assert.deepEqual(orders.bodies, ['an order']);
});
