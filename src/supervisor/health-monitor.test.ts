import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AuditEvent } from '../base/audit.ts';
import type { RoutingEvent } from '../routing/events.ts';
import type { SeenSite } from '../site/health-observation.ts';
import { HealthMonitor } from './health-monitor.ts';
import { noteStart } from './start-record.ts';

const minuteMs = 60_000;

function monitored(): { monitor: HealthMonitor; at: (nowMs: number) => void; passed: AuditEvent[]; tell: (event: RoutingEvent) => void } {
  let nowMs = 0;
  const passed: AuditEvent[] = [];
  const monitor = new HealthMonitor({ record: (event) => void passed.push(event) }, () => nowMs);
  const tell = (event: RoutingEvent): void => monitor.routingEvent(event, (routerId) => routerId.toUpperCase(), nowMs);
  return { monitor, at: (ms) => (nowMs = ms), passed, tell };
}

test('losses of a neighbour count for ten minutes', () => {
  const { monitor, at, tell } = monitored();
  for (let minute = 0; minute < 4; minute++) {
    at(minute * 4 * minuteMs);
    tell({ type: 'neighbourDown', routerId: 'west-1', link: minute, reason: 'link lost' });
  }
  assert.deepEqual(monitor.losses, [{ routerId: 'west-1', name: 'WEST-1', count: 3 }]);
  at(30 * minuteMs);
  assert.deepEqual(monitor.losses, []);
});

test('a site that cannot be reached is told for an hour, or until it can', () => {
  const { monitor, at, tell } = monitored();
  tell({ type: 'routerUnreachable', routerId: 'west-1' });
  tell({ type: 'routerUnreachable', routerId: 'north-1' });
  tell({ type: 'routerReachable', routerId: 'west-1', cost: 1, hops: 1, nextHop: 'west-1' });
  assert.deepEqual(monitor.lost, [{ routerId: 'north-1', name: 'NORTH-1', lastSeenMs: 0 }]);
  at(61 * minuteMs);
  assert.deepEqual(monitor.lost, []);
});

test('limits and quotas are told by name', () => {
  const { monitor, tell } = monitored();
  tell({ type: 'limitReached', limit: 'routers', routerId: 'x', count: 1 });
  tell({ type: 'limitReached', limit: 'routers', routerId: 'x', count: 2 });
  tell({ type: 'originOverQuota', routerId: 'x', quota: 'bytes', count: 1 });
  assert.deepEqual(monitor.limits, [
    { limit: 'routers', count: 2 },
    { limit: 'bytes of X', count: 1 },
  ]);
});

test('events of the audit log are passed on, and those that matter are told for a while', () => {
  const { monitor, at, passed } = monitored();
  monitor.record({ event: 'configurationChanged', fields: { kind: 'Listener' } });
  monitor.record({ event: 'grantViolation', fields: { router: 'x', address: 'db' } });
  monitor.record({ event: 'linkRefused', fields: { from: '192.0.2.1', reason: 'no certificate' } });
  monitor.record({ event: 'linkRefused', fields: { from: '192.0.2.1', reason: 'no certificate' } });
  assert.equal(passed.length, 4);
  assert.deepEqual(monitor.events, [
    { kind: 'grant-violation', about: 'x', count: 1, evidence: 'address db' },
    { kind: 'link-refused', about: '192.0.2.1', count: 2, evidence: 'reason no certificate' },
  ]);
  at(11 * minuteMs);
  assert.deepEqual(monitor.events, []);
});

test('however many peers misbehave, a bounded number is remembered', () => {
  const { monitor, tell } = monitored();
  for (let index = 0; index < 1000; index++) {
    monitor.record({ event: 'linkRefused', fields: { from: String(index) } });
    tell({ type: 'routerUnreachable', routerId: String(index) });
    tell({ type: 'neighbourDown', routerId: String(index), link: index, reason: 'silent' });
  }
  for (const list of [monitor.events, monitor.lost, monitor.losses]) assert.equal(list.length, 256);
  for (let index = 0; index < 1000; index++) tell({ type: 'neighbourDown', routerId: 'one', link: index, reason: 'silent' });
  assert.ok((monitor.losses.at(-1)?.count ?? 0) <= 64);
});

test('a link that one end reports is remembered until the other does', () => {
  const { monitor, at } = monitored();
  const site = (routerId: string, peers: readonly string[]): SeenSite => ({
    routerId,
    name: routerId,
    version: null,
    relation: 'direct',
    signed: true,
    peers: peers.map((peer) => ({ routerId: peer, name: peer })),
  });
  const half = [site('a', ['b', 'unknown']), site('b', [])];
  assert.deepEqual(monitor.oneSidedLinks(half), [{ from: 'a', to: 'b', sinceMs: 0 }]);
  at(7000);
  assert.deepEqual(monitor.oneSidedLinks(half), [{ from: 'a', to: 'b', sinceMs: 7000 }]);
  assert.deepEqual(monitor.oneSidedLinks([site('a', ['b']), site('b', ['a'])]), []);
  assert.deepEqual(monitor.oneSidedLinks(half), [{ from: 'a', to: 'b', sinceMs: 0 }]);
});

test('a new router is not fenced any more', () => {
  const { monitor, tell } = monitored();
  tell({ type: 'fenced', routerId: 'x', reason: 'lower nonce' });
  assert.equal(monitor.isFenced, true);
  monitor.routerReplaced();
  assert.equal(monitor.isFenced, false);
});

test('starts count when the process before left its process id behind, and for an hour', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'starts-'));
  try {
    const layout = { pidFile: join(folder, 'pid'), startsFile: join(folder, 'starts.json') };
    assert.equal(await noteStart(layout, 0), 0);
    await writeFile(layout.pidFile, '1\n');
    assert.equal(await noteStart(layout, 1000), 1);
    assert.equal(await noteStart(layout, 2000), 2);
    assert.equal(await noteStart(layout, 1000 + 60 * minuteMs), 2);
    await rm(layout.pidFile);
    assert.equal(await noteStart(layout, 2000 + 60 * minuteMs), 1);
    await writeFile(layout.startsFile, '{');
    assert.equal(await noteStart(layout, 3000), 0);
  } finally {
    await rm(folder, { recursive: true });
  }
});
