import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as fc from 'fast-check';
import { delegated, leaf, membership, newKey, newNetwork, testCrypto } from './fixtures.test.ts';
import { readCertificate } from './read-certificate.ts';
import type { CertificateFacts } from './read-certificate.ts';
import { generalNameTypes, loadX509 } from './x509-library.ts';
import type { X509Library } from './x509-library.ts';

let library: X509Library;
let certificates: Uint8Array<ArrayBuffer>[];

before(async () => {
  library = await loadX509(testCrypto);
  const [network, key] = [await newNetwork(), await newKey()];
  const choices = { identity: network.identity('a'), authority: network.rootAuthority, key };
  certificates = [
    network.root,
    await leaf(choices, ['a.example', '192.0.2.1', '::1']),
    await membership(choices, true, 1, { signingKey: new Uint8Array(32), advertise: ['db.*'] }),
    await delegated(choices, 2),
  ];
});

/** What the library that makes certificates reads in one. */
function libraryFacts(der: Uint8Array<ArrayBuffer>): Partial<CertificateFacts> {
  const { x509 } = library;
  const certificate = x509.Certificate.fromBER(der);
  const valueOf = (identifier: string): Uint8Array<ArrayBuffer> | undefined => {
    const extension = certificate.extensions?.find(({ extnID }) => extnID === identifier);
    return extension === undefined ? undefined : new Uint8Array(extension.extnValue.valueBlock.valueHexView);
  };
  const [basic, names] = [valueOf('2.5.29.19'), valueOf('2.5.29.17')];
  const constraints = basic === undefined ? undefined : x509.BasicConstraints.fromBER(basic);
  return {
    signed: new Uint8Array(certificate.tbsView),
    subject: Buffer.from(certificate.subject.toSchema().toBER()).toString('hex'),
    issuer: Buffer.from(certificate.issuer.toSchema().toBER()).toString('hex'),
    notBeforeMs: certificate.notBefore.value.getTime(),
    notAfterMs: certificate.notAfter.value.getTime(),
    publicKey: new Uint8Array(certificate.subjectPublicKeyInfo.toSchema().toBER()),
    pathLength: typeof constraints?.pathLenConstraint === 'number' ? constraints.pathLenConstraint : Infinity,
    uris: (names === undefined ? [] : x509.GeneralNames.fromBER(names).names)
      .filter(({ type }) => type === generalNameTypes.uri)
      .map(({ value }) => String(value)),
  };
}

function assertAgree(facts: CertificateFacts, der: Uint8Array<ArrayBuffer>): void {
  const expected = libraryFacts(der);
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(facts[name as keyof CertificateFacts], value, name);
}

test('reads what the library reads, in all kinds of certificate', () => {
  for (const der of certificates) {
    const facts = readCertificate(der);
    assert.ok(typeof facts !== 'string');
    assertAgree(facts, der);
  }
  const [root, tls, member, issuer] = certificates.map((der) => readCertificate(der) as CertificateFacts);
  assert.deepEqual([root?.isIssuer, tls?.isIssuer, member?.isIssuer, issuer?.isIssuer], [true, false, false, true]);
  assert.deepEqual([root?.permittedUriHosts, issuer?.permittedUriHosts?.length, issuer?.pathLength], [undefined, 1, 2]);
  assert.deepEqual([tls?.serverAuth, tls?.clientAuth, tls?.membership], [true, true, false]);
  assert.deepEqual([member?.serverAuth, member?.membership, member?.rights?.advertise], [false, true, ['db.*']]);
});

test('an altered certificate is refused, or read as the library reads it', () => {
  let read = 0;
  fc.assert(
    fc.property(fc.nat(3), fc.nat(), fc.integer({ min: 1, max: 255 }), (which, at, difference) => {
      const changed = Uint8Array.from(certificates[which] ?? []);
      changed[at % changed.length] = (changed[at % changed.length] ?? 0) ^ difference;
      const facts = readCertificate(changed);
      if (typeof facts === 'string') return;
      // Names are compared octet by octet and not looked into; the library looks into them.
      const original = readCertificate(certificates[which] ?? changed);
      const sameNames = typeof original !== 'string' && original.subject === facts.subject && original.issuer === facts.issuer;
      if (!sameNames) return;
      read++;
      assertAgree(facts, changed);
    }),
    { numRuns: 600 },
  );
  assert.ok(read > 0);
});
