import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyChange, ChangeRefused, createdEntity, updatedEntity, type ConfigurationChange } from './configuration-change.ts';
import type { RouterConfiguration } from './entities.ts';
import { parseRouterConfiguration } from './router-configuration.ts';

const start: RouterConfiguration = parseRouterConfiguration(
  `[["router", {"id": "west", "mode": "interior"}],
    ["sslProfile", {"name": "links", "ordinal": 1}],
    ["listener", {"name": "in", "port": 1, "role": "inter-router", "sslProfile": "links"}],
    ["tcpListener", {"name": "many", "port": 2, "multiAddressStrategy": "priority"}],
    ["listenerAddress", {"name": "many/a", "address": "a", "value": 1, "listener": "many"}]]`,
  'start',
);

function refusal(statusCode: number, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ChangeRefused);
    assert.match(error.message, message);
    assert.equal(error.statusCode, statusCode);
    return true;
  };
}

test('creates, updates and deletes', () => {
  const entity = createdEntity('tcpConnector', 'backend', { address: 'backend', port: '8081' });
  const created = applyChange(start, { operation: 'CREATE', entity });
  assert.deepEqual(created.tcpConnectors, [{ type: 'tcpConnector', name: 'backend', address: 'backend', host: '127.0.0.1', port: 8081 }]);
  assert.deepEqual(applyChange(created, { operation: 'DELETE', type: 'tcpConnector', name: 'backend' }), start);
  const [profile] = start.sslProfiles;
  assert.ok(profile);
  const updated = applyChange(start, { operation: 'UPDATE', entity: updatedEntity(profile, new Map([['ordinal', 2]])) });
  assert.equal(updated.sslProfiles[0]?.ordinal, 2);
});

const refusedChanges: readonly (readonly [ConfigurationChange, number, RegExp])[] = [
  [{ operation: 'DELETE', type: 'router', name: 'router/west' }, 403, /cannot be deleted/],
  [{ operation: 'CREATE', entity: start.router }, 403, /cannot be created/],
  [{ operation: 'DELETE', type: 'tcpConnector', name: 'nobody' }, 404, /'nobody' does not exist/],
  [{ operation: 'DELETE', type: 'sslProfile', name: 'links' }, 400, /used by listener 'in'/],
  [{ operation: 'DELETE', type: 'tcpListener', name: 'many' }, 400, /used by listenerAddress 'many\/a'/],
  [
    { operation: 'CREATE', entity: createdEntity('listener', 'in', { port: 7, role: 'inter-router' }) },
    400,
    /already used by another listener/,
  ],
  [
    { operation: 'CREATE', entity: createdEntity('listener', 'x', { sslProfile: 'none', role: 'inter-router' }) },
    400,
    /sslProfile 'none' does not exist/,
  ],
  [
    { operation: 'UPDATE', entity: createdEntity('listener', 'in', { port: 7, role: 'inter-router' }) },
    400,
    /'sslProfile' of listener cannot be changed/,
  ],
];

for (const [change, statusCode, message] of refusedChanges) {
  test(`refuses ${change.operation} with ${String(message)}`, () => {
    assert.throws(() => applyChange(start, change), refusal(statusCode, message));
  });
}

test('refuses requests that say too little, too much or two things', () => {
  assert.throws(() => createdEntity('tcpConnector', 'x', { address: 'a' }), refusal(400, /'port' is required/));
  assert.throws(() => createdEntity('tcpConnector', 'x', { address: 'a', port: 0 }), refusal(400, /^attribute 'port' must be/));
  assert.throws(() => createdEntity('tcpConnector', 'x', { name: 'y' }), refusal(400, /both 'x' and 'y'/));
  const [listener] = start.listeners;
  assert.ok(listener);
  assert.throws(() => updatedEntity(listener, new Map([['cost', 9]])), refusal(400, /'cost' of listener cannot be changed/));
});
