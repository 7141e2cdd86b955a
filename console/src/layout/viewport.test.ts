import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fitted, keptInView, largestScale, nextInDirection, smallestScale, zoomed } from './viewport.ts';

test('a fitted box lies inside of the margins', () => {
  const number = fc.integer({ min: -2000, max: 2000 });
  const size = { width: 800, height: 500 };
  fc.assert(
    fc.property(number, number, fc.nat(4000), fc.nat(4000), (x, y, width, height) => {
      const view = fitted({ x, y, width, height }, size, { width: 90, height: 40 });
      assert.ok(x * view.scale + view.x >= 89.9 && (x + width) * view.scale + view.x <= 710.1);
      assert.ok(y * view.scale + view.y >= 39.9 && (y + height) * view.scale + view.y <= 460.1);
    }),
  );
});

test('zooming keeps the point under the pointer, within its limits', () => {
  const view = { scale: 0.5, x: 40, y: -20 };
  const at = { x: 300, y: 200 };
  const next = zoomed(view, 1.7, at);
  assert.ok(Math.abs((at.x - next.x) / next.scale - (at.x - view.x) / view.scale) < 1e-9);
  assert.equal(zoomed(view, 1e6, at).scale, largestScale);
  assert.equal(zoomed(view, 1e-6, at).scale, smallestScale);
});

test('the map cannot be moved out of sight', () => {
  const bounds = { x: -100, y: -50, width: 200, height: 100 };
  const size = { width: 800, height: 500 };
  assert.deepEqual(keptInView({ scale: 1, x: 5000, y: -5000 }, bounds, size), { scale: 1, x: 820, y: 30 });
  assert.deepEqual(keptInView({ scale: 1, x: 400, y: 250 }, bounds, size), { scale: 1, x: 400, y: 250 });
});

test('arrow keys go to the nearest site that way', () => {
  const sites = [
    { id: 'right', x: 100, y: 30 },
    { id: 'far right', x: 300, y: 0 },
    { id: 'down', x: 10, y: 80 },
  ];
  assert.equal(nextInDirection({ x: 0, y: 0 }, sites, 1, 0)?.id, 'right');
  assert.equal(nextInDirection({ x: 0, y: 0 }, sites, 0, 1)?.id, 'down');
  assert.equal(nextInDirection({ x: 0, y: 0 }, sites, -1, 0), null);
});
