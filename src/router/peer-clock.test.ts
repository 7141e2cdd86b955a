import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditEvent } from '../base/audit.ts';
import type { Clock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { parseRouterConfiguration } from '../management/router-configuration.ts';
import type { RoutingEvent } from '../routing/events.ts';
import { Router } from './router.ts';
import { auditedEvent } from './routing-audit.ts';

function makeRouter(id: string, clock: Clock, entities: readonly unknown[], audit?: (event: AuditEvent) => void): Router {
  const configuration = parseRouterConfiguration(JSON.stringify([['router', { id, mode: 'interior' }], ...entities]), id);
  return new Router(configuration, {
    clock,
    random: processRandom(),
    log: silentLogger,
    version: '0',
    ...(audit === undefined ? {} : { audit: { record: audit } }),
  });
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`did not come: ${what}`);
    await sleep(5);
  }
}

test('both ends of a link learn the clock of the other, also when an own clock is set later', async () => {
  const hourMs = 3_600_000;
  let aheadMs = hourMs;
  const ahead: Clock = { nowMs: () => processClock.nowMs(), wallMs: () => processClock.wallMs() + aheadMs };
  await using alpha = makeRouter('alpha', processClock, [['listener', { name: 'in', host: '127.0.0.1', port: 0, role: 'inter-router' }]]);
  await alpha.start();
  const port = alpha.listener('in')?.state.boundPort ?? 0;
  await using beta = makeRouter('beta', ahead, [['connector', { name: 'out', host: '127.0.0.1', port, role: 'inter-router' }]]);
  await beta.start();
  await until('the link is up', () => [alpha, beta].every(({ links }) => links.some((link) => link.neighbour.isUp)));
  const differenceMs = (router: Router, clock: Clock): number => {
    const told = router.links[0]?.peerClock;
    assert.ok(told !== undefined && told.uncertaintyMs < 10_000);
    return told.offsetMs + clock.nowMs() - clock.wallMs();
  };
  assert.ok(Math.abs(differenceMs(alpha, processClock) - hourMs) < 10_000);
  assert.ok(Math.abs(differenceMs(beta, ahead) + hourMs) < 10_000);
  aheadMs = 0;
  assert.ok(Math.abs(differenceMs(beta, ahead)) < 10_000);
});

test('what concerns security becomes an event of the audit log, and nothing else does', () => {
  const events: readonly (readonly [RoutingEvent, string | undefined])[] = [
    [{ type: 'violation', routerId: 'x', link: 1, reason: 'forged record' }, 'recordRefused'],
    [{ type: 'spoofRefused', routerId: 'x', link: 1, opcode: 'LSU', count: 1 }, 'recordRefused'],
    [{ type: 'credentialRefused', routerId: 'x' }, 'recordRefused'],
    [{ type: 'grantViolation', routerId: 'x', siteName: 's', address: 'a', right: 'consume' }, 'grantViolation'],
    [{ type: 'unsignedRefused', routerId: 'x', link: 1, isNeighbour: true }, 'unsignedRefused'],
    [{ type: 'identityConflict', routerId: 'x', nonce: '1', otherNonce: '2' }, 'identityConflict'],
    [{ type: 'duplicateRouterId', routerId: 'x', link: 1, instance: 1 }, 'identityConflict'],
    [{ type: 'doubleRouter', routerId: 'x', instance: 1, other: 2 }, 'identityConflict'],
    [{ type: 'fenced', routerId: 'x', reason: 'lower' }, 'fenced'],
    [{ type: 'routerForgotten', routerId: 'x' }, undefined],
    [{ type: 'neighbourUp', routerId: 'x', link: 1, cost: 1 }, undefined],
  ];
  for (const [event, name] of events) assert.equal(auditedEvent(event)?.event, name);
  assert.deepEqual(auditedEvent({ type: 'grantViolation', routerId: 'x', siteName: 's', address: 'a', right: 'consume' })?.fields, {
    router: 'x',
    site: 's',
    address: 'a',
    right: 'consume',
  });
});

test('a router with the id of another is an event of the audit log', async () => {
  const events: AuditEvent[] = [];
  await using alpha = makeRouter(
    'alpha',
    processClock,
    [['listener', { name: 'in', host: '127.0.0.1', port: 0, role: 'inter-router' }]],
    (event) => events.push(event),
  );
  await alpha.start();
  const port = alpha.listener('in')?.state.boundPort ?? 0;
  // A connection that is no router's is not worth an event: anybody can make one.
  const stranger = connect(port, '127.0.0.1');
  await once(stranger, 'connect');
  stranger.end('hello');
  await once(stranger, 'close');
  assert.equal(events.length, 0);
  await using _twin = makeRouter('alpha', processClock, [['connector', { name: 'out', host: '127.0.0.1', port, role: 'inter-router' }]]);
  await _twin.start();
  await until('the event', () => events.length > 0);
  assert.equal(events[0]?.event, 'identityConflict');
});
