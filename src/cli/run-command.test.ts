import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { commandGroups, commands } from './command-table.ts';
import { runCommand } from './run-command.ts';
import { TestShell } from './test-shell.ts';

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

let folder = '';

async function van(line: string, options: { input?: string; environment?: Record<string, string> } = {}): Promise<Outcome> {
  const shell = new TestShell({ XDG_DATA_HOME: folder, XDG_RUNTIME_DIR: folder, ...options.environment }, options.input);
  const code = await runCommand(
    line.split(' ').filter((word) => word !== ''),
    shell,
  );
  return { code, out: shell.out, error: shell.error };
}

suite('the command line without a running site', () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'caravan-cli-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('help lists every command', async () => {
    for (const line of ['help', '--help', '-h']) {
      const { code, out } = await van(line);
      assert.equal(code, 0);
      for (const verb of commands.keys()) assert.ok(out.includes(`  ${verb} `), `${line}: ${verb}`);
    }
    assert.equal((await van('')).code, 2);
  });

  test('every command has help with options, meanings and an example that begins with it', async () => {
    for (const [verb, { summary, load }] of commands) {
      const { command } = await load();
      for (const line of [`${verb} --help`, `help ${verb}`, `-n x ${verb} -h`]) {
        const { code, out, error } = await van(line);
        assert.equal(code, 0, line);
        assert.equal(error, '');
        assert.ok(out.startsWith(`${summary}.`), line);
        assert.ok(out.includes(`Usage: van ${verb}`), line);
        for (const name of Object.keys(command.options)) assert.ok(out.includes(`--${name}`), `${line}: ${name}`);
      }
      assert.ok(command.examples.length > 0, `${verb} has an example`);
      for (const { line, meaning } of command.examples) {
        assert.ok(line.includes('van ') && verb.split(' ').every((word) => line.includes(` ${word}`)), line);
        assert.notEqual(meaning, '');
      }
      for (const { meaning } of [...Object.values(command.options), ...command.parameters]) assert.notEqual(meaning, '');
    }
  });

  test('help on the first word of verbs lists them', async () => {
    const { code, out } = await van('help token');
    assert.equal(code, 0);
    assert.match(out, /token issue/);
    assert.match(out, /token redeem/);
    assert.doesNotMatch(out, /site create/);
    assert.equal((await van('help nonsense')).code, 2);
  });

  test('no option of a command hides a common one with another meaning', async () => {
    // "check" has a short form, and waits for all to be well rather than for a level; messages and pings are no tables; a ping waits for each answer.
    // Commands that show traffic have wide tables, and no YAML; a trace waits for its request.
    const wide = ['edges', 'gateways', 'link status', 'stat', 'tap', 'top', 'trace'].map((verb) => `${verb}: output`);
    const ownWays = new Set([
      'check: output',
      'check: wait',
      'ping: output',
      'ping: timeout',
      'subscribe: output',
      'trace: timeout',
      ...wide,
    ]);
    for (const group of Object.values(commandGroups)) {
      for (const [verb, { load }] of Object.entries(group)) {
        const { options } = (await load()).command;
        const others = Object.entries(options).filter(([name]) => !ownWays.has(`${verb}: ${name}`));
        const shorts = ['n', 'o', 'h', ...others.flatMap(([, { short }]) => short ?? [])];
        assert.equal(new Set(shorts).size, shorts.length, verb);
        for (const [name] of others) assert.ok(!['namespace', 'output', 'wait', 'timeout', 'help'].includes(name), `${verb}: ${name}`);
      }
    }
  });

  test('typing errors get a suggestion', async () => {
    const expected: Readonly<Record<string, RegExp>> = {
      'sit create x': /did you mean van site create\?/,
      'site craete x': /did you mean van site create\?/,
      listener: /van listener create, van listener status, van listener delete/,
      versoin: /did you mean van version\?/,
      frobnicate: /van help lists all commands/,
      'listener create x 80 --hots y': /did you mean --host\?/,
    };
    for (const [line, pattern] of Object.entries(expected)) {
      const { code, error, out } = await van(line);
      assert.equal(code, 2, line);
      assert.match(error, pattern, line);
      assert.equal(out, '');
    }
  });

  test('the version is told in each format', async () => {
    assert.match((await van('version')).out, /^van \d+\.\d+\.\d+\n$/);
    assert.equal((await van('--version')).out, (await van('version')).out);
    assert.match((await van('version -o yaml')).out, /^version: \d/);
    assert.equal((JSON.parse((await van('version -o json')).out) as { node: string }).node, process.versions.node);
  });

  test('without a site every command says how to make one', async () => {
    await writeFile(join(folder, 'listener.yaml'), listenerYaml);
    const lines = [
      'site status',
      'site start',
      'site stop',
      'site run',
      'site logs',
      'site delete',
      'token issue token.yaml',
      'link status',
      'link delete x',
      'link generate',
      'listener create x 8080',
      'listener status',
      'connector create x 8080',
      'connector delete x',
      'expose x 8080',
      'network status',
      'service status',
      `apply -f ${join(folder, 'listener.yaml')}`,
    ];
    for (const line of lines) {
      const { code, error } = await van(`-n nowhere ${line}`);
      assert.equal(code, 1, line);
      assert.match(error, /^error: there is no site in namespace 'nowhere'\n {2}try: .*van -n nowhere site create NAME/, line);
    }
    assert.match((await van('site status --all')).out, /There are no sites/);
  });

  test('a site that does not run keeps what is applied, and says so', async () => {
    const applied = await van('-n quiet apply -f -', { input: siteYaml });
    assert.equal(applied.code, 0, applied.error);
    assert.equal(applied.out, 'Site/quiet created\nListener/backend created\n');
    assert.match(applied.error, /takes effect at its start: van -n quiet site start/);
    assert.equal((await van('-n quiet apply -f -', { input: siteYaml })).out, 'Site/quiet unchanged\nListener/backend unchanged\n');
    assert.equal((await van('connector create db 5432 --host 10.0.0.7', { environment: { VAN_NAMESPACE: 'quiet' } })).code, 0);
    assert.match((await van('-n quiet site status')).out, /^Name:\s+quiet\nNamespace:\s+quiet\nStatus:\s+Stopped\n/);
    assert.match((await van('-n quiet listener status')).out, /^backend {2}Stopped {2}tcp {3}backend {6}127\.0\.0\.1 {2}8080$/m);
    const rows = JSON.parse((await van('-n quiet connector status -o json')).out) as { spec: object }[];
    assert.deepEqual(rows[0]?.spec, { routingKey: 'db', host: '10.0.0.7', port: 5432 });
    assert.match((await van('-n quiet connector status db')).out, /^Name:\s+db$/m);
    const again = await van('-n quiet connector create db 5433');
    assert.equal(again.code, 2);
    assert.match(again.error, /exists already with type tcp, routing key db, 10\.0\.0\.7:5432/);
    const shop = 'shop 8443 --type http --tls-credentials shop-tls --setting max-tries=2 --setting request-timeout=30s';
    assert.equal((await van(`-n quiet listener create ${shop}`)).code, 0);
    assert.equal((await van(`-n quiet listener create ${shop}`)).code, 0, 'the same again does no harm');
    assert.equal((await van(`-n quiet listener create ${shop} --setting balancing=closest`)).code, 2);
    const { spec } = JSON.parse((await van('-n quiet listener status shop -o json')).out) as { spec: object };
    assert.deepEqual(spec, {
      routingKey: 'shop',
      host: '127.0.0.1',
      port: 8443,
      type: 'http',
      tlsCredentials: 'shop-tls',
      settings: { 'max-tries': '2', 'request-timeout': '30s' },
    });
    for (const [line, message] of [
      ['listener create x 1 --type htpp', /--type: must be one of .*did you mean 'http'/],
      [
        'listener create x 1 --type http --setting max-trys=2',
        /--setting max-trys: setting 'max-trys' is unknown; did you mean 'max-tries'/,
      ],
      ['listener create x 1 --setting max-tries=2', /--setting max-tries: setting 'max-tries' is for type http/],
      ['listener create x 1 --type http --setting max-tries=many', /--setting max-tries: must be a number from 1 to 16/],
      ['listener create x 1 --setting x', /--setting: must be key=value/],
      ['listener create x 1 --setting require-client-cert=true', /--setting require-client-cert: needs tlsCredentials/],
      ['connector create x 1 --use-client-cert', /--use-client-cert: needs tlsCredentials/],
    ] as const) {
      const refused = await van(`-n quiet ${line}`);
      assert.equal(refused.code, 2, line);
      assert.match(refused.error, message);
    }
    assert.equal((await van('-n quiet listener delete shop')).code, 0);
    const stopped = await van('-n quiet network status');
    assert.equal(stopped.code, 1);
    assert.match(stopped.error, /not running/);
    assert.equal((await van('-n quiet connector delete db')).code, 0);
    const unknown = await van('-n quiet connector delete db');
    assert.equal(unknown.code, 2);
    assert.match(unknown.error, /Connector 'db': does not exist in namespace 'quiet'/);
    assert.equal((await van('-n quiet delete -f -', { input: siteYaml })).out.split('\n')[0], 'Listener/backend deleted');
    const other = await van('-n quiet site create loud');
    assert.equal(other.code, 2);
    assert.match(other.error, /namespace 'quiet' has the site 'quiet' already\n {2}try: .*van -n loud site create loud/);
    assert.equal((await van('-n quiet site delete other')).code, 2);
    assert.equal((await van('-n quiet site delete quiet')).code, 0);
    assert.equal((await van('-n quiet site status')).code, 1);
  });

  test('malformed input is refused with its place, and nothing is made', async () => {
    const texts: Readonly<Record<string, RegExp>> = {
      'a: [1,\n': /standard input:2:1: /,
      '{"kind": ': /standard input:1:/,
      'kind: Listner\napiVersion: skupper.io/v2alpha1\nmetadata: {name: x}\n': /standard input:1: kind: .*did you mean 'Listener'\?/,
      [siteYaml.replace('8080', '99999')]: /standard input:13: spec\.port: /,
      [siteYaml.replace('routingKey', 'routingkey')]: /did you mean 'routingKey'\?/,
      '\u0000\u0001': /standard input:/,
      '': /has no resources/,
    };
    for (const [input, pattern] of Object.entries(texts)) {
      const { code, error } = await van('-n never apply -f -', { input });
      assert.equal(code, 2, input);
      assert.match(error, pattern, input);
    }
    assert.equal((await van('-n never site status')).code, 1);
  });

  test('names, ports and hosts are refused before anything is made', async () => {
    const lines = [
      'site create Bad',
      'site create a_b',
      'site create a --link-access-port 80',
      'site create a --enable-link-access --link-access-port 0',
      'site create a --enable-link-access --link-access-host b@d',
      'site create a --enable-link-access --bind-host b@d',
      `site create ${'x'.repeat(64)}`,
      '-n ../up site create a',
      'router',
      'router --config /nonexistent/file',
      'token redeem /nonexistent/file',
      'token issue',
      'token issue x --redemptions-allowed 0',
      'token issue x --expiration-window tomorrow',
      'token issue x --cost -1',
    ];
    for (const line of lines) {
      const { code, error } = await van(line);
      assert.equal(code, 2, `${line}: ${error}`);
      assert.match(error, /^error: \S/, line);
    }
    assert.match((await van('site status --all')).out, /There are no sites/);
  });

  test('errors are JSON when output is', async () => {
    const { error } = await van('-o json listener create x notaport');
    assert.deepEqual(JSON.parse(error), {
      error: { code: 'bad-option', message: "PORT: must be a whole number from 1 to 65535, not 'notaport'" },
    });
  });
});

const listenerYaml = `apiVersion: skupper.io/v2alpha1
kind: Listener
metadata:
  name: backend
spec:
  routingKey: backend
  host: 127.0.0.1
  port: 8080
`;

const siteYaml = `apiVersion: skupper.io/v2alpha1
kind: Site
metadata:
  name: quiet
---
${listenerYaml}`;
