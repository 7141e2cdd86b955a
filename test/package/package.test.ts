import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, realpath, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { freePort } from '../e2e/ports.ts';
import { VanSandbox } from '../e2e/van-sandbox.ts';
import { ask } from '../page/web-client.ts';
import { projectFolder } from '../source-files.ts';
import { buildBareRoot, runInBareRoot } from './bare-root.ts';

const run = promisify(execFile);
const isLinux = process.platform === 'linux';
const needsRoot = isLinux && process.getuid?.() === 0 ? false : 'needs root on Linux';
/** Making a package compiles the product and may compile the overlay's programs. */
const timeoutMs = 120_000;

interface Made {
  readonly archive: string;
  readonly hash: string;
  readonly sums: string;
  readonly said: string;
}

/** As users do it, but for the time that compression takes. */
async function make(folder: string): Promise<Made> {
  const { stdout } = await run(process.execPath, [join(projectFolder, 'packaging/main.ts'), '--folder', folder, '--level', '0'], {
    timeout: timeoutMs,
  });
  const [name = ''] = (await readdir(folder)).filter((entry) => entry.endsWith('.tar.gz'));
  const hash = createHash('sha256');
  await pipeline(createReadStream(join(folder, name)), hash);
  return { archive: join(folder, name), hash: hash.digest('hex'), sums: await readFile(join(folder, 'SHA256SUMS'), 'utf8'), said: stdout };
}

