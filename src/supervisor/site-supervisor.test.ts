import assert from 'node:assert/strict';
import { once } from 'node:events';
import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { InputError, WeatherError } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { parseRouterConfiguration } from '../management/router-configuration.ts';
import { Router } from '../router/router.ts';
import type { NetworkView } from './network-view.ts';
import {
  apiVersion,
  ask,
  connectorYaml,
  dial,
  echoOnce,
  exchange,
  freePort,
  listenerYaml,
  siteYaml,
  statusOf,
  TestSites,
  until,
} from './site-fixtures.test.ts';
import type { SiteSupervisor } from './site-supervisor.ts';

const run = promisify(execFile);

/** East accepts links and has the server; west is private, linked with a token, and has the listener. */
async function linkedSites(sites: TestSites): Promise<{ east: SiteSupervisor; west: SiteSupervisor; port: number }> {
  const east = await sites.start('east', await freePort());
  const west = await sites.start('west');
  const { token } = await east.issueToken({});
  await west.redeem(token, 'token.yaml', {});
  const port = await freePort();
  await east.apply(connectorYaml('backend', await sites.echoServer()), 'east.yaml');
  await west.apply(listenerYaml('backend', port), 'west.yaml');
  return { east, west, port };
}

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof WeatherError && error.code === code;
}

