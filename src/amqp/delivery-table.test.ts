import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DeliveryTable } from './delivery-table.ts';

test('a table of deliveries is a map by id, whatever lives long in it', () => {
  const step = fc.record({ advance: fc.nat({ max: 700 }), keep: fc.boolean(), remove: fc.nat({ max: 40 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 0xffff_ff00), (steps, firstId) => {
      const table = new DeliveryTable<{ readonly id: number }>();
      const model = new Map<number, { readonly id: number }>();
      let id = firstId;
      for (const { advance, keep, remove } of steps) {
        id = (id + advance + 1) >>> 0;
        const delivery = { id };
        if (!model.has(id)) {
          table.add(delivery);
          model.set(id, delivery);
        }
        const oldest = [...model.keys()].slice(0, remove % 3);
        if (!keep) oldest.push(id);
        for (const gone of oldest) assert.equal(table.remove(gone), model.delete(gone));
        assert.equal(table.remove((id + 1) >>> 0), model.delete((id + 1) >>> 0));
        assert.equal(table.size, model.size);
        assert.deepEqual(
          table.ids().sort((a, b) => a - b),
          [...model.keys()].sort((a, b) => a - b),
        );
        for (const [known, value] of model) assert.equal(table.get(known), value);
      }
    }),
  );
});
