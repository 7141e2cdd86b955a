import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RequestRow } from '../../../src/flows/network-snapshot.ts';
import { addRequests, liveRequestLimit } from './console-state.ts';
import { pageNames, parseRoute, routeFragment } from './route.ts';
import { Store } from './store.ts';

test('an address leads back to the same page with the same parameters', () => {
  const parameters = fc.dictionary(
    fc.string({ minLength: 1, unit: 'grapheme', maxLength: 12 }),
    fc.string({ minLength: 1, unit: 'grapheme', maxLength: 40 }),
    { maxKeys: 4, noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.constantFrom(...pageNames), parameters, (page, given) => {
      const route = { page, parameters: given };
      if (given['__proto__'] === undefined) assert.deepEqual(parseRoute(routeFragment(route)), route);
    }),
  );
  assert.deepEqual(parseRoute('#/nowhere'), { page: 'topology', parameters: {} });
  assert.deepEqual(parseRoute(''), { page: 'topology', parameters: {} });
});

test('live requests: one row each, the newest state, the oldest leave', () => {
  const row = (id: number, ended = true): RequestRow => ({ id: `x:${id}`, ended }) as RequestRow;
  const rows = addRequests(addRequests([], [row(1, false), row(2)]), [row(1)]);
  assert.deepEqual(
    rows.map(({ id, ended }) => [id, ended]),
    [
      ['x:1', true],
      ['x:2', true],
    ],
  );
  const many = addRequests(
    rows,
    Array.from({ length: liveRequestLimit + 10 }, (_, index) => row(index + 100)),
  );
  assert.equal(many.length, liveRequestLimit);
  assert.equal(many.at(-1)?.id, `x:${liveRequestLimit + 109}`);
});

test('a store tells each change until nobody listens any more', () => {
  const store = new Store({ a: 1, b: 2 });
  let told = 0;
  const end = store.subscribe(() => (told += 1));
  store.update({ a: 3 });
  end();
  store.update({ a: 4 });
  assert.deepEqual(store.state, { a: 4, b: 2 });
  assert.equal(told, 1);
});
