import assert from 'node:assert/strict';
import { cp, readFile, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { configurationOf, entitiesOf } from '../management/entities.ts';
import { parseRouterConfiguration } from '../management/router-configuration.ts';
import { Router } from '../router/router.ts';
import { openSigning } from '../router/signing.ts';
import type { NetworkReport, RevokedSite, SiteStatusBody } from './site-requests.ts';
import { ask, connectorYaml, freePort, listenerYaml, siteYaml, statusOf, TestSites, until } from './site-fixtures.test.ts';
import type { SiteSupervisor } from './site-supervisor.ts';

async function trustOf(site: SiteSupervisor): Promise<SiteStatusBody['trust']> {
  return ((await ask(site, 'STATUS')).body as SiteStatusBody).trust;
}

function linkMessage(site: SiteSupervisor): string {
  const [link] = site.report().filter(({ kind }) => kind === 'Link');
  return statusOf(site, 'Link', link?.metadata.name ?? '').message;
}

/** East founds a network and accepts links; west is linked to it. */
async function twoSites(sites: TestSites, grant: object = {}): Promise<{ east: SiteSupervisor; west: SiteSupervisor }> {
  const east = await sites.start('east', await freePort());
  const west = await sites.start('west');
  const { body } = await ask(east, 'ISSUE-TOKEN', grant);
  await west.redeem((body as { token: string }).token, 'token.yaml', {});
  await until('the link is up', () => east.network()?.sites.length === 2 && west.network()?.sites.length === 2);
  return { east, west };
}

test('sites of a network sign, and each sees what the other may do', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await twoSites(sites, { advertise: ['db.*'], consume: [] });
  const { signs, advertise, consume, revoked, revokedSites } = await trustOf(west);
  assert.deepEqual([signs, advertise, consume, revoked, revokedSites], [true, ['db.*'], [], null, []]);
  const seen = async (): Promise<unknown> => {
    const { sites: all } = (await ask(east, 'NETWORK')).body as NetworkReport;
    return all.map((site) => [site.name, site.trust, site.advertise, site.consume]);
  };
  await until('east has verified west', async () => JSON.stringify(await seen()).includes('db.*'));
  assert.deepEqual(await seen(), [
    ['east', 'signed', ['*'], ['*']],
    ['west', 'signed', ['db.*'], []],
  ]);
  assert.match(await readFile(sites.layout('west').routerConfigurationFile, 'utf8'), /\["signing",\{"name":"signing"/);
});

test('a service that the token did not grant is not announced, and its resource says what to do', async () => {
  await using sites = await TestSites.create();
  const { west } = await twoSites(sites, { advertise: ['db.*'], consume: ['metrics'] });
  await west.apply(connectorYaml('web', 1), 'west.yaml');
  await west.apply(connectorYaml('db.main', 1), 'west.yaml');
  await west.apply(listenerYaml('web', await freePort()), 'west.yaml');
  assert.match(statusOf(west, 'Connector', 'web').message, /not granted: this site may advertise db\.\*; .*--advertise web/);
  assert.match(statusOf(west, 'Listener', 'web').message, /not granted: this site may consume metrics; .*--consume web/);
  const { body } = await ask(west, 'QUERY', {}, 'tcpConnector');
  assert.match(JSON.stringify(body), /db\.main/);
  assert.doesNotMatch(JSON.stringify(body), /"web"/);
});

test('a revoked site is cut off, learns it, and stays out until it joins anew', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await twoSites(sites);
  const before = west.routerId;
  const answer = await ask(east, 'REVOKE-SITE', { name: 'west', reason: 'stolen' });
  assert.equal((answer.body as RevokedSite).routerId, before);
  await until('the link is cut', () => east.network()?.sites.length === 1);
  // It gets the statement itself before its link ends.
  await until('west knows', () => west.trust.ownRevocation !== undefined);
  assert.match((await trustOf(west)).revoked ?? '', /revoked by the network root at .*: stolen/);
  assert.deepEqual(
    (await trustOf(east)).revokedSites.map(({ name, reason }) => [name, reason]),
    [['west', 'stolen']],
  );
  assert.ok(west.warnings().some(({ code }) => code === 'site-revoked'));

  // Neither a restart of one nor of the other lets it in again.
  await sites.stop(east);
  const again = await sites.open('east');
  await until('the link is refused', () => linkMessage(west).includes('this site was revoked'));
  assert.equal(again.network()?.sites.length, 1);
  await assert.rejects(again.trust.renew(await west.trust.beginRenewal(), '127.0.0.1'), { code: 'membership-refused' });

  const { token } = await again.issueToken({});
  await west.redeem(token, 'token.yaml', {});
  assert.notEqual(west.routerId, before);
  await until('it is back under a new identity', () => again.network()?.sites.length === 2);
  assert.equal((await trustOf(west)).revoked, null);
});

test('a site whose certificate comes from an issuer that was revoked meanwhile gets another one', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await twoSites(sites);
  const issuer = await sites.start('issuer');
  const { token } = await east.issueToken({ issuer: true });
  await issuer.redeem(token, 'token.yaml', {});
  await west.trust.adoptRenewal(await issuer.trust.renew(await west.trust.beginRenewal(), '127.0.0.1'));
  await sites.stop(west);
  await east.revokeSite('issuer', '');
  const again = await sites.open('west');
  await until('the link is refused', () => linkMessage(again).includes('an issuer that was revoked'));
  assert.equal((await trustOf(again)).revoked, null);
  await until('another issuer has renewed', () => again.network()?.sites.length === 2, 20_000);
});

