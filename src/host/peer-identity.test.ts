import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { connect, createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { dayMs, delegated, leaf, membership, newKey, newNetwork } from '../pki/fixtures.test.ts';
import type { TestKey, TestNetwork } from '../pki/fixtures.test.ts';
import type { Authority } from '../pki/issue-certificate.ts';
import { encodePem, encodePemChain } from '../pki/pem.ts';
import { verifyPeer } from './peer-identity.ts';

let network: TestNetwork;
let other: TestNetwork;
let key: TestKey;
let issuerKey: TestKey;
let nowMs: number;
let ca: string;
let good: string;

before(async () => {
  nowMs = Date.now();
  [network, other] = await Promise.all([newNetwork(nowMs - dayMs), newNetwork(nowMs - dayMs)]);
  [key, issuerKey] = await Promise.all([newKey(), newKey()]);
  ca = encodePem('CERTIFICATE', network.root);
  good = encodePemChain([await leaf({ identity: network.identity('good'), authority: network.rootAuthority, key, wallMs: nowMs })]);
});

/** Shakes hands with one certificate on each side and returns what each side says of the other. */
async function shakeHands(serverCert: string, clientCert: string | undefined): Promise<{ byClient: string; byServer: string }> {
  const verdictOf = (socket: TLSSocket): string => {
    const verdict = verifyPeer(socket, network.networkId);
    return verdict.accepted ? verdict.identity.routerId : `${verdict.code}: ${verdict.reason}`;
  };
  const server = createServer({ ca, cert: serverCert, key: key.pem, minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const { port } = server.address() as AddressInfo;
  const own = clientCert === undefined ? {} : { cert: clientCert, key: key.pem };
  const client = connect({
    host: '127.0.0.1',
    port,
    ca,
    ...own,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  try {
    await once(client, 'secureConnect');
    assert.equal(client.getProtocol(), 'TLSv1.3');
    const [socket] = await accepted;
    const verdicts = { byClient: verdictOf(client), byServer: verdictOf(socket) };
    socket.destroy();
    return verdicts;
  } finally {
    client.destroy();
    server.close();
  }
}

async function below(authority: Authority, siteName = 'below'): Promise<Uint8Array<ArrayBuffer>> {
  return leaf({ identity: network.identity(siteName), authority, key, wallMs: nowMs });
}

test('both sides learn the router at the other end, directly below the root and below an issuer', async () => {
  const issuer = await delegated({ identity: network.identity('i'), authority: network.rootAuthority, key: issuerKey, wallMs: nowMs });
  const chain = encodePemChain([await below({ certificate: issuer, privateKey: issuerKey.key }), issuer]);
  assert.deepEqual(await shakeHands(good, chain), { byClient: 'good-00000000', byServer: 'below-00000000' });
  assert.deepEqual(await shakeHands(chain, good), { byClient: 'below-00000000', byServer: 'good-00000000' });
});

test('the certificate matrix, in both directions', async () => {
  const authority = network.rootAuthority;
  const foreign = other.rootAuthority;
  const at = { key, wallMs: nowMs };
  const upper = await delegated({ ...at, identity: network.identity('u'), authority, key: issuerKey }, 0);
  const lowerKey = await newKey();
  const lower = await delegated({
    ...at,
    // A different name than the upper issuer's: an issuer that issues to its own name is not counted (RFC 5280 section 6.1).
    identity: { ...network.identity('l'), routerId: 'l-11111111' },
    authority: { certificate: upper, privateKey: issuerKey.key },
    key: lowerKey,
  });
  const tooDeep = [await below({ certificate: lower, privateKey: lowerKey.key }), lower, upper];
  const limited = { certificate: upper, privateKey: issuerKey.key };
  const ordinary = await leaf({ ...at, identity: network.identity('o'), authority, key: issuerKey });
  const matrix: Record<string, [Uint8Array<ArrayBuffer>[], RegExp]> = {
    'wrong CA': [[await leaf({ ...at, identity: network.identity('a'), authority: foreign })], /not issued in this network/],
    'wrong CA, sent along': [
      [await leaf({ ...at, identity: other.identity('a'), authority: foreign }), other.root],
      /not issued in this network/,
    ],
    expired: [
      [await leaf({ ...at, identity: network.identity('a'), authority, wallMs: nowMs - dayMs, lifetimeMs: dayMs / 2 })],
      /has ended/,
    ],
    'not yet valid': [[await leaf({ ...at, identity: network.identity('a'), authority, wallMs: nowMs + dayMs })], /not valid yet/],
    'membership used for TLS': [[await membership({ ...at, identity: network.identity('a'), authority })], /not made for TLS/],
    'name of another network': [[await leaf({ ...at, identity: other.identity('a'), authority })], /^wrong-network: /],
    'broken chain': [[await below(limited)], /not issued in this network/],
    'path length exceeded': [tooDeep, /may not issue it/],
    'name constraint broken': [
      [await leaf({ ...at, identity: other.identity('a'), authority: limited }), upper],
      /breaks a limit that its issuer is under/,
    ],
    'issued by an ordinary site': [[await below({ certificate: ordinary, privateKey: issuerKey.key }), ordinary], /untrusted: /],
  };
  for (const [what, [chain, reason]] of Object.entries(matrix)) {
    const pem = encodePemChain(chain);
    assert.match((await shakeHands(good, pem)).byServer, reason, `${what}, client`);
    assert.match((await shakeHands(pem, good)).byClient, reason, `${what}, server`);
  }
  assert.equal((await shakeHands(good, undefined)).byServer, 'no-certificate: the peer sent no certificate');
});

test('openssl agrees about chains', async (context) => {
  const run = promisify(execFile);
  try {
    await run('openssl', ['version']);
  } catch {
    context.skip('no openssl on the PATH');
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'openssl-'));
  try {
    const issuer = await delegated({ identity: network.identity('i'), authority: network.rootAuthority, key: issuerKey, wallMs: nowMs });
    const authority = { certificate: issuer, privateKey: issuerKey.key };
    await writeFile(join(folder, 'root.pem'), ca);
    const verify = async (chain: Uint8Array<ArrayBuffer>[], purpose: string): Promise<boolean> => {
      const path = join(folder, 'chain.pem');
      await writeFile(path, encodePemChain(chain));
      const options = ['-x509_strict', '-purpose', purpose, '-CAfile', join(folder, 'root.pem'), '-untrusted', path, path];
      return run('openssl', ['verify', ...options]).then(
        () => true,
        () => false,
      );
    };
    const withHosts = await leaf({ identity: network.identity('a'), authority, key, wallMs: nowMs }, ['a.example', '127.0.0.1', '::1']);
    for (const purpose of ['sslserver', 'sslclient']) {
      assert.ok(await verify([withHosts, issuer], purpose));
      assert.ok(!(await verify([await membership({ identity: network.identity('a'), authority, key, wallMs: nowMs }), issuer], purpose)));
    }
    assert.ok(!(await verify([await leaf({ identity: other.identity('a'), authority, key, wallMs: nowMs }), issuer], 'sslserver')));
  } finally {
    await rm(folder, { recursive: true });
  }
});
