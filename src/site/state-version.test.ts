import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/errors.ts';
import { checkStateVersion, formatStateVersion } from './state-version.ts';

function refusalOf(content: string): InputError {
  try {
    checkStateVersion(content, '/state/east');
  } catch (error) {
    assert.ok(error instanceof InputError);
    return error;
  }
  return assert.fail(`${content} was accepted`);
}

test('what is written is accepted, and so is what a later version may add beside it', () => {
  checkStateVersion(formatStateVersion(), '/state/east');
  checkStateVersion('{ "version": 1, "more": true }', '/state/east');
  assert.equal(formatStateVersion(), '{"version":1}\n');
});

test('a newer folder is left for the program that wrote it', () => {
  const error = refusalOf('{"version": 2}');
  assert.equal(error.code, 'state-version');
  assert.equal(error.message, '/state/east: the state folder has version 2, newer than version 1, which this program reads');
  assert.match(error.remedy ?? '', /use the program that wrote it/);
});

test('an older folder is not taken for one of this version', () => {
  for (const version of [0, -1]) {
    const error = refusalOf(`{"version": ${version}}`);
    assert.equal(error.code, 'state-version');
    assert.match(error.message, new RegExp(`has version ${version}, older than version 1`));
    assert.match(error.remedy ?? '', /cannot migrate/);
  }
});

test('garbage is damage, with the way out', () => {
  const garbage = [
    '',
    'x',
    '{',
    'null',
    '1',
    '"1"',
    '[1]',
    '{}',
    '{"version": "1"}',
    '{"version": 1.5}',
    '{"version": 1e400}',
    '{"version": null}',
  ];
  for (const content of garbage) {
    const error = refusalOf(content);
    assert.equal(error.code, 'state-damaged', content);
    assert.equal(error.message, '/state/east/state.json: says no version');
    assert.match(error.remedy ?? '', /write \{"version": 1\} into \/state\/east\/state\.json/);
  }
});