test('a token links two sites, and a listener reaches the connector of the other', async () => {
  await using sites = await TestSites.create();
  const { east, west, port } = await linkedSites(sites);
  assert.equal(await echoOnce(port, 'hello'), 'hello');

  assert.equal(east.trust.networkId, west.trust.networkId);
  assert.match(west.routerId, /^west-[a-z0-9]{8}$/);
  assert.equal(west.routerId, west.trust.routerId);
  await until('the connector knows of the listener', () => statusOf(east, 'Connector', 'backend').status === 'Ready');
  const [link] = west.report().filter(({ kind }) => kind === 'Link');
  assert.equal(statusOf(west, 'Link', link?.metadata.name ?? '').status, 'Ready');
  assert.equal(statusOf(west, 'Link', link?.metadata.name ?? '')['remoteSiteName'], 'east');
  assert.equal(statusOf(west, 'Listener', 'backend').status, 'Ready');
  assert.equal(statusOf(east, 'Site', 'east').status, 'Ready');
  assert.deepEqual(west.warnings(), []);

  const network = (await ask(west, 'NETWORK')).body as NetworkView;
  assert.deepEqual(
    network.sites.map(({ name, relation, signed }) => [name, relation, signed]),
    [
      ['west', 'self', true],
      ['east', 'direct', true],
    ],
  );
  assert.deepEqual(
    network.links.map(({ from, to, cost, direction }) => [from.name, to.name, cost, direction]),
    [['west', 'east', 1, 'out']],
  );
  const [service] = network.services;
  assert.deepEqual(service?.connectors, [{ routerId: east.routerId, name: 'east' }]);
  assert.deepEqual(service?.localListeners, [{ name: 'backend', host: '127.0.0.1', port, open: true }]);

  const written = await readFile(sites.layout('west').routerConfigurationFile, 'utf8');
  assert.match(written, /\["tcpListener",\{"name":"backend"/);
});

test('a site that starts again is the same, and its link heals', async () => {
  await using sites = await TestSites.create();
  const { east, west, port } = await linkedSites(sites);
  await echoOnce(port, 'before');
  const { routerId } = east;
  await sites.stop(east);
  const again = await sites.open('east');
  assert.equal(again.routerId, routerId);
  await until('the link is up again', () => again.network()?.sites.length === 2);
  assert.equal(await echoOnce(port, 'after'), 'after');
  assert.equal(west.trust.routerId, west.routerId);
});

test('a folder that is in use is refused', async () => {
  await using sites = await TestSites.create();
  await sites.start('east');
  await assert.rejects(sites.open('east'), isCode('state-in-use'));
});

test('expired, used, tampered and own tokens are refused, and a site without access issues none', async () => {
  await using sites = await TestSites.create();
  const east = await sites.start('east', await freePort());
  const west = await sites.start('west');
  await assert.rejects(west.issueToken({}), isCode('no-link-access'));
  assert.equal(west.trust.state, 'none');

  const short = await east.issueToken({ expirationWindowMs: 1 });
  await assert.rejects(west.redeem(short.token, 'token.yaml', {}), isCode('token-refused'));
  const good = await east.issueToken({});
  await assert.rejects(west.redeem(good.token.replace(/code: .{4}/, 'code: AAAA'), 'token.yaml', {}), isCode('token-refused'));
  await assert.rejects(west.redeem('kind: Garbage', 'token.yaml', {}), isCode('bad-token'));
  await assert.rejects(east.redeem(good.token, 'token.yaml', {}), isCode('own-token'));
  assert.equal(west.trust.state, 'none');
  assert.deepEqual(
    west.report().map(({ kind }) => kind),
    ['Site'],
  );
  await west.redeem(good.token, 'token.yaml', {});
  const south = await sites.start('south');
  await assert.rejects(south.redeem(good.token, 'token.yaml', {}), isCode('token-refused'));
});

test('networks that both have members are not joined; a founder that is alone may move', async () => {
  await using sites = await TestSites.create();
  const { east } = await linkedSites(sites);
  const north = await sites.start('north', await freePort());
  await north.issueToken({});
  const alone = north.trust.networkId;
  const first = await east.issueToken({});
  await north.redeem(first.token, 'token.yaml', {});
  assert.notEqual(north.trust.networkId, alone);
  assert.equal(north.trust.networkId, east.trust.networkId);
  await until('north is linked', () => north.network()?.sites.length === 3);

  const other = await sites.start('other', await freePort());
  const guest = await sites.start('guest');
  await guest.redeem((await other.issueToken({})).token, 'token.yaml', {});
  const { token } = await east.issueToken({});
  await assert.rejects(other.redeem(token, 'token.yaml', {}), (error) => {
    assert.ok(error instanceof InputError);
    assert.equal(error.code, 'other-network');
    assert.match(error.message, new RegExp(`${east.trust.networkId}.*${other.trust.networkId}`));
    return true;
  });
});

test('entities of management stand beside those of resources, which are not changed there', async () => {
  await using sites = await TestSites.create();
  const { west, port } = await linkedSites(sites);
  const extra = await freePort();
  const created = await ask(west, 'CREATE', { address: 'backend', host: '127.0.0.1', port: extra }, 'tcpListener', 'extra');
  assert.equal(created.statusCode, 201);
  assert.equal(await echoOnce(extra, 'by management'), 'by management');
  await west.apply(connectorYaml('unrelated', 9), 'more.yaml');
  assert.equal(await echoOnce(extra, 'still there'), 'still there');

  assert.equal((await ask(west, 'DELETE', {}, 'tcpListener', 'backend')).statusCode, 403);
  assert.equal((await ask(west, 'DELETE', {}, 'tcpListener', 'extra')).statusCode, 204);
  assert.equal((await ask(west, 'READ', {}, 'tcpListener', 'extra')).statusCode, 404);
  assert.equal(await echoOnce(port, 'untouched'), 'untouched');
});

test('a change touches nothing else, and what is wrong changes nothing', async () => {
  await using sites = await TestSites.create();
  const { west, port } = await linkedSites(sites);
  const socket = await dial(port);
  assert.equal(await exchange(socket, 'one'), 'one');
  const second = await freePort();
  assert.deepEqual(await west.apply(`${listenerYaml('backend', port)}${listenerYaml('more', second)}`, 'both.yaml'), [
    { kind: 'Listener', name: 'backend', result: 'unchanged' },
    { kind: 'Listener', name: 'more', result: 'created' },
  ]);
  assert.equal(await exchange(socket, 'two'), 'two');

  const before = await readdir(sites.layout('west').resourceFolder);
  await assert.rejects(west.apply(`${listenerYaml('third', 1234)}${listenerYaml('fourth', port)}`, 'bad.yaml'), isCode('port-taken'));
  await assert.rejects(west.apply(siteYaml('second'), 'bad.yaml'), isCode('second-site'));
  await assert.rejects(west.apply('kind: Listener', 'bad.yaml'), InputError);
  assert.deepEqual(await readdir(sites.layout('west').resourceFolder), before);
  assert.equal(await exchange(socket, 'three'), 'three');

  await west.remove('Listener', 'more');
  await assert.rejects(west.remove('Listener', 'more'), isCode('unknown-resource'));
  assert.equal(await exchange(socket, 'four'), 'four');
  socket.destroy();
});

test('a link port in use is told, and opened when it is free again', async () => {
  await using sites = await TestSites.create();
  const port = await freePort();
  const blocker = createServer();
  blocker.listen(port, '127.0.0.1');
  await once(blocker, 'listening');
  const east = await sites.start('east', port);
  await assert.rejects(east.issueToken({}), isCode('link-port-unavailable'));
  assert.equal(statusOf(east, 'RouterAccess', 'links').status, 'Error');
  assert.match(statusOf(east, 'RouterAccess', 'links').message, /is in use by another program/);
  blocker.close();
  await until('the link port is open', () => statusOf(east, 'RouterAccess', 'links').status === 'Ready');
  await east.issueToken({});
});

test('grants and tokens as resources', async () => {
  await using sites = await TestSites.create();
  const east = await sites.start('east', await freePort());
  await east.apply(
    `apiVersion: ${apiVersion}\nkind: AccessGrant\nmetadata: {name: for-west}\nspec: {redemptionsAllowed: 2}\n`,
    'grant.yaml',
  );
  const grant = statusOf(east, 'AccessGrant', 'for-west');
  assert.equal(grant.status, 'Ready');
  const { url, code, ca } = grant;
  const west = await sites.start('west');
  const token = { apiVersion, kind: 'AccessToken', metadata: { name: 'to-east' }, spec: { url, code, ca, linkCost: 3 } };
  await west.apply(JSON.stringify(token), 'token.yaml');
  assert.equal(statusOf(west, 'AccessToken', 'to-east').status, 'Ready');
  assert.equal(statusOf(east, 'AccessGrant', 'for-west')['redemptions'], 1);
  await until('the link is up', () => statusOf(west, 'Link', 'to-east').status === 'Ready');
  assert.equal(west.network()?.links[0]?.cost, 3);

  await sites.stop(west);
  const again = await sites.open('west');
  assert.equal(statusOf(again, 'AccessToken', 'to-east')['redeemed'], true);
  assert.equal(statusOf(east, 'AccessGrant', 'for-west')['redemptions'], 1);

  await east.remove('AccessGrant', 'for-west');
  const south = await sites.start('south');
  await south.apply(JSON.stringify(token), 'token.yaml');
  assert.equal(statusOf(south, 'AccessToken', 'to-east').status, 'Error');
  assert.equal(south.trust.state, 'none');
});

test('a link with its certificates in a Secret', async () => {
  await using sites = await TestSites.create();
  const east = await sites.start('east', await freePort());
  const { link, routerId } = await east.generateLink({ name: 'static', cost: 2 });
  const west = await sites.start('west');
  await west.apply(link, 'link.yaml');
  await until('the link is up', () => statusOf(west, 'Link', 'static').status === 'Ready');
  assert.equal(west.routerId, routerId);
  assert.equal(west.trust.state, 'none');
  await west.remove('Link', 'static');
  await west.remove('Secret', 'static');
  assert.deepEqual(await readdir(sites.layout('west').certificateFolder), []);
});

test('on a full disk a change fails as a whole, and works when there is room', async (context) => {
  await using sites = await TestSites.create();
  const disk = `${sites.folder}/caravan`;
  await mkdir(disk, { recursive: true });
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=0700', 'tmpfs', disk]);
  } catch {
    context.skip('cannot mount a small tmpfs: not root');
    return;
  }
  try {
    const east = await sites.start('east', await freePort());
    await east.apply(listenerYaml('first', 40_001), 'first.yaml');
    const folder = sites.layout('east').resourceFolder;
    const before = await readdir(folder);
    await run('sh', ['-c', `dd if=/dev/zero of=${disk}/filler bs=4k 2>&1 || true`]);
    await assert.rejects(east.apply(listenerYaml('second', 40_002), 'second.yaml'), isCode('disk-full'));
    await assert.rejects(east.apply(`${listenerYaml('first', 40_003)}${listenerYaml('third', 40_004)}`, 'more.yaml'), isCode('disk-full'));
    await assert.rejects(east.issueToken({}), isCode('disk-full'));
    assert.deepEqual(await readdir(folder), before);
    assert.equal(east.report().find(({ kind }) => kind === 'Listener')?.metadata.name, 'first');
    await sites.stop(east);
    await rm(`${disk}/filler`);
    const again = await sites.open('east');
    assert.deepEqual(
      again.report().flatMap((resource) => (resource.kind === 'Listener' ? [resource.spec.port] : [])),
      [40_001],
    );
    await again.apply(listenerYaml('second', 40_002), 'second.yaml');
    await again.issueToken({});
    await sites.stop(again);
  } finally {
    await run('umount', [disk]);
  }
});

test('a link with certificates of another authority, as a Skupper network gives them, is up and unsigned', async (context) => {
  await using sites = await TestSites.create();
  const certificates = await foreignCertificates(`${sites.folder}/foreign`).catch(() => undefined);
  if (certificates === undefined) {
    context.skip('openssl is not there');
    return;
  }
  const { folder, text } = certificates;
  const profile = { name: 'p', caCertFile: `${folder}/ca.crt`, certFile: `${folder}/tls.crt`, privateKeyFile: `${folder}/tls.key` };
  const listener = { name: 'links', host: '127.0.0.1', port: 0, role: 'inter-router', sslProfile: 'p', authenticatePeer: true };
  const configuration = parseRouterConfiguration(
    JSON.stringify([
      ['router', { id: 'foreign', mode: 'interior' }],
      ['sslProfile', profile],
      ['listener', { ...listener, saslMechanisms: 'EXTERNAL' }],
    ]),
    'test',
  );
  await using foreign = new Router(configuration, { clock: processClock, random: processRandom(), log: silentLogger, version: '0' });
  await foreign.start();
  const endpoints = [{ name: 'inter-router', host: '127.0.0.1', port: foreign.listener('links')?.state.boundPort }];
  const west = await sites.start('west');
  const secret = { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata: { name: 'skupper' }, stringData: text };
  const link = { apiVersion, kind: 'Link', metadata: { name: 'skupper' }, spec: { endpoints, tlsCredentials: 'skupper', cost: 1 } };
  await west.apply(JSON.stringify(link), 'link.yaml');
  assert.match(statusOf(west, 'Link', 'skupper').message, /TLS credentials 'skupper' do not exist/);
  await west.apply(JSON.stringify(secret), 'secret.yaml');
  await until('the link is up', () => statusOf(west, 'Link', 'skupper').status === 'Ready');
  await until('the router is known', () => west.network()?.sites.length === 2);
  assert.deepEqual(
    west.network()?.sites.map(({ name, signed }) => [name, signed]),
    [
      ['west', true],
      ['foreign', false],
    ],
  );
  assert.deepEqual(
    west.warnings().map(({ code, text }) => [code, text]),
    [['neighbour-unsigned', "'foreign' cannot prove who it is: its link is unsigned"]],
  );
});

/** A certificate authority that has nothing to do with this project, and one certificate for 127.0.0.1 of it. */
async function foreignCertificates(folder: string): Promise<{ folder: string; text: Record<string, string> }> {
  await mkdir(folder);
  const openssl = (...parameters: string[]): Promise<unknown> => run('openssl', parameters, { cwd: folder });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  await openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=skupper-site-ca');
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=CA:FALSE'];
  await openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'tls.key',
    '-out',
    'tls.crt',
    '-subj',
    '/CN=router',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    ...names,
  );
  const text: Record<string, string> = {};
  for (const name of ['ca.crt', 'tls.crt', 'tls.key']) text[name] = await readFile(`${folder}/${name}`, 'utf8');
  return { folder, text };
}
