import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/errors.ts';
import { parseChoice, parseDurationMs, parseInteger, parsePort } from './option-values.ts';

test('ports are whole numbers from 1 to 65535', () => {
  assert.equal(parsePort('1', 'PORT'), 1);
  assert.equal(parsePort('65535', 'PORT'), 65535);
  for (const text of ['0', '65536', '-1', '80.5', '8080x', '', '0x50', ' 80', '9'.repeat(400)]) {
    assert.throws(() => parsePort(text, 'PORT'), InputError, text);
  }
  assert.throws(() => parseInteger('10001', '--redemptions-allowed', 1, 10_000), /--redemptions-allowed: must be a whole number from 1/);
});

test('durations have units', () => {
  assert.equal(parseDurationMs('90s', '--timeout'), 90_000);
  assert.equal(parseDurationMs('1h30m', '--timeout'), 5_400_000);
  assert.throws(
    () => parseDurationMs('60', '--timeout'),
    (error: InputError) => error.remedy === 'write --timeout 60s for seconds',
  );
  for (const text of ['0s', 'soon', '', '-5s']) assert.throws(() => parseDurationMs(text, '--timeout'), InputError, text);
});

test('choices suggest what could have been meant', () => {
  assert.equal(parseChoice('json', '--output', ['table', 'json']), 'json');
  assert.throws(
    () => parseChoice('jsn', '--output', ['table', 'json']),
    (error: InputError) => error.remedy === 'did you mean json?' && error.message.startsWith('--output: must be one of table, json'),
  );
});