suite('the package', { concurrency: false, timeout: timeoutMs }, () => {
  let folder = '';
  let unpacked = '';
  let made: Made;
  /** What a user's shell has where nothing is installed. */
  let environment: Readonly<Record<string, string>>;

  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'caravan-packed-')));
    environment = { PATH: '/usr/bin:/bin', HOME: folder, TMPDIR: folder };
    made = await make(join(folder, 'first'));
    await mkdir(join(folder, 'unpacked'));
    await run('tar', ['-xzf', made.archive, '-C', join(folder, 'unpacked')], { env: environment });
    const [name = ''] = await readdir(join(folder, 'unpacked'));
    unpacked = join(folder, 'unpacked', name);
  });

  after(() => rm(folder, { recursive: true, force: true }));

  test('is named after the version and the machine, is the same twice, and its sum is beside it', async () => {
    const { version } = JSON.parse(await readFile(join(projectFolder, 'package.json'), 'utf8')) as { version: string };
    assert.equal(basename(made.archive), `caravan-${version}-${process.platform}-${process.arch}.tar.gz`);
    assert.equal(basename(unpacked), `caravan-${version}`);
    assert.equal(made.sums, `${made.hash}  ${basename(made.archive)}\n`);
    await rm(made.archive);
    const again = await make(join(folder, 'second'));
    assert.equal(again.hash, made.hash);
    await rm(again.archive);
  });

  test('has what runs, the licences of it, and no sources, tests or libraries of the development', async () => {
    const names = await readdir(unpacked, { recursive: true });
    for (const name of ['van', 'LICENSE', 'LICENSES-OF-OTHERS.txt', 'runtime/node', 'console/dist/index.html', 'dist/cli/main.js']) {
      assert.ok(names.includes(name), name);
    }
    assert.deepEqual(
      names.filter((name) => /\.(?:ts|map|cc|hh)$|\.test\.|\/typescript(?:\/|$)|musl_/.test(name)),
      [],
    );
    const licences = await readFile(join(unpacked, 'LICENSES-OF-OTHERS.txt'), 'utf8');
    const packages = names.filter((name) => /^node_modules\/(?:@[^/]+\/)?[^/@]+\/package\.json$/.test(name));
    assert.ok(packages.length >= 9, packages.join());
    for (const path of [...packages.map((name) => join(unpacked, name)), join(projectFolder, 'node_modules/preact/package.json')]) {
      const { name, version } = JSON.parse(await readFile(path, 'utf8')) as { name: string; version: string };
      // In the list, and above the text.
      assert.equal(licences.split(`\n${name} ${version}\n`).length, 3, name);
    }
    assert.ok(licences.includes(`\nnode ${process.versions.node}\n`));
  });

  test('runs by a link from elsewhere, in any folder', async () => {
    await mkdir(join(folder, 'bin'));
    await symlink(`../unpacked/${basename(unpacked)}/van`, join(folder, 'bin/van'));
    const path = `${join(folder, 'bin')}:${environment['PATH']}`;
    const { stdout } = await run('van', ['version', '-o', 'json'], { cwd: '/', env: { ...environment, PATH: path } });
    const { version } = JSON.parse(await readFile(join(projectFolder, 'package.json'), 'utf8')) as { version: string };
    assert.deepEqual(JSON.parse(stdout), { version, node: process.versions.node, platform: `${process.platform}-${process.arch}` });
  });

  test('two sites, a token, a service and the console, and nothing of the checkout', async () => {
    await using box = await VanSandbox.make({ program: join(unpacked, 'van'), environment });
    const server = createServer((_request, response) => response.end('hello from the package')).listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const [linkPort, consolePort, port] = [await freePort(), await freePort(), await freePort()];
      await box.done(
        `-n west site create west --enable-link-access --link-access-host 127.0.0.1 --link-access-port ${linkPort} --enable-observer --observer-listen 127.0.0.1:${consolePort}`,
      );
      await box.done('-n east site create east');
      await box.done('-n west token issue token.yaml');
      await box.done('-n east token redeem token.yaml');
      await box.done(`-n west expose hello ${(server.address() as AddressInfo).port}`);
      await box.done(`-n east listener create hello ${port} --wait ready --timeout 20s`);
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { Connection: 'close' }, signal: AbortSignal.timeout(10_000) });
      assert.equal(await answer.text(), 'hello from the package');
      assert.match(await box.done('-n west console'), /#code=/);
      const page = await ask(consolePort, '/');
      assert.deepEqual([page.status, page.text], [200, await readFile(join(unpacked, 'console/dist/index.html'), 'utf8')]);
      if (isLinux) {
        for (const namespace of ['west', 'east']) {
          const mapped = await readFile(`/proc/${await box.pid(namespace)}/maps`, 'utf8');
          assert.ok(mapped.includes(join(unpacked, 'runtime/node')));
          assert.ok(!mapped.includes(join(projectFolder, 'node_modules')));
        }
      }
      for (const name of ['west', 'east']) await box.done(`-n ${name} site delete ${name}`);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  test('needs a shell and the C library of its system, and nothing else of it', { skip: needsRoot }, async (context) => {
    const root = join(folder, 'root');
    const missing = await buildBareRoot(root);
    if (missing !== undefined) {
      context.skip(missing);
      return;
    }
    const { status, stdout, stderr } = runInBareRoot(root, unpacked, 'van version && van -n a site create a && van -n a site delete');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^van \d[^]*Site "a" is ready[^]*is deleted/);
  });

  test(
    'has the programs of the overlay when they were built, else it was said that they are left out',
    { skip: !isLinux && 'needs Linux' },
    () => {
      const object = join(unpacked, 'bpf/dist/overlay.o');
      const { stdout } = spawnSync(join(unpacked, 'van'), ['overlay', 'doctor', '-o', 'json'], {
        cwd: '/',
        env: environment,
        encoding: 'utf8',
      });
      const { checks } = JSON.parse(stdout) as { checks: readonly { code: string; result: string; seen: string }[] };
      const programs = checks.find(({ code }) => code === 'programs');
      if (!existsSync(object)) {
        assert.match(made.said, /^Left out: the programs of the tenant overlay/m);
        assert.equal(programs?.result, 'error');
      } else if (needsRoot === false) assert.equal(programs?.seen, `${object} loads`);
      else assert.equal(programs?.result, 'skipped');
      const plugin = join(unpacked, 'cni/dist/caravan-cni');
      if (existsSync(plugin)) assert.equal(checks.find(({ code }) => code === 'cni-plugin')?.seen, plugin);
      else assert.match(made.said, /^Left out: the CNI plugin/m);
    },
  );
});
