import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { freePort } from './ports.ts';
import { until } from './until.ts';
import { VanSandbox } from './van-sandbox.ts';

interface Report {
  readonly success: boolean;
  readonly categories: readonly { readonly checks: readonly { readonly code: string; readonly result: string }[] }[];
}

function results(text: string): { readonly success: boolean; readonly wrong: readonly string[] } {
  const { success, categories } = JSON.parse(text) as Report;
  const checks = categories.flatMap((category) => category.checks);
  return {
    success,
    wrong: checks.filter(({ result }) => !['ok', 'skipped'].includes(result)).map(({ code, result }) => `${code} ${result}`),
  };
}

suite('van check and van site audit with real sites', { concurrency: false }, () => {
  test('from no site at all over a site in order to a neighbour that is gone', async () => {
    await using sandbox = await VanSandbox.make();
    const none = await sandbox.van('-n east check');
    assert.equal(none.code, 1);
    assert.match(none.out, /× The site runs\n {4}there is no site in namespace 'east'\n {6}try: {2}van -n east site create NAME\n/);

    const port = await freePort();
    await sandbox.done(`-n west site create west --enable-link-access --link-access-host 127.0.0.1 --link-access-port ${port}`);
    await sandbox.done('-n east site create east');
    await sandbox.done('-n west token issue token.yaml');
    await sandbox.done('-n east token redeem token.yaml');
    const server = createServer((socket) => socket.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      await sandbox.done(`-n west connector create db ${(server.address() as AddressInfo).port}`);
      await sandbox.done(`-n east listener create db ${await freePort()}`);
      const good = await sandbox.van('-n east check --wait 20s');
      assert.equal(good.code, 0, good.out);
      assert.match(good.out, /√ Every link of this site is up\n/);
      assert.match(good.out, /\nStatus check results are √ \(\d+ passed/);
      for (const namespace of ['east', 'west']) assert.deepEqual(results(await sandbox.done(`-n ${namespace} check -o json`)).wrong, []);
      assert.match(await sandbox.done('-n west check -o short'), /^Status check results are √/);
    } finally {
      server.close();
    }
    const dead = await sandbox.van('-n west check -o json');
    assert.equal(dead.code, 1);
    assert.deepEqual(results(dead.out), { success: false, wrong: ['connector-server-down error'] });

    await sandbox.done('-n west site stop');
    const alone = await until('the loss is seen', async () => {
      const { out } = await sandbox.van('-n east check -o json');
      return results(out).wrong.length === 4 ? results(out) : undefined;
    });
    assert.deepEqual(alone.wrong, [
      'link-endpoint-unreachable error',
      'link-down follows',
      'site-unreachable follows',
      'address-without-connector follows',
    ]);
    for (const verb of ['network status', 'site status']) {
      assert.match(
        await sandbox.done(`-n east ${verb}`),
        /^error: the link '.+' is down \(link-down\) \[2 more problems follow from it\]$/m,
      );
    }
    const status = JSON.parse(await sandbox.done('-n east network status -o json')) as {
      warnings: { warning: { code: string; severity: string; dependsOn: string[] }; follows: object[] }[];
    };
    assert.deepEqual(
      status.warnings.map(({ warning, follows }) => [warning.code, warning.severity, follows.length]),
      [['link-down', 'error', 2]],
    );

    await sandbox.done('-n east site stop');
    const stopped = await sandbox.van('-n east check -o json');
    assert.equal(stopped.code, 1);
    assert.deepEqual(results(stopped.out).wrong, ['site-not-running error']);
    assert.match((await sandbox.van('-n east check --wait soon')).error, /--wait: must be a duration/);
    assert.match((await sandbox.van('-n east check -o shrt')).error, /did you mean short\?/);
  });

  test('the audit log shows what was changed, of a site that runs or not, and follows what comes', async () => {
    await using sandbox = await VanSandbox.make();
    await sandbox.done('-n east site create east');
    await sandbox.done(`-n east connector create first ${await freePort()}`);
    const follower = spawn(join(import.meta.dirname, '../../van'), ['-n', 'east', 'site', 'audit', '--follow', '-o', 'json'], {
      env: { ...process.env, ...sandbox.environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let told = '';
      follower.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
      const names = (): readonly string[] =>
        told
          .split('\n')
          .slice(0, -1)
          .map((line) => (JSON.parse(line) as { fields: { name: string } }).fields.name);
      await until('the first change is told', () => names().includes('first'));
      await sandbox.done(`-n east connector create second ${await freePort()}`);
      await until('the second change is told', () => names().includes('second'));
    } finally {
      follower.kill('SIGTERM');
    }
    const [code] = (await once(follower, 'close')) as [number | null];
    assert.equal(code, 0);
    await sandbox.done('-n east site stop');
    assert.match(
      await sandbox.done('-n east site audit --since 1h'),
      /configurationChanged change="applied" kind="Connector" name="second"/,
    );
    assert.match((await sandbox.van('-n other site audit')).error, /there is no site in namespace 'other'/);
  });
});
