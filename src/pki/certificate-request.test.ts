import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createCertificateRequest, verifyCertificateRequest } from './certificate-request.ts';
import { newKey, testCrypto } from './fixtures.test.ts';
import { decodeOnePem, encodePem } from './pem.ts';

const refused = { code: 'bad-certificate-request' };

test('a request proves its key', async () => {
  const { pem, publicKey } = await newKey();
  const request = await createCertificateRequest(testCrypto, pem);
  assert.deepEqual(await verifyCertificateRequest(testCrypto, request, 'csr'), publicKey);
});

test('a changed byte never yields another key', async () => {
  const { pem, publicKey } = await newKey();
  const der = decodeOnePem('CERTIFICATE REQUEST', await createCertificateRequest(testCrypto, pem), 'csr');
  await fc.assert(
    fc.asyncProperty(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), async (at, difference) => {
      const changed = Uint8Array.from(der);
      changed[at] = (changed[at] ?? 0) ^ difference;
      const key = await verifyCertificateRequest(testCrypto, encodePem('CERTIFICATE REQUEST', changed), 'csr').catch((error: unknown) => {
        assert.equal((error as { code?: string }).code, 'bad-certificate-request');
      });
      if (key !== undefined) assert.deepEqual(key, publicKey);
    }),
    { numRuns: 200 },
  );
});

test('other keys, other texts and giants are refused', async () => {
  const { subtle } = testCrypto;
  const p384 = await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, true, ['sign', 'verify']);
  const p384Pem = encodePem('PRIVATE KEY', new Uint8Array(await subtle.exportKey('pkcs8', p384.privateKey)));
  await assert.rejects(createCertificateRequest(testCrypto, p384Pem), { code: 'bad-key' });
  await assert.rejects(verifyCertificateRequest(testCrypto, encodePem('CERTIFICATE REQUEST', Uint8Array.of(0x30, 0)), 'csr'), refused);
  await assert.rejects(verifyCertificateRequest(testCrypto, encodePem('CERTIFICATE REQUEST', new Uint8Array(2049)), 'csr'), refused);
  await assert.rejects(verifyCertificateRequest(testCrypto, 'hello', 'csr'), { code: 'bad-pem' });
});
