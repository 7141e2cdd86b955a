import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress } from './address.ts';

const cases: readonly (readonly [text: string, key: string])[] = [
  ['backend', 'Mbackend'],
  ['backend.', 'Mbackend'],
  ['backend/', 'Mbackend'],
  ['backend..', 'Mbackend.'],
  ['/backend', 'Mbackend'],
  ['amqp:backend', 'Mbackend'],
  ['amqp:/backend', 'Mbackend'],
  ['amqp://host:5672/backend/v1', 'Mbackend/v1'],
  ['amqps://host/backend', 'Mbackend'],
  ['//host/backend', 'Mbackend'],
  ['//host', 'M'],
  ['', 'M'],
  ['/', 'M'],
  ['_backend', 'M_backend'],
  ['_local/qdhello', 'Lqdhello'],
  ['amqp:/_local/qdhello', 'Lqdhello'],
  ['_topo/all/qdrouter', 'Tqdrouter'],
  ['_topo/0/all/qdrouter.ma', 'Tqdrouter.ma'],
  ['amqp:/_topo/0/me/temp.x', 'Ltemp.x'],
  ['amqp:/_topo/0/other/temp.x', 'Rother'],
  ['_topo/0/other', 'Rother'],
  ['_topo/0/me', 'Rme'],
  ['_topo/x', 'M_topo/x'],
  ['_edge/leaf/temp.y', 'Hleaf'],
  ['_edge/leaf', 'Hleaf'],
  ['_edge/me/temp.y', 'Ltemp.y'],
];

for (const [text, key] of cases) {
  test(`'${text}' is ${key}`, () => {
    const parsed = parseAddress(text, 'me');
    assert.equal(parsed.key, key);
    assert.equal(parsed.addressClass + parsed.name, key);
  });
}

test('any text is an address of some kind', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^(amqp:)?\/{0,2}(_topo|_local|_edge|x)?[/a0.]{0,12}$/), (text) => {
      const { addressClass, key, name } = parseAddress(text, 'a');
      assert.equal(key, addressClass + name);
      assert.ok(text.includes(name));
    }),
  );
});
