import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError, ProtocolViolation, WeatherError, assert as invariant } from './errors.ts';
import { silentLogger } from './log.ts';
import { nearestName } from './nearest-name.ts';
import { discriminator } from './random.ts';

test('errors carry what their reader needs', () => {
  const cause = new Error('inner');
  const weather = new WeatherError('port-unavailable', 'cannot listen', { cause, remedy: 'choose another port' });
  assert.deepEqual(
    [weather.name, weather.code, weather.remedy, weather.cause],
    ['WeatherError', 'port-unavailable', 'choose another port', cause],
  );
  const input = new InputError('unknown-key', 'site.yaml:3', "unknown key 'prot'");
  assert.deepEqual([input.name, input.where, input.message], ['InputError', 'site.yaml:3', "site.yaml:3: unknown key 'prot'"]);
  assert.ok(input instanceof WeatherError);
  assert.equal(new ProtocolViolation('amqp:decode-error', 'x').condition, 'amqp:decode-error');
  assert.throws(() => invariant(false, 'x'), /^Error: bug: x$/);
  invariant(true, 'x');
  assert.equal(silentLogger.child('x'), silentLogger);
});

for (const [typed, expected] of [
  ['prot', 'port'],
  ['PORT', 'port'],
  ['adress', 'address'],
  ['routingKey', undefined],
  ['x', undefined],
  ['', undefined],
] as const) {
  test(`nearest to '${typed}' is ${String(expected)}`, () => {
    assert.equal(nearestName(typed, ['port', 'host', 'address', 'sslProfile']), expected);
  });
}

test('discriminators use the whole alphabet and nothing else', () => {
  let next = 0;
  const random = { fill: (target: Uint8Array): void => target.forEach((_, at) => (target[at] = next++)), number: (): number => 0 };
  const text = discriminator(random, 256);
  assert.match(text, /^[a-zA-Z0-9+_]{256}$/);
  assert.equal(new Set(text).size, 64);
  assert.equal(discriminator(random, 15).length, 15);
});
