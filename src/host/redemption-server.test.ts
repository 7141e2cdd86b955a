import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { test } from 'node:test';
import type { AccessToken } from '../pki/access-token.ts';
import { dayMs } from '../pki/fixtures.test.ts';
import { maxRequestBytes } from '../pki/redemption-protocol.ts';
import { redeemToken, renewAtIssuer } from './redemption-client.ts';
import { exchangeRaw, post } from './redemption-fixtures.test.ts';
import { joinDirectly, newSites, openLinkPort } from './trust-fixtures.test.ts';

const site = { siteName: 'laptop', hosts: [] };

test('a site joins over the link port, and again for a second link', async () => {
  await using sites = await newSites();
  const [aws, laptop] = [await sites.open('aws'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await using port = await openLinkPort(aws);
  const links = [{ host: 'aws.example', port: 55671 }];
  const first = await redeemToken(laptop, await aws.issueToken(port, { linkCost: 4, links }), site);
  assert.deepEqual(first, { links, linkCost: 4, joined: true });
  assert.equal(laptop.networkId, aws.networkId);
  const second = await redeemToken(laptop, await aws.issueToken(port, {}), site);
  assert.equal(second.joined, false);
});

test('of 200 redemptions at a time exactly one succeeds', async () => {
  await using sites = await newSites();
  const aws = await sites.open('aws');
  await aws.foundNetwork('aws', []);
  await using port = await openLinkPort(aws);
  const token = await aws.issueToken(port, {});
  const { request } = await (await sites.open('laptop')).beginRedemption(token, 'laptop', []);
  const text = post(`/redeem/${token.grantId}`, JSON.stringify(request));
  const answers = await Promise.all(Array.from({ length: 200 }, () => exchangeRaw(port, text)));
  const count = (status: string): number => answers.filter((answer) => answer.startsWith(`HTTP/1.1 ${status} `)).length;
  assert.deepEqual([count('200'), count('404')], [1, 199]);
  assert.equal(aws.members.length, 1);

  const three = await aws.issueToken(port, { redemptions: 3 });
  const again = post(`/redeem/${three.grantId}`, JSON.stringify({ ...request, code: three.code }));
  const more = await Promise.all(Array.from({ length: 20 }, () => exchangeRaw(port, again)));
  assert.equal(more.filter((answer) => answer.startsWith('HTTP/1.1 200 ')).length, 3);
});

test('unknown, wrong, expired and used tokens get the same answer, byte for byte', async () => {
  await using sites = await newSites();
  const [aws, laptop] = [await sites.open('aws'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await using port = await openLinkPort(aws);
  const [used, expired, good] = await Promise.all([
    aws.issueToken(port, {}),
    aws.issueToken(port, { expirationWindowMs: 1 }),
    aws.issueToken(port, {}),
  ]);
  const { request } = await laptop.beginRedemption(used, 'laptop', []);
  await joinDirectly(aws, await sites.open('other'), used, 'other');
  const answerTo = async (token: AccessToken, code = token.code): Promise<string> => {
    const answer = await exchangeRaw(port, post(`/redeem/${token.grantId}`, JSON.stringify({ ...request, code })));
    return answer.replace(/^date: .*\r\n/im, '');
  };
  const answers = [
    await answerTo(used),
    await answerTo(expired),
    await answerTo(good, `${good.code}x`),
    await answerTo({ ...good, grantId: 'unknown' }),
  ];
  assert.match(answers[0] ?? '', /^HTTP\/1\.1 404 /);
  assert.equal(new Set(answers).size, 1, answers.join('\n'));
  await assert.rejects(redeemToken(laptop, used, site), { code: 'token-refused' });
});

test('wrong codes block an address for a minute, right ones do not count', async () => {
  await using sites = await newSites();
  const [aws, laptop] = [await sites.open('aws'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await using port = await openLinkPort(aws);
  const token = await aws.issueToken(port, {});
  for (let at = 0; at < 10; at++) {
    await assert.rejects(redeemToken(laptop, { ...token, code: `${token.code}${at}` }, site), { code: 'token-refused' });
  }
  await assert.rejects(redeemToken(laptop, token, site), { code: 'too-many-tries' });
  assert.equal(aws.grants[0]?.redemptions.length, 0);
});

test('requests that are not well-formed are refused without harm', async () => {
  await using sites = await newSites();
  const aws = await sites.open('aws');
  await aws.foundNetwork('aws', []);
  await using port = await openLinkPort(aws);
  const token = await aws.issueToken(port, {});
  const path = `/redeem/${token.grantId}`;
  const tooLong = 'x'.repeat(maxRequestBytes + 1);
  for (const [text, status] of [
    [`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`, 405],
    [post('/', ''), 404],
    [post(path, '{'), 400],
    [post(path, '[]'), 400],
    [post(path, JSON.stringify({ code: 'x', csr: 'y', siteName: 'a', hosts: 5 })), 400],
    [post(path, tooLong), 413],
    [`POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${tooLong.length.toString(16)}\r\n${tooLong}\r\n`, 413],
    [post('/renew', JSON.stringify({ membership: 'x', csr: 'y' })), 400],
  ] as const) {
    assert.match(await exchangeRaw(port, text), new RegExp(`^HTTP/1.1 ${status} `), text.slice(0, 80));
  }
  for (const text of ['garbage\r\n\r\n', `GET / HTTP/1.1\r\nX: ${'x'.repeat(5000)}\r\n\r\n`])
    assert.equal(await exchangeRaw(port, text), '');
  assert.equal(aws.grants[0]?.redemptions.length, 0);
  await redeemToken(await sites.open('laptop'), token, site);
});

test('silent and slow clients are cut after five seconds, and meanwhile do not keep others out', async () => {
  await using sites = await newSites();
  const aws = await sites.open('aws');
  await aws.foundNetwork('aws', []);
  await using port = await openLinkPort(aws);
  const startedMs = performance.now();
  const silent = Array.from({ length: 20 }, () => exchangeRaw(port, undefined));
  const half = exchangeRaw(port, `POST /renew HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{`);
  await redeemToken(await sites.open('laptop'), await aws.issueToken(port, {}), site);
  assert.ok(performance.now() - startedMs < 4000);
  assert.deepEqual(new Set(await Promise.all([...silent, half])), new Set(['']));
  const elapsedMs = performance.now() - startedMs;
  assert.ok(elapsedMs >= 4900 && elapsedMs < 9000, `${elapsedMs} ms`);
});

test('connections are bounded', async () => {
  await using sites = await newSites();
  const aws = await sites.open('aws');
  await aws.foundNetwork('aws', []);
  // So few that the first are not cut for their silence before the last is there, however busy the machine is.
  const connectionLimit = 4;
  await using port = await openLinkPort(aws, undefined, { connectionLimit });
  const options = { host: port.host, port: port.port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] };
  const held = Array.from({ length: connectionLimit }, () => connect(options));
  await Promise.all(held.map((socket) => once(socket, 'secureConnect')));
  assert.equal(await exchangeRaw(port, post('/', '')), '');
  const [first, ...others] = held;
  first?.destroy();
  let answer = '';
  for (let tries = 0; tries < 100 && answer === ''; tries++) answer = await exchangeRaw(port, post('/', ''));
  assert.match(answer, /^HTTP\/1\.1 404 /, 'there is room again');
  for (const socket of others) socket.destroy();
});

test("only an issuer of the token's network is spoken to", async () => {
  await using sites = await newSites();
  const [aws, gcp, laptop] = [await sites.open('aws'), await sites.open('gcp'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await gcp.foundNetwork('gcp', []);
  await using port = await openLinkPort(gcp);
  await assert.rejects(redeemToken(laptop, await aws.issueToken(port, {}), site), { code: 'issuer-untrusted' });
  const closed = await openLinkPort(gcp);
  await closed[Symbol.asyncDispose]();
  await assert.rejects(redeemToken(laptop, await aws.issueToken(closed, {}), site), { code: 'issuer-unreachable' });
  const unknown = await aws.issueToken({ host: 'no-such-host.invalid', port: 1 }, {});
  await assert.rejects(redeemToken(laptop, unknown, site), (error: { code: string }) =>
    ['issuer-unreachable', 'issuer-failed'].includes(error.code),
  );
  await assert.rejects(redeemToken(laptop, { ...unknown, ...port }, { ...site, signal: AbortSignal.abort() }), { code: 'cancelled' });
});

test('an issuer whose certificate has ended says so to the redeemer', async () => {
  await using sites = await newSites();
  const aws = await sites.open('aws');
  sites.offsetMs = -3 * dayMs;
  await aws.foundNetwork('aws', []);
  sites.offsetMs = 0;
  await using port = await openLinkPort(aws);
  const token = await aws.issueToken(port, {});
  const laptop = await sites.open('laptop');
  await assert.rejects(redeemToken(laptop, token, site), { code: 'issuer-untrusted', message: /has ended, or the clocks/ });
  await aws.renewLocally();
  port.reload();
  await redeemToken(laptop, token, site);
});

test('renewal over the link port needs no valid TLS certificate, but a membership', async () => {
  await using sites = await newSites();
  const [aws, azure, laptop] = [await sites.open('aws'), await sites.open('azure'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await joinDirectly(aws, azure, await aws.issueToken({ host: 'x', port: 1 }, { issuer: true }), 'azure');
  await joinDirectly(aws, laptop, await aws.issueToken({ host: 'x', port: 1 }, {}), 'laptop');
  await using azurePort = await openLinkPort(azure);
  const before = laptop.tlsCredentials()?.cert;
  await renewAtIssuer(laptop, azurePort);
  assert.notEqual(laptop.tlsCredentials()?.cert, before);

  await using laptopPort = await openLinkPort(laptop);
  await assert.rejects(renewAtIssuer(azure, laptopPort), { code: 'renewal-refused' });
  const { membership } = await laptop.beginRenewal();
  const stolen = { ...(await azure.beginRenewal()), membership };
  assert.match(
    await exchangeRaw(azurePort, post('/renew', JSON.stringify(stolen))),
    /^HTTP\/1\.1 403 [^]*not signed with the registered key/,
  );
});

test('closing ends what is open', async () => {
  await using sites = await newSites();
  const aws = await sites.open('aws');
  await aws.foundNetwork('aws', []);
  const port = await openLinkPort(aws);
  const socket = connect({ host: port.host, port: port.port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  const closed = once(socket, 'close');
  await port[Symbol.asyncDispose]();
  await closed;
});
