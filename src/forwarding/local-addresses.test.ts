import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Downstream, LocalConsumer } from './leg.ts';
import { LocalAddresses } from './local-addresses.ts';

function consumer(): LocalConsumer {
  return {
    deliver(): Downstream {
      throw new Error('nothing is delivered here');
    },
  };
}

function addresses(): LocalAddresses {
  let seed = 1;
  return new LocalAddresses({
    fill: (target) => {
      for (let index = 0; index < target.length; index++) target[index] = (seed = (seed * 48_271) % 2_147_483_647) & 255;
    },
    number: () => 0.5,
  });
}

test('names lead to their consumers until they are removed, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 200 }), (steps) => {
      const table = addresses();
      const held: [string, LocalConsumer][] = [];
      const gone: string[] = [];
      for (const step of steps) {
        const taken = step < 6 ? undefined : held.splice(step % Math.max(1, held.length), 1)[0];
        if (taken === undefined) {
          const one = consumer();
          held.push([table.make('temp', one), one]);
        } else {
          table.remove(taken[0]);
          gone.push(taken[0]);
        }
        assert.equal(table.size, held.length);
      }
      for (const [name, one] of held) assert.equal(table.find(name), one);
      for (const name of gone) assert.equal(table.find(name), undefined);
    }),
  );
});

test('a name is right as a whole only', () => {
  const table = addresses();
  const name = table.make('temp', consumer());
  assert.match(name, /^temp\.[\w+]{15}\.0$/);
  for (const wrong of [
    '',
    '0',
    '.0',
    'temp.0',
    name.slice(1),
    `${name}0`,
    name.replace(/.\.0$/, '.0'),
    `x${name.slice(1)}`,
    `${'1'.repeat(400)}.0`,
  ]) {
    assert.equal(table.find(wrong), undefined);
    table.remove(wrong);
  }
  assert.notEqual(table.find(name), undefined);
});

test('names that everybody knows are kept beside them', () => {
  const table = addresses();
  const [one, other] = [consumer(), consumer()];
  table.set('services', one);
  table.set('odd.7', other);
  assert.deepEqual([table.find('services'), table.find('odd.7'), table.size], [one, other, 0]);
  table.remove('odd.7');
  table.remove('services');
  assert.deepEqual([table.find('services'), table.find('odd.7')], [undefined, undefined]);
});
