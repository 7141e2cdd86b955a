import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SchemaProblem } from '../management/schema.ts';
import {
  checkObserverSettings,
  observerOptions,
  observerSettingOptions,
  observerValueProblem,
  parseByteSize,
  parseListenPlace,
} from './observer-settings.ts';

test('sizes and places are read as they are written', () => {
  assert.deepEqual(['0', '512MiB', '1.5GiB', '1TiB'].map(parseByteSize), [0, 536_870_912, 1_610_612_736, 1_099_511_627_776]);
  for (const text of ['', '-1', '1GB', '1 GiB', '1e9', '9999999']) assert.equal(parseByteSize(text), undefined, text);
  assert.deepEqual(parseListenPlace('127.0.0.1:8010'), { host: '127.0.0.1', port: 8010 });
  assert.deepEqual(parseListenPlace('[::1]:0'), { host: '::1', port: 0 });
  assert.deepEqual(parseListenPlace('localhost:65535'), { host: 'localhost', port: 65_535 });
  for (const text of ['', '8010', ':8010', 'a:65536', '::1:8010', 'http://a:1', 'a:1 '])
    assert.equal(parseListenPlace(text), undefined, text);
});

const values: Readonly<Record<string, readonly string[]>> = {
  listen: ['127.0.0.1:0', '8010'],
  'metrics-listen': ['[::1]:9180', 'a'],
  'host-name': ['van.example.com,console', 'a/b'],
  'behind-proxy': ['true', 'yes'],
  'tls-cert': ['/etc/cert.pem', 'cert.pem'],
  'tls-key': ['/etc/key.pem', 'key.pem'],
  retention: ['7d', '1s'],
  'max-bytes': ['1GiB', '1MiB'],
  'otlp-endpoint': ['https://otel.example.com:4318/base', 'ftp://a'],
  'access-log': ['/var/log/van.jsonl', 'van.jsonl'],
  redact: ['clients, paths', 'clients,names'],
};

for (const [setting, option] of Object.entries(observerSettingOptions)) {
  test(`${setting} takes what is right and refuses what is not`, () => {
    const [good = '', wrong = ''] = values[option] ?? [];
    assert.equal(observerValueProblem(option, good), undefined);
    assert.notEqual(observerValueProblem(option, wrong), undefined);
    const pair = option.startsWith('tls-') ? { 'observer-tls-cert': '/a', 'observer-tls-key': '/b' } : {};
    checkObserverSettings({ observer: 'enabled', ...pair, [setting]: good }, []);
    assert.throws(() => checkObserverSettings({ observer: 'enabled', ...pair, [setting]: wrong }, []), SchemaProblem);
  });
}

test('settings become options of van observe, and only when the observer is enabled', () => {
  assert.equal(observerOptions({ 'observer-listen': '127.0.0.1:1' }), undefined);
  assert.equal(observerOptions({ observer: 'disabled' }), undefined);
  assert.deepEqual(observerOptions({ observer: 'enabled' }), []);
  const settings = { observer: 'enabled', 'observer-listen': '127.0.0.1:1', 'observer-behind-proxy': 'true', 'observer-retention': '1d' };
  assert.deepEqual(observerOptions(settings), ['--listen', '127.0.0.1:1', '--behind-proxy', '--retention', '1d']);
  assert.deepEqual(observerOptions({ observer: 'enabled', 'observer-behind-proxy': 'false' }), []);
});

test('a certificate needs its key, and the observer is enabled or disabled', () => {
  assert.throws(() => checkObserverSettings({ 'observer-tls-cert': '/a' }, []), SchemaProblem);
  assert.throws(() => checkObserverSettings({ observer: 'yes' }, []), SchemaProblem);
});
