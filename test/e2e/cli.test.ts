import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './ports.ts';
import { until } from './until.ts';
import { isAlive, VanSandbox, type Outcome } from './van-sandbox.ts';

/** A server of 127.0.0.1 that disposing closes. */
async function listening(server: Server): Promise<{ readonly port: number } & AsyncDisposable> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.close();
      if ('closeAllConnections' in server) (server.closeAllConnections as () => void)();
      await once(server, 'close');
    },
  };
}

function helloServer(text: string): Promise<{ readonly port: number } & AsyncDisposable> {
  return listening(createHttpServer((_request, response) => response.end(text)));
}

async function get(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { Connection: 'close' }, signal: AbortSignal.timeout(5000) });
  return response.text();
}

/** Makes `west`, which accepts links on a port of its own, and gives that. */
async function createWest(sandbox: VanSandbox): Promise<number> {
  const port = await freePort();
  await sandbox.done(`-n west site create west --enable-link-access --link-access-host 127.0.0.1 --link-access-port ${port}`);
  return port;
}

async function linkEast(sandbox: VanSandbox): Promise<void> {
  await sandbox.done('-n east site create east');
  await sandbox.done('-n west token issue token.yaml');
  await sandbox.done('-n east token redeem token.yaml');
}

function refused(outcome: Outcome, code: number, pattern: RegExp): void {
  assert.match(outcome.error, pattern);
  assert.match(outcome.error, /^error: /m);
  assert.doesNotMatch(outcome.error, /unexpected|internal| {4}at /);
  assert.equal(outcome.code, code, outcome.error);
  assert.equal(outcome.out, '');
}

