import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kind } from '../site/resource-types.ts';
import type { ShownResource } from './site-session.ts';
import { hasReached } from './wait-for-resources.ts';

function resource(kind: Kind, status: string, conditions: Readonly<Record<string, boolean>>): ShownResource {
  const list = Object.entries(conditions).map(([type, value]) => ({
    type,
    status: value ? 'True' : 'False',
    reason: value ? 'Ready' : 'Pending',
    message: '',
  }));
  return { kind, metadata: { name: 'x' }, spec: {}, status: { status, message: '', conditions: list } };
}

test('a listener is configured before anybody offers its service', () => {
  const listener = resource('Listener', 'Pending', { Configured: true, Matched: false });
  assert.equal(hasReached(listener, 'none'), true);
  assert.equal(hasReached(listener, 'configured'), true);
  assert.equal(hasReached(listener, 'ready'), false);
  assert.equal(hasReached(resource('Listener', 'Ready', { Configured: true, Matched: true }), 'ready'), true);
  assert.equal(hasReached(resource('Listener', 'Pending', { Configured: false }), 'configured'), false);
});

test('a site has reached everything when it runs', () => {
  assert.equal(hasReached(resource('Site', 'Pending', { Configured: true, Running: true, Resolved: false }), 'ready'), true);
  assert.equal(hasReached(resource('Site', 'Pending', { Configured: true, Running: false }), 'configured'), false);
});

test('without status nothing is known to be reached', () => {
  assert.equal(hasReached({ kind: 'Link', metadata: { name: 'x' }, spec: {} }, 'configured'), false);
  assert.equal(hasReached({ kind: 'Secret', metadata: { name: 'x' }, spec: {} }, 'ready'), true);
});

test('grants and tokens have conditions of their own', () => {
  assert.equal(hasReached(resource('AccessGrant', 'Pending', { Processed: true, Resolved: false }), 'configured'), true);
  assert.equal(hasReached(resource('AccessToken', 'Pending', { Redeemed: false }), 'configured'), false);
});
