import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../base/errors.ts';
import { parseOverlayResources } from '../resources/resources.ts';
import { identityOf } from './identity.ts';
import { doesSelect, labelLimits, labelsIn, labelsProblem, labelsText } from './labels.ts';

test('a selector wants what it names, with that value, and nothing else', () => {
  assert.ok(doesSelect({}, {}));
  assert.ok(doesSelect({ app: 'web' }, { app: 'web', tier: 'a' }));
  assert.ok(!doesSelect({ app: 'web' }, { app: 'db' }));
  assert.ok(!doesSelect({ app: '' }, {}));
  assert.ok(!doesSelect({ toString: 'x' }, {}));
});

test('the order of labels does not matter, all else does', () => {
  assert.equal(labelsText({ a: '1', b: '2' }), labelsText({ b: '2', a: '1' }));
  assert.notEqual(labelsText({ a: '1,b=2' }), labelsText({ a: '1', b: '2' }));
});

test('labels that are too many or too long are refused, in resources too', () => {
  const many = Object.fromEntries(Array.from({ length: labelLimits.labels + 1 }, (_, at) => [`l${at}`, 'x']));
  const wrong = [many, { '': 'x' }, { ['n'.repeat(129)]: 'x' }, { a: 'v'.repeat(64) }, { a: 1 }];
  for (const labels of wrong) {
    assert.notEqual(labelsProblem(labels), undefined);
    assert.equal(labelsIn(labels), undefined);
    const resource = { apiVersion: 'caravan.dev/v1alpha1', kind: 'Endpoint', metadata: { name: 'a', labels }, spec: { subnet: 's' } };
    assert.throws(() => parseOverlayResources(JSON.stringify(resource), 'FILE'), InputError);
  }
  assert.equal(labelsProblem({ ['n'.repeat(128)]: 'v'.repeat(63) }), undefined);
});

test('an identity that stands for something else is not taken', () => {
  const first = identityOf('red', { app: 'web' }, () => false);
  const second = identityOf('red', { app: 'web' }, (identity) => identity === first);
  assert.ok(first !== undefined && second !== undefined && first !== second);
  assert.equal(
    identityOf('red', {}, () => true),
    undefined,
  );
});
