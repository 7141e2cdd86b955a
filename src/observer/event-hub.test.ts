import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/errors.ts';
import { NetworkModel } from '../flows/network-model.ts';
import { EventHub } from './event-hub.ts';
import { eventWindowMs } from './event-windows.ts';
import { startMs, TestClock, tellRequest, tellTwoSites } from './observer-fixtures.test.ts';
import type { ObserverEvent } from './rest-handler.ts';

function rig(): { hub: EventHub; model: NetworkModel; clock: TestClock; events: ObserverEvent[] } {
  const model = new NetworkModel({ nowMs: startMs });
  tellTwoSites(model);
  tellRequest(model, 'aaaaa:21', startMs);
  const clock = new TestClock();
  return { hub: new EventHub(model, clock), model, clock, events: [] };
}

test('nothing is made while nobody has subscribed', () => {
  const { hub } = rig();
  hub.request(() => assert.fail('nobody wants it'));
});

test('a subscriber gets the network at once, then again and again, and what was left out', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { hub, model, events } = rig();
  const subscription = hub.subscribe((event) => void events.push(event));
  assert.deepEqual(
    events.map(({ name }) => name),
    ['network'],
  );
  assert.equal((JSON.parse(events[0]?.json ?? '') as { sites: unknown[] }).sites.length, 2);
  model.lostMessages(3);
  t.mock.timers.tick(2000);
  assert.deepEqual(
    events.map(({ name }) => name),
    ['network', 'network', 'lost'],
  );
  assert.equal(events[2]?.json, '{"flows":3}');
  subscription[Symbol.dispose]();
  t.mock.timers.tick(10_000);
  assert.equal(events.length, 3);
});

test('requests are told at a bounded rate, and the others are counted', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { hub, model, clock, events } = rig();
  using _subscription = hub.subscribe((event) => void events.push(event));
  for (let n = 0; n < 50; n++) hub.request(() => model.request('aaaaa:21'));
  assert.equal(events.filter(({ name }) => name === 'request').length, 20);
  clock.atMs += 1000;
  hub.request(() => model.request('aaaaa:21'));
  assert.equal(events.filter(({ name }) => name === 'request').length, 21);
  t.mock.timers.tick(2000);
  assert.equal(events.at(-1)?.json, '{"flows":30}');
  assert.ok(events.every(({ json }) => !json.includes('\n')));
});

test('each reader gets the network of the window that it wants, made once for all who want the same', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { hub } = rig();
  const read = new Map<string, ObserverEvent[]>();
  for (const [name, windowMs] of [
    ['a', 10_000],
    ['b', 600_000],
    ['c', 10_000],
  ] as const) {
    const events: ObserverEvent[] = [];
    read.set(name, events);
    hub.subscribe((event) => void events.push(event), windowMs);
  }
  t.mock.timers.tick(2000);
  const windows = [...read.values()].map((events) => events.map(({ json }) => (JSON.parse(json) as { windowMs: number }).windowMs));
  assert.deepEqual(windows, [
    [10_000, 10_000],
    [600_000, 600_000],
    [10_000, 10_000],
  ]);
  assert.equal(read.get('a')?.at(-1), read.get('c')?.at(-1));
  hub[Symbol.dispose]();
});

test('windows of events are a few', () => {
  for (const [text, expected] of [
    ['', 60_000],
    ['10s', 10_000],
    ['1m', 60_000],
    ['600s', 600_000],
  ] as const) {
    assert.equal(eventWindowMs(new URLSearchParams({ window: text })), expected);
  }
  for (const text of ['11s', '1h', 'x', '-10s']) assert.throws(() => eventWindowMs(new URLSearchParams({ window: text })), InputError);
});
