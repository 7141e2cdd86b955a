import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { dayMs, systemRandom } from '../pki/fixtures.test.ts';
import { verifyPeer } from './peer-identity.ts';
import { redeemToken } from './redemption-client.ts';
import { renewOnce, startRenewal } from './renewal.ts';
import type { RenewalOptions } from './renewal.ts';
import { newSites, openLinkPort } from './trust-fixtures.test.ts';
import type { Sites } from './trust-fixtures.test.ts';

const joining = { siteName: 'laptop', hosts: [] };

function optionsOf(sites: Sites): RenewalOptions {
  return { wallMs: sites.options.wallMs, random: systemRandom, log: sites.options.log };
}

test('a certificate past half of its life is renewed, and an open link stays', async () => {
  await using sites = await newSites();
  const [aws, laptop] = [await sites.open('aws'), await sites.open('laptop')];
  // TLS looks at the system's clock, so the certificates are made in the past and the present finds them half over.
  sites.offsetMs = -0.6 * dayMs;
  await aws.foundNetwork('aws', []);
  const links: TLSSocket[] = [];
  await using port = await openLinkPort(aws, (socket) => {
    links.push(socket);
    socket.pipe(socket);
  });
  await redeemToken(laptop, await aws.issueToken(port, {}), joining);
  assert.ok((laptop.renewalDueAtMs ?? 0) > sites.options.wallMs() + dayMs / 3);

  const dial = async (): Promise<TLSSocket> => {
    const socket = connect({ host: port.host, port: port.port, ...laptop.tlsCredentials(), checkServerIdentity: () => undefined });
    await once(socket, 'secureConnect');
    return socket;
  };
  const old = await dial();
  const before = laptop.tlsCredentials()?.cert;
  sites.offsetMs = 0;
  {
    const renewed = new Promise<void>((resolve) => void laptop.onCredentials(resolve));
    await using _renewal = startRenewal(laptop, optionsOf(sites));
    await using _ownRenewal = startRenewal(aws, optionsOf(sites));
    await renewed;
  }
  assert.notEqual(laptop.tlsCredentials()?.cert, before);
  assert.ok((laptop.renewalDueAtMs ?? 0) > sites.options.wallMs());
  assert.ok((aws.renewalDueAtMs ?? 0) > sites.options.wallMs());

  port.reload();
  const fresh = await dial();
  for (const socket of [old, fresh]) {
    socket.write('still here');
    assert.equal(String((await once(socket, 'data'))[0]), 'still here');
  }
  assert.ok(links[1] !== undefined && verifyPeer(links[1], aws.networkId ?? '').accepted);
  for (const socket of [old, fresh]) socket.destroy();
});

test('any issuer of the network renews; those that cannot are passed over', async () => {
  await using sites = await newSites();
  const [aws, azure, laptop] = [await sites.open('aws'), await sites.open('azure'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  const awsPort = await openLinkPort(aws);
  await redeemToken(azure, await aws.issueToken(awsPort, { issuer: true }), { siteName: 'azure', hosts: [] });
  await redeemToken(laptop, await aws.issueToken(awsPort, {}), joining);
  await awsPort[Symbol.asyncDispose]();
  await using azurePort = await openLinkPort(azure);
  await assert.rejects(renewOnce(laptop, optionsOf(sites)), { code: 'issuer-unreachable' });
  const before = laptop.tlsCredentials()?.cert;
  await renewOnce(laptop, { ...optionsOf(sites), issuers: () => [awsPort, azurePort] });
  assert.notEqual(laptop.tlsCredentials()?.cert, before);
  // An issuer needs nobody for its own certificate.
  await renewOnce(azure, optionsOf(sites));
});

test('an issuing member past half of its membership gets it extended, with its own issuer certificate', async () => {
  await using sites = await newSites();
  const [aws, azure] = [await sites.open('aws'), await sites.open('azure')];
  sites.offsetMs = -200 * dayMs;
  await aws.foundNetwork('aws', []);
  sites.offsetMs = 0;
  await aws.renewLocally();
  await using port = await openLinkPort(aws);
  sites.offsetMs = -200 * dayMs;
  const token = await aws.issueToken(port, { issuer: true });
  const pending = await azure.beginRedemption(token, 'azure', []);
  const result = await aws.redeem(token.grantId, pending.request, '');
  assert.ok(result.outcome === 'admitted');
  await azure.adopt(pending, result.admission);
  sites.offsetMs = 0;
  assert.ok(azure.membershipNeedsExtension);
  const before = azure.membershipEndsAtMs ?? 0;
  await renewOnce(azure, optionsOf(sites));
  assert.ok(!azure.membershipNeedsExtension);
  assert.ok((azure.membershipEndsAtMs ?? 0) >= before + 199 * dayMs);
  await azure.issueToken(port, {});
});

test('stopping ends the wait at once', async () => {
  await using sites = await newSites();
  const store = await sites.open('a');
  const startedMs = performance.now();
  await startRenewal(store, optionsOf(sites))[Symbol.asyncDispose]();
  assert.ok(performance.now() - startedMs < 1000);
});
