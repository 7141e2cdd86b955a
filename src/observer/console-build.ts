import { execFile } from 'node:child_process';
import { access, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

const consoleFolder: string = join(import.meta.dirname, '../../console');
const vite: string = join(import.meta.dirname, '../../node_modules/vite/bin/vite.js');
/** It takes a few seconds; a small machine under load takes longer. */
const buildTimeoutMs = 120_000;
/** Everything that the pages are made of. */
const sources = ['src', 'public', 'index.html', 'package.json', 'vite.config.ts', 'vite.config.js'];

/**
 * The folder of the console's built pages. A release has them; in a checkout they are built when there are none yet or their
 * sources are newer. Throws WeatherError `console-build`.
 */
export async function builtConsole(log: Logger): Promise<string> {
  const built = join(consoleFolder, 'dist');
  const builtMs = await modifiedMs(join(built, 'index.html'));
  const canBuild = await exists(vite);
  if (builtMs !== undefined && (!canBuild || builtMs >= (await newestSourceMs()))) return built;
  if (!canBuild) {
    throw new WeatherError('console-build', 'the pages of the console are not built', { remedy: 'run npm ci in the project folder' });
  }
  log.info('building the pages of the console');
  await build(built);
  return built;
}

/** Builds beside and moves it in place: whoever reads meanwhile has the old files, and of two builders the later wins. */
async function build(built: string): Promise<void> {
  const fresh = join(consoleFolder, `dist/.building-${process.pid}`);
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
    await rename(join(fresh, 'index.html'), join(built, 'index.html'));
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

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
