import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError, WeatherError } from '../base/errors.ts';
import { reportError } from './report-error.ts';

const plain = { json: false, debug: false };

test('input that cannot be accepted exits with 2 and says what to type', () => {
  const { text, exitCode } = reportError(new InputError('bad-option', '--port', 'is wrong', { remedy: 'type --port 80' }), plain);
  assert.equal(text, 'error: --port: is wrong\n  try: type --port 80\n');
  assert.equal(exitCode, 2);
});

test('what fails outside exits with 1', () => {
  assert.deepEqual(reportError(new WeatherError('disk-full', 'the disk is full'), plain), {
    text: 'error: the disk is full\n',
    exitCode: 1,
  });
});

test('programs get one line of JSON', () => {
  const { text } = reportError(new InputError('no-site', 'x', 'is\nno site', { remedy: 'make one' }), { json: true, debug: false });
  assert.equal(text.split('\n').length, 2);
  assert.deepEqual(JSON.parse(text), { error: { code: 'no-site', message: 'x: is\nno site', remedy: 'make one' } });
});

test('the stack of what nobody foresaw is shown for debugging only', () => {
  const error = new TypeError('x is undefined', { cause: new Error('the cause') });
  const { text, exitCode } = reportError(error, plain);
  assert.equal(exitCode, 1);
  assert.match(text, /^error: unexpected: x is undefined\n {2}try: .*VAN_DEBUG=1/);
  assert.doesNotMatch(text, / at /);
  const debugged = reportError(error, { json: false, debug: true }).text;
  assert.match(debugged, /TypeError: x is undefined\n\s+at /);
  assert.match(debugged, /caused by\nError: the cause/);
});

test('messages from the network cannot steer the terminal', () => {
  assert.equal(reportError(new WeatherError('refused', 'no\u001b]0;title\u0007'), plain).text, 'error: no\\x1b]0;title\\x07\n');
});
