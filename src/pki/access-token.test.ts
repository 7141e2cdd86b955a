import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { InputError } from '../base/errors.ts';
import { formatAccessToken, maxTokenBytes, parseAccessToken } from './access-token.ts';

const token = {
  name: 'token-1',
  host: 'a.example',
  port: 55671,
  grantId: 'abcdefghij0123456789',
  code: 'x_-y'.repeat(8),
  ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  linkCost: 3,
};

test('a token survives its file', () => {
  for (const host of ['a.example', '127.0.0.1', '::1']) {
    const given = { ...token, host };
    assert.deepEqual(parseAccessToken(formatAccessToken(given), 'f'), given);
  }
  const text = formatAccessToken(token);
  assert.match(text, /url: https:\/\/a\.example:55671\/redeem\/abcdefghij0123456789/);
  assert.match(text, /^kind: AccessToken$/m);
});

test('what is wrong is said with its place', () => {
  const text = formatAccessToken(token);
  const cases: [string, RegExp][] = [
    ['', /f: the document is not a mapping/],
    ['{', /f: not YAML/],
    [text.replace('kind: AccessToken', 'kind: Site'), /kind is "Site", not "AccessToken"/],
    [text.replace('v2alpha1', 'v1'), /apiVersion is "skupper.io\/v1"/],
    [text.replace('linkCost: 3', 'linkcost: 3'), /spec\.linkcost is not known; did you mean "linkCost"\?/],
    [text.replace('linkCost: 3', 'linkCost: 0'), /linkCost is not a whole number above 0/],
    [text.replace(/code: .*/, 'code: 1'), /code is missing or not a text/],
    [text.replace('https:', 'http:'), /not an https URL/],
    [text.replace('/redeem/', '/'), /not of the form/],
    [text.replace('/redeem/', '/redeem/../'), /not of the form/],
    [`${text}# ${'x'.repeat(maxTokenBytes)}`, /longer than/],
  ];
  for (const [changed, message] of cases) {
    assert.throws(
      () => parseAccessToken(changed, 'f'),
      (error: InputError) => error.code === 'bad-token' && error.remedy !== undefined && message.test(error.message),
      changed.slice(0, 200),
    );
  }
});

test('any text gives a token or an input error', () => {
  const text = formatAccessToken(token);
  fc.assert(
    fc.property(fc.nat(text.length), fc.string({ maxLength: 8 }), fc.nat(40), (at, inserted, removed) => {
      try {
        parseAccessToken(text.slice(0, at) + inserted + text.slice(at + removed), 'f');
      } catch (error) {
        assert.ok(error instanceof InputError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
