import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RouterIndex } from './router-index.ts';

describe('router index', () => {
  it('gives dense numbers in the order of first mention', () => {
    const index = new RouterIndex();
    assert.equal(index.indexOf('b'), 0);
    assert.equal(index.indexOf('a'), 1);
    assert.equal(index.indexOf('b'), 0);
    assert.equal(index.size, 2);
    assert.equal(index.find('a'), 1);
    assert.equal(index.find('c'), -1);
    assert.equal(index.size, 2);
    assert.equal(index.idOf(1), 'a');
    assert.throws(() => index.idOf(2), /bug/);
  });

  it('ranks routers by id, also those that come later', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.string({ maxLength: 4 }), { maxLength: 8 }), { maxLength: 8 }), (batches) => {
        const index = new RouterIndex();
        for (const batch of batches) {
          for (const id of batch) index.indexOf(id);
          const ids = Array.from({ length: index.size }, (_, at) => index.idOf(at));
          const sorted = ids.toSorted();
          assert.deepEqual(
            ids.map((_, at) => index.rank(at)),
            ids.map((id) => sorted.indexOf(id)),
          );
        }
      }),
    );
  });
});
