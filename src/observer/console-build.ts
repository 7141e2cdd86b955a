import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { lockFolder } from '../host/folder-lock.ts';

const consoleFolder: string = join(import.meta.dirname, '../../console');
const built: string = join(consoleFolder, 'dist');
const page: string = join(built, 'index.html');
const vite: string = join(import.meta.dirname, '../../node_modules/vite/bin/vite.js');
/** It takes a few seconds; a small machine under load takes longer. */
const buildTimeoutMs = 120_000;
const pollMs = 200;
/** Everything that the pages are made of. */
const sources = ['src', 'public', 'index.html', 'package.json', 'vite.config.ts', 'vite.config.js'];

/**
 * The folder of the console's built pages. A release has them; in a checkout they are built when there are none yet or their
 * sources are newer, by one process at a time. Throws WeatherError `console-build`.
 */
export async function builtConsole(log: Logger): Promise<string> {
  const endMs = performance.now() + buildTimeoutMs;
  while (!(await isFresh())) {
    await mkdir(built, { recursive: true });
    try {
      await using _lock = await lockFolder(built);
      // Whoever had the lock before may have done it.
      if (!(await isFresh())) await build(log);
      return built;
    } catch (error) {
      const isBusy = error instanceof WeatherError && error.code === 'state-in-use' && performance.now() < endMs;
      if (!isBusy) {
        if ((await modifiedMs(page)) === undefined) throw error;
        log.warn('the console is served as it was built before', { reason: error instanceof Error ? error.message : String(error) });
        return built;
      }
    }
    await sleep(pollMs);
  }
  return built;
}

async function isFresh(): Promise<boolean> {
  const builtMs = await modifiedMs(page);
  if ((await modifiedMs(vite)) !== undefined) return builtMs !== undefined && builtMs >= (await newestSourceMs());
  if (builtMs !== undefined) return true;
  throw new WeatherError('console-build', 'the pages of the console are not built', { remedy: 'run npm ci in the project folder' });
}

/** Builds beside and moves it in place, so that there are pages all the time. */
async function build(log: Logger): Promise<void> {
  log.info('building the pages of the console');
  const fresh = join(built, `.building-${process.pid}`);
  try {
    await promisify(execFile)(process.execPath, [vite, 'build', '--outDir', fresh, '--emptyOutDir', '--logLevel', 'warn'], {
      cwd: consoleFolder,
      timeout: buildTimeoutMs,
      env: { ...process.env, NODE_ENV: 'production', NO_COLOR: '1' },
    });
    for (const name of await readdir(fresh)) {
      if (name === 'index.html') continue;
      await rm(join(built, name), { recursive: true, force: true });
      await rename(join(fresh, name), join(built, name));
    }
    // Last: with it the files count as built.
    await rename(join(fresh, 'index.html'), page);
  } catch (cause) {
    const { stderr = '', message } = cause as Error & { readonly stderr?: string };
    const reason = stderr.trim() === '' ? message : stderr.trim();
    throw new WeatherError('console-build', `the pages of the console cannot be built: ${reason}`, { cause });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function newestSourceMs(): Promise<number> {
  const times = sources.map(async (name) => {
    const path = join(consoleFolder, name);
    const inside = await readdir(path, { recursive: true }).catch(() => []);
    const all = await Promise.all([path, ...inside.map((file) => join(path, file))].map(modifiedMs));
    return Math.max(0, ...all.map((atMs) => atMs ?? 0));
  });
  return Math.max(...(await Promise.all(times)));
}

async function modifiedMs(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}
