import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { overlaps, type Box } from './geometry.ts';
import { allApart, placeLabels, type LabelSide, type LabelWish } from './label-places.ts';

const width = 60;
const height = 16;
const radius = 5;
const frame: Box = { x: 0, y: 0, width: 400, height: 300 };

const wishes = fc
  .uniqueArray(fc.record({ x: fc.nat(400), y: fc.nat(300), rank: fc.nat(9) }), { maxLength: 40, selector: ({ x, y }) => `${x} ${y}` })
  .map((points) =>
    points.map(({ x, y, rank }, index): LabelWish => ({
      id: `n${index}`,
      at: { x, y },
      radius,
      width,
      height,
      rank,
      isImportant: rank > 7,
    })),
  );

function boxOf({ at }: LabelWish, side: LabelSide): Box {
  const left = { below: at.x - width / 2, above: at.x - width / 2, right: at.x + radius + 2, left: at.x - radius - 2 - width }[side];
  const top = { below: at.y + radius + 2, above: at.y - radius - 2 - height, right: at.y - height / 2, left: at.y - height / 2 }[side];
  return { x: left, y: top, width, height };
}

test('no label lies on another or leaves the frame, and the label of the first in rank is there', () => {
  fc.assert(
    fc.property(wishes, (made) => {
      const places = placeLabels(made, frame);
      const boxes = made.flatMap((wish) => {
        const side = places.get(wish.id);
        return side === undefined ? [] : [boxOf(wish, side)];
      });
      for (const [index, box] of boxes.entries()) {
        assert.ok(box.x >= 0 && box.y >= 0 && box.x + width <= frame.width && box.y + height <= frame.height);
        for (const other of boxes.slice(index + 1)) assert.ok(!overlaps(box, other));
      }
    }),
  );
  const crowded = Array.from({ length: 30 }, (_, index): LabelWish => ({
    id: `n${index}`,
    at: { x: 200 + index, y: 150 },
    radius,
    width,
    height,
    rank: index,
    isImportant: index === 29,
  }));
  assert.ok(placeLabels(crowded, frame).has('n29'));
});

test('cards lie apart when no two of them overlap', () => {
  assert.equal(
    allApart(
      [
        { x: 0, y: 0 },
        { x: 100, y: 0 },
        { x: 0, y: 60 },
      ],
      90,
      50,
      5,
    ),
    true,
  );
  assert.equal(
    allApart(
      [
        { x: 0, y: 0 },
        { x: 94, y: 0 },
      ],
      90,
      50,
      5,
    ),
    false,
  );
});
