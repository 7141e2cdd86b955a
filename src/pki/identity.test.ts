import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { InputError } from '../base/errors.ts';
import { systemRandom } from './fixtures.test.ts';
import {
  checkSiteName,
  formatIdentity,
  identityFromSubjectAltName,
  isSiteName,
  newRouterId,
  parseIdentity,
  randomLabel,
} from './identity.ts';

const siteName = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const identity = fc.record({ networkId: fc.stringMatching(/^[0-9a-f]{16}$/), siteName }).map((names) => ({
  ...names,
  routerId: newRouterId(names.siteName, systemRandom),
}));

test('an identity survives its URI', () => {
  fc.assert(
    fc.property(identity, (names) => {
      assert.deepEqual(parseIdentity(formatIdentity(names)), names);
    }),
  );
});

test('anything but the exact form is no identity', () => {
  for (const uri of [
    '',
    'van://',
    'https://0123456789abcdef/a/a-12345678',
    'van://0123456789ABCDEF/a/a-12345678',
    'van://0123456789abcde/a/a-12345678',
    'van://0123456789abcdef/a/b-12345678',
    'van://0123456789abcdef/a/a-1234567',
    'van://0123456789abcdef/a/a-123456789',
    'van://0123456789abcdef/a/a-1234567_',
    'van://0123456789abcdef/a/a-12345678/',
    'van://0123456789abcdef/a/a-12345678?x',
    'van://0123456789abcdef//-12345678',
    'van://0123456789abcdef/-a/-a-12345678',
  ]) {
    assert.equal(parseIdentity(uri), undefined, uri);
  }
});

test('site names are RFC 1123 labels of at most 63', () => {
  assert.ok(isSiteName('a'));
  assert.ok(isSiteName('a'.repeat(63)));
  assert.ok(!isSiteName('a'.repeat(64)));
  for (const name of ['', 'A', 'a.b', 'a_b', '-a', 'a-', 'ä', 'a\n']) assert.ok(!isSiteName(name), name);
  assert.throws(
    () => checkSiteName('My Site', '--name'),
    (error: InputError) => error.code === 'bad-site-name' && error.message.startsWith('--name: '),
  );
});

test('the identity in a subject alternative name must be the only one and unquoted', () => {
  const uri = 'URI:van://0123456789abcdef/a/a-12345678';
  assert.equal(identityFromSubjectAltName(`${uri}, DNS:a.example, IP Address:127.0.0.1`)?.routerId, 'a-12345678');
  assert.equal(identityFromSubjectAltName(`DNS:a.example`), undefined);
  assert.equal(identityFromSubjectAltName(`${uri}, URI:van://0123456789abcdef/b/b-12345678`), undefined);
  assert.equal(identityFromSubjectAltName(`${uri}, URI:https://a.example`), undefined);
  assert.equal(identityFromSubjectAltName(`DNS:"x, ${uri}"`), undefined);
});

test('random labels have the length asked for and use the whole alphabet', () => {
  const text = randomLabel(systemRandom, 5000);
  assert.match(text, /^[a-z0-9]{5000}$/);
  assert.equal(new Set(text).size, 36);
});