test('what cannot be revoked is refused with a reason', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await twoSites(sites);
  const refusal = async (site: SiteSupervisor, name: string): Promise<unknown> =>
    ((await ask(site, 'REVOKE-SITE', { name })).body as { code?: string }).code;
  assert.equal(await refusal(east, 'east'), 'own-site');
  assert.equal(await refusal(east, 'wets'), 'unknown-site');
  assert.equal(await refusal(west, 'east'), 'not-an-issuer');
});

/** Runs what a site's router was last told to be, without the site; `signs` says whether with its signing entity. */
async function runDerived(sites: TestSites, name: string, signs: boolean): Promise<{ router: Router } & AsyncDisposable> {
  const text = await readFile(sites.layout(name).routerConfigurationFile, 'utf8');
  const read = parseRouterConfiguration(text, 'router.json');
  const configuration = configurationOf(
    read.router,
    entitiesOf(read).filter(({ type }) => signs || type !== 'signing'),
  );
  const dependencies = { clock: processClock, random: processRandom(), log: silentLogger };
  const { signing: entity } = configuration;
  const signing = entity === undefined ? undefined : await openSigning(entity, dependencies);
  const router = new Router(configuration, { ...dependencies, version: '0', ...(signing === undefined ? {} : { signing }) });
  await router.start();
  return {
    router,
    async [Symbol.asyncDispose]() {
      await router.stop();
      await signing?.[Symbol.asyncDispose]();
    },
  };
}

test('a site that requires signatures refuses a member that does not sign, and takes the same one signing', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await twoSites(sites);
  await sites.stop(west);
  await east.apply(siteYaml('east').replace('{}', "{settings: {require-signed: 'true'}}"), 'site.yaml');
  await until('west is gone', () => east.network()?.sites.length === 1);
  {
    await using unsigned = await runDerived(sites, 'west', false);
    const connector = unsigned.router.configuration.connectors[0]?.name ?? '';
    const message = (): string => unsigned.router.connector(connector)?.state.connectionMsg ?? '';
    await until('the link is refused', () => /amqp:unauthorized-access.*sign/.test(message()));
    assert.equal(east.network()?.sites.length, 1);
  }
  await using _signed = await runDerived(sites, 'west', true);
  await until('the link is up', () => east.network()?.sites.length === 2);
});

test('a member that does not sign is linked where signatures are not required, and shown as certified', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await twoSites(sites);
  await sites.stop(west);
  await until('west is gone', () => east.network()?.sites.length === 1);
  await sites.stop(east);
  const again = await sites.open('east');
  await using _unsigned = await runDerived(sites, 'west', false);
  await until('the link is up', () => again.network()?.sites.length === 2);
  assert.deepEqual(
    again.network()?.sites.map(({ trust }) => trust),
    ['signed', 'certified'],
  );
});

test('of two processes with one identity one keeps out of the network and says why', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await twoSites(sites);
  // As a copied virtual machine has it: the state, but not what belongs to the running process.
  const copy = sites.layout('copy');
  await cp(sites.layout('west').folder, copy.folder, { recursive: true, filter: (path) => !/\.(?:sock|pid)$/.test(path) });
  await rm(`${copy.pkiFolder}/lock`, { force: true });
  await rm(`${copy.runtimeFolder}/lock`, { force: true });
  const other = await sites.open('copy');
  assert.equal(other.routerId, west.routerId);
  const codes = (site: SiteSupervisor): string =>
    site
      .warnings()
      .map(({ code }) => code)
      .join();
  await until('one has fenced itself', () => [west, other].some((site) => codes(site).includes('site-fenced')), 20_000);
  await until('one is in the network', () => [west, other].filter((site) => site.network()?.sites.length === 2).length === 1);
  await until('the other sites see one', () => east.network()?.sites.length === 2);
});
