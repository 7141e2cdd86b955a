import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { Clock } from '../base/clock.ts';
import { processClock } from '../host/process-clock.ts';
import { readAudit } from '../host/audit-reader.ts';
import type { HealthCode } from '../site/health-codes.ts';
import type { Check, CheckReport } from '../site/health-report.ts';
import { connectorYaml, freePort, listenerYaml, TestSites, until } from './site-fixtures.test.ts';
import type { SiteSupervisor } from './site-supervisor.ts';

/** `van check` against sites of this process: one in order, and broken in the ways that operators meet. */

const hourMs = 3_600_000;

function clockAhead(aheadMs: number): Clock {
  return { nowMs: () => processClock.nowMs(), wallMs: () => processClock.wallMs() + aheadMs };
}

/** East accepts links; west is linked to it. */
async function linked(sites: TestSites, leafLifetimeMs?: number): Promise<{ east: SiteSupervisor; west: SiteSupervisor }> {
  const east = await sites.start('east', await freePort());
  const west = await sites.start('west');
  await join(east, west, leafLifetimeMs);
  return { east, west };
}

async function join(issuer: SiteSupervisor, site: SiteSupervisor, leafLifetimeMs?: number): Promise<void> {
  const { token } = await issuer.issueToken(leafLifetimeMs === undefined ? {} : { leafLifetimeMs });
  await site.redeem(token, 'token.yaml', {});
  await until('the link is up', () => sees(site, issuer.siteName) && sees(issuer, site.siteName));
}

function sees(site: SiteSupervisor, name: string): boolean {
  return site.network()?.sites.some((other) => other.name === name && other.relation === 'direct') === true;
}

function checksOf(report: CheckReport): ReadonlyMap<HealthCode, Check> {
  return new Map(report.categories.flatMap(({ checks }) => checks.map((check) => [check.code, check])));
}

/** The checks that are not as they should be, each with its result. */
function wrong(report: CheckReport): readonly string[] {
  return [...checksOf(report).values()]
    .filter(({ result }) => !['ok', 'skipped'].includes(result))
    .map(({ code, result }) => `${code} ${result}`);
}

test('two linked sites with a service are in order, as each of them sees it', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await linked(sites);
  await east.apply(connectorYaml('backend', await sites.echoServer()), 'east.yaml');
  await west.apply(listenerYaml('backend', await freePort()), 'west.yaml');
  await until('the service is known', () => west.warnings().length === 0);
  for (const site of [east, west]) {
    const report = await site.check();
    assert.deepEqual(wrong(report), []);
    assert.equal(report.success, true);
    for (const code of ['clock-differs', 'certificate-ended', 'link-one-sided', 'neighbour-silent', 'version-differs'] as const) {
      assert.equal(checksOf(report).get(code)?.result, 'ok', code);
    }
    // Asked over the link, each tells what it sees of the other.
    const other = site === east ? 'west' : 'east';
    assert.equal(checksOf(report).get('neighbour-doubts')?.result, 'ok');
    assert.match(checksOf(report).get('link-one-sided')?.facts[0] ?? '', new RegExp(`^${other}: cost 1 at both ends, up for \\d+ s$`));
    assert.match(checksOf(report).get('neighbour-silent')?.facts[0] ?? '', new RegExp(`^${other}: [\\d.]+ ms there and back$`));
  }
  assert.equal(checksOf(await west.check()).get('link-peer-not-proven')?.result, 'ok');
  assert.equal(checksOf(await east.check()).get('connector-server-down')?.result, 'ok');
  assert.equal(checksOf(await east.check()).get('link-port-closed')?.result, 'ok');
});

test('a neighbour that is gone is the cause, its link, its site and its services follow', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await linked(sites);
  await west.apply(listenerYaml('backend', await freePort()), 'west.yaml');
  await sites.stop(east);
  await until('the loss is seen', () => west.warnings().some(({ code }) => code === 'link-down'));
  const report = await west.check();
  assert.equal(report.success, false);
  assert.deepEqual(wrong(report), [
    'link-endpoint-unreachable error',
    'link-down follows',
    'site-unreachable follows',
    'address-without-connector follows',
  ]);
  const [problem] = checksOf(report).get('link-endpoint-unreachable')?.problems ?? [];
  assert.match(problem?.evidence ?? '', /refused the connection/);
  assert.match(problem?.remedy ?? '', /van site start/);
});

test('a short-lived certificate that nobody renews', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await linked(sites, 20_000);
  await sites.stop(west);
  await sites.stop(east);
  const late = await sites.open('west', { clock: clockAhead(25_000) });
  await until('the loss is seen', () => late.warnings().some(({ code }) => code === 'link-down'));
  const report = await late.check();
  assert.equal(report.success, false);
  const checks = checksOf(report);
  assert.equal(checks.get('certificate-ended')?.result, 'error');
  assert.match(checks.get('certificate-ended')?.problems[0]?.evidence ?? '', /^it ended at 20\d\d-/);
  assert.equal(checks.get('link-down')?.result, 'follows');
});