suite('the command line with real sites', { concurrency: false }, () => {
  test('two sites, a token, a service: from nothing to HTTP and back', async () => {
    await using sandbox = await VanSandbox.make();
    await using server = await helloServer('hello from west');
    const linkPort = await createWest(sandbox);
    await linkEast(sandbox);
    assert.equal((await stat(sandbox.file('token.yaml'))).mode & 0o777, 0o600);
    assert.match(
      await sandbox.done('-n east link status'),
      new RegExp(`Ready {3}1 {5}127\\.0\\.0\\.1:${linkPort} {2}west {2}(?:signed|certified) +\\d+s +OK`),
    );
    await sandbox.done(`-n west expose hello ${server.port}`);
    const port = await freePort();
    const created = await sandbox.done(`-n east listener create hello ${port} --wait ready --timeout 20s`);
    assert.equal(created, `Listener "hello" is created: 127.0.0.1:${port} leads to routing key "hello".\n`);
    assert.equal(await get(port), 'hello from west');

    const tree = await sandbox.done('-n east network status');
    assert.match(tree, /├─ east {2}\[this site\]/);
    assert.match(tree, /╰─ west {2}\[direct, cost 1\]/);
    assert.match(tree, /hello {2}\[balanced\]\n +├─ offered by west/);
    assert.match(await sandbox.done('-n west network status'), /╰─ east {2}\[direct, cost 1\]/);
    assert.match(await sandbox.done('-n west service status'), /^hello {8}tcp {3}balanced {6}west {8}east {5}-$/m);
    assert.match(await sandbox.done('-n west connector status hello'), /^Has matching listener: +true$/m);
    assert.equal(
      await sandbox.done('site status --all'),
      'NAMESPACE  NAME  STATUS  MESSAGE\neast       east  Ready   OK\nwest       west  Ready   OK\n',
    );

    // A site that was killed comes back with all it had, by the command that made it.
    const killed = await sandbox.pid('west');
    process.kill(killed, 'SIGKILL');
    await until('west is gone', () => !isAlive(killed));
    assert.match(await sandbox.done('-n west site status'), /^Status: +Stopped$/m);
    await sandbox.done('-n west site create west');
    assert.notEqual(await sandbox.pid('west'), killed);
    await sandbox.done('-n east link status --wait ready --timeout 20s');
    await sandbox.done('-n east listener status hello --wait ready --timeout 20s');
    assert.equal(await until('the service answers', () => get(port).catch(() => undefined)), 'hello from west');

    const pids = [await sandbox.pid('west'), await sandbox.pid('east')];
    await sandbox.done('-n west site stop');
    assert.match(await sandbox.done('-n west site stop'), /was not running/);
    await sandbox.done('-n west site start');
    pids.push(await sandbox.pid('west'));
    assert.match(await sandbox.done('-n west site logs'), /site is running/);
    await sandbox.done('-n east link delete '.concat((await linkNames(sandbox, 'east'))[0] ?? ''));
    assert.deepEqual(await linkNames(sandbox, 'east'), []);
    for (const name of ['west', 'east']) await sandbox.done(`-n ${name} site delete ${name}`);
    await until('every process has ended', () => !pids.some(isAlive));
    assert.match(await sandbox.done('site status --all'), /There are no sites/);
  });

  test('resources from files do what commands do', async () => {
    await using sandbox = await VanSandbox.make();
    await using server = await helloServer('hello');
    await createWest(sandbox);
    await sandbox.done('-n east site create east');
    const port = await freePort();
    const resources = serviceYaml(server.port, port);
    await writeFile(sandbox.file('services.yaml'), resources);
    assert.equal(await sandbox.done('-n west apply -f services.yaml'), 'Listener/hello created\nConnector/hello created\n');
    assert.equal(await sandbox.done('-n west apply -f services.yaml'), 'Listener/hello unchanged\nConnector/hello unchanged\n');
    assert.equal(await until('the service answers', () => get(port).catch(() => undefined)), 'hello');
    await sandbox.done('-n west apply -f -', { input: grantYaml });
    const grants = await sandbox.done('-n west link generate to-west');
    const applied = await sandbox.van('-n east apply -f - --wait ready --timeout 20s', { input: grants });
    assert.equal(applied.code, 0, applied.error);
    assert.match(await sandbox.done('-n east link status'), /^to-west {2}Ready/m);
    assert.equal(await sandbox.done('-n west delete -f services.yaml'), 'Listener/hello deleted\nConnector/hello deleted\n');
    assert.match(await sandbox.done('-n west listener status'), /There are no listeners/);
  });

  test('what cannot be done is told with the reason, and nothing is lost', async () => {
    await using sandbox = await VanSandbox.make();
    const linkPort = await createWest(sandbox);
    await linkEast(sandbox);
    await sandbox.done('-n third site create third');

    refused(await sandbox.van('-n third token redeem token.yaml'), 1, /used|redeemed/);
    refused(await sandbox.van('-n west token issue token.yaml'), 2, /token\.yaml: exists already/);
    await sandbox.done('-n west token issue token.yaml --force --expiration-window 1s');
    await sleep(1100);
    refused(await sandbox.van('-n third token redeem token.yaml'), 1, /expired/);
    await sandbox.done('-n west token issue good.yaml');
    const token = await readFile(sandbox.file('good.yaml'), 'utf8');
    const tampered = token.replace(/code: (\S)/, (_, first: string) => `code: ${first === 'a' ? 'b' : 'a'}`);
    assert.notEqual(tampered, token);
    refused(await sandbox.van('-n third token redeem -', { input: tampered }), 1, /code|secret|wrong|token/);
    refused(await sandbox.van('-n third token redeem -', { input: token.replace('redeem/', 'redeem/zz') }), 1, /token/);
    refused(await sandbox.van('-n third token redeem -', { input: token.replace('AccessToken', 'AccessTokens') }), 2, /kind is/);
    refused(await sandbox.van('-n third token redeem -', { input: token.slice(0, token.length / 2) }), 2, /standard input/);
    refused(await sandbox.van('-n west token redeem good.yaml'), 2, /this site issued the token itself/);
    refused(await sandbox.van('-n third token issue third.yaml'), 1, /accepts no links/);

    // A network of its own with a member cannot be joined to another.
    const otherPort = await freePort();
    await sandbox.done(`-n other site create other --enable-link-access --link-access-host 127.0.0.1 --link-access-port ${otherPort}`);
    await sandbox.done('-n other token issue other.yaml');
    refused(await sandbox.van('-n east token redeem other.yaml'), 2, /a site is in one network/);
    // Who issued it is not there.
    const foreign = await readFile(sandbox.file('other.yaml'), 'utf8');
    await sandbox.done('-n other site stop');
    refused(await sandbox.van('-n third token redeem - --timeout 20s', { input: foreign }), 1, new RegExp(String(otherPort)));
    // The certificate of whoever answers there is not of the token's network.
    refused(
      await sandbox.van('-n third token redeem -', { input: foreign.replace(`:${otherPort}/`, `:${linkPort}/`) }),
      1,
      /certificate|network/,
    );

    refused(await sandbox.van('-n west link status nothing'), 2, /Link 'nothing': does not exist/);
    refused(await sandbox.van('-n west connector delete nothing'), 2, /Connector 'nothing': does not exist/);
    refused(await sandbox.van('-n west connector create backend 8080 --wait ready --timeout 1s'), 1, /No matching listeners/);
    // The good token has not been used up by any of this.
    await sandbox.done('-n third token redeem good.yaml');
    assert.match(await sandbox.done('-n third network status'), /east {2}\[indirect by west, cost 2\]/);
  });

  test('ports in use, hosts that do not exist and servers that are dead', async () => {
    await using sandbox = await VanSandbox.make();
    await using busy = await listening(createServer());
    await sandbox.done(`-n west site create west --enable-link-access --link-access-host 127.0.0.1 --link-access-port ${busy.port}`);
    refused(await sandbox.van('-n west token issue token.yaml'), 1, /in use|EADDRINUSE/);
    const deadPort = await freePort();
    await sandbox.done(`-n west connector create backend ${deadPort}`);
    refused(await sandbox.van(`-n west listener create backend ${busy.port}`), 1, /in use|EADDRINUSE/);
    assert.match(await sandbox.done('-n west listener status backend'), /^Status: +Error$/m);
    await sandbox.done('-n west listener delete backend');
    const port = await freePort();
    await sandbox.done(`-n west listener create backend ${port}`);
    await assert.rejects(get(port));
    refused(
      await sandbox.van('-n west apply -f - --wait ready --timeout 2s', { input: lostLinkYaml }),
      1,
      /Link 'lost' is not ready: .*the host name cannot be resolved/,
    );
    const lonelyPort = await freePort();
    const lonely = await sandbox.van(`-n west listener create lonely ${lonelyPort}`);
    assert.equal(lonely.code, 0, lonely.error);
    assert.equal(lonely.error, 'Nobody offers "lonely" yet: the port is closed until somebody does.\n');
    await assert.rejects(get(lonelyPort), (error: Error) => (error.cause as { code?: string }).code === 'ECONNREFUSED');
    refused(await sandbox.van(`-n west listener create other ${port}`), 2, /wants 127\.0\.0\.1:\d+, which Listener 'backend' has/);
    assert.match(await sandbox.done('-n west site status'), /^Process: /m);
  });

  test('a unit for systemd runs the site in the foreground with the same state', async () => {
    await using sandbox = await VanSandbox.make();
    const environment = { XDG_CONFIG_HOME: sandbox.file('config'), XDG_CACHE_HOME: sandbox.file('cache') };
    const { code, out, error } = await sandbox.van('-n edge site create edge --systemd', { environment });
    assert.equal(code, 0, error);
    assert.match(out, /^ {2}systemctl --user daemon-reload\n {2}systemctl --user enable --now caravan-edge\.service$/m);
    const unit = await readFile(sandbox.file('config/systemd/user/caravan-edge.service'), 'utf8');
    assert.match(unit, new RegExp(`^Environment="XDG_DATA_HOME=${sandbox.file('data')}"$`, 'm'));
    const [, program = '', parameters = ''] = /^ExecStart="(.*)" (.*)$/m.exec(unit) ?? [];
    const child = spawn(program, parameters.split(' '), { env: { ...process.env, ...sandbox.environment }, stdio: 'ignore' });
    const ended = once(child, 'exit');
    await until('the site answers', async () => (await sandbox.van('-n edge site status')).out.includes('Ready'));
    assert.equal(await sandbox.pid('edge'), child.pid);
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
    assert.match((await sandbox.van('-n edge site delete', { environment })).out, /systemctl --user disable caravan-edge\.service/);
    await assert.rejects(stat(sandbox.file('config/systemd/user/caravan-edge.service')));
  });

  test('a state folder of another version is left alone', async () => {
    await using sandbox = await VanSandbox.make();
    await sandbox.done('-n west site create west');
    await sandbox.done('-n west site stop');
    const file = sandbox.file('data/caravan/namespaces/west/state.json');
    await writeFile(file, '{"version": 99}\n');
    for (const line of ['site create west', 'site start', 'listener create x 8080']) {
      refused(await sandbox.van(`-n west ${line}`), 2, /version 99, newer than version/);
    }
    assert.equal(await readFile(file, 'utf8'), '{"version": 99}\n');
    await writeFile(file, '{"version": 1}\n');
    await sandbox.done('-n west site start');
  });

  test('the launcher works through symbolic links, from anywhere', async () => {
    await using sandbox = await VanSandbox.make();
    await symlink(join(import.meta.dirname, '../../van'), sandbox.file('one'));
    await symlink('one', sandbox.file('two'));
    // A shell without the pinned Node on its path.
    const { stdout } = await promisify(execFile)(sandbox.file('two'), ['version'], {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', HOME: sandbox.folder },
    });
    assert.match(stdout, /^van \d/);
  });
});

async function linkNames(sandbox: VanSandbox, namespace: string): Promise<string[]> {
  const links = JSON.parse(await sandbox.done(`-n ${namespace} link status -o json`)) as { metadata: { name: string } }[];
  return links.map(({ metadata }) => metadata.name);
}

function serviceYaml(serverPort: number, port: number): string {
  return `apiVersion: skupper.io/v2alpha1
kind: Connector
metadata: {name: hello}
spec: {routingKey: hello, host: 127.0.0.1, port: ${serverPort}}
---
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata: {name: hello}
spec: {routingKey: hello, host: 127.0.0.1, port: ${port}}
`;
}

const grantYaml = `apiVersion: skupper.io/v2alpha1
kind: AccessGrant
metadata: {name: for-friends}
spec: {redemptionsAllowed: 3, expirationWindow: 1h}
`;

const lostLinkYaml = `apiVersion: skupper.io/v2alpha1
kind: Link
metadata: {name: lost}
spec:
  endpoints: [{name: inter-router, host: no-such-host.invalid, port: "55671"}]
`;