test('a clock that is wrong is told at the site itself, and at each of its neighbours', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await linked(sites);
  const north = await sites.start('north');
  await join(east, north);
  await sites.stop(east);
  const wrongEast = await sites.open('east', { clock: clockAhead(2 * hourMs) });
  await until('the links are up', () => sees(wrongEast, 'west') && sees(wrongEast, 'north'));
  const report = await wrongEast.check();
  assert.deepEqual(wrong(report), ['clock-differs error']);
  assert.match(checksOf(report).get('clock-differs')?.problems[0]?.text ?? '', /is 2 h ahead of those of its neighbours/);
  assert.equal(report.success, false);
  // Seen from one neighbour alone, nobody knows which of the two is wrong.
  await until('west sees it', () => west.warnings().some(({ code }) => code === 'peer-clock-differs'));
  // At its link endpoint east tells the time of this host; over the link that of its router, which counts.
  assert.equal(checksOf(await west.check()).get('peer-clock-differs')?.result, 'warning');
});

test('a listener without a connector, and a connector whose server is down', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await linked(sites);
  await west.apply(listenerYaml('backend', await freePort()), 'west.yaml');
  assert.deepEqual(wrong(await west.check()), ['address-without-connector warning']);
  await east.apply(connectorYaml('backend', await freePort()), 'east.yaml');
  await until('the connector is known', () => west.warnings().length === 0);
  assert.deepEqual(wrong(await west.check()), []);
  const report = await east.check();
  assert.deepEqual(wrong(report), ['connector-server-down error']);
  assert.match(checksOf(report).get('connector-server-down')?.problems[0]?.evidence ?? '', /nothing listens there/);
});

test('another version', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await linked(sites);
  await sites.stop(west);
  const newer = await sites.open('west', { version: '9.0.0' });
  await until('the link is up', () => sees(newer, 'east') && sees(east, 'west'));
  await until('versions are told', async () => wrong(await newer.check()).includes('version-differs warning'));
  assert.match(
    checksOf(await newer.check()).get('version-differs')?.problems[0]?.text ?? '',
    /'east' runs version 0\.1\.0, this site 9\.0\.0/,
  );
});

test('something else that answers at a link endpoint', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await linked(sites);
  const [link] = west.report().filter((resource) => resource.kind === 'Link');
  const port = Number(link?.spec.endpoints[0]?.port);
  await sites.stop(east);
  // A server that accepts and says something that is not TLS.
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('220 hello\r\n');
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  assert.equal((server.address() as AddressInfo).port, port);
  try {
    await until('the loss is seen', () => west.warnings().some(({ code }) => code === 'link-down'));
    assert.ok(wrong(await west.check()).includes('link-endpoint-unreachable error'));
  } finally {
    server.close();
  }
  // A site of another network on the same port proves to be one of that.
  const other = await sites.start('other', port);
  await other.issueToken({});
  await until('the other network answers', async () => wrong(await west.check()).includes('link-peer-not-proven error'));
  const report = await west.check();
  assert.equal(checksOf(report).get('link-down')?.result, 'follows');
  assert.match(checksOf(report).get('link-peer-not-proven')?.problems[0]?.evidence ?? '', /not issued in this network|of network/);
});

test('a revocation is in the audit log of every site, and explains what follows from it', async () => {
  await using sites = await TestSites.create();
  const { east, west } = await linked(sites);
  const north = await sites.start('north');
  await join(east, north);
  await east.revokeSite('west', 'stolen');
  const events = async (name: string, event: string): Promise<readonly unknown[]> => {
    const records = await Array.fromAsync(readAudit({ path: sites.layout(name).auditFile }));
    return records.filter((record) => record.event === event).map(({ fields }) => [fields['site'], fields['reason'], fields['by']]);
  };
  for (const name of ['east', 'west', 'north']) {
    await until(`${name} keeps it`, async () => (await events(name, 'siteRevoked')).length > 0);
    assert.deepEqual(await events(name, 'siteRevoked'), [['west', 'stolen', 'the network root']]);
  }
  assert.equal((await events('east', 'tokenRedeemed')).length, 2);
  await until('the link is cut', () => west.warnings().some(({ code }) => code === 'link-down'));
  assert.deepEqual(
    wrong(await west.check()).filter((check) => !check.endsWith('follows')),
    ['site-revoked error'],
  );
  for (const site of [east, north]) {
    assert.deepEqual(
      wrong(await site.check()).filter((check) => !check.endsWith('follows')),
      ['site-revoked-elsewhere info'],
    );
  }
});

test('what is changed is in the audit log', async () => {
  await using sites = await TestSites.create();
  const east = await sites.start('east');
  await east.apply(listenerYaml('backend', await freePort()), 'east.yaml');
  await east.remove('Listener', 'backend');
  const records = await Array.fromAsync(readAudit({ path: sites.layout('east').auditFile }));
  assert.deepEqual(
    records.map(({ event, fields }) => [event, fields]),
    [
      ['configurationChanged', { change: 'applied', kind: 'Listener', name: 'backend' }],
      ['configurationChanged', { change: 'removed', kind: 'Listener', name: 'backend' }],
    ],
  );
});
