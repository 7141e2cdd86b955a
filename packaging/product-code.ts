import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { WeatherError } from '../src/base/errors.ts';
import { folderFiles } from './folder-files.ts';
import type { PackageFile } from './tar-archive.ts';

/** A cold compile takes 6 s of one core; a small machine under load takes longer. */
const compileTimeoutMs = 300_000;

/**
 * The product as JavaScript: compiled, it starts in half the time that its TypeScript takes, since Node need not strip types at each start.
 * Throws WeatherError `package-compile`.
 */
export async function productCode(project: string): Promise<PackageFile[]> {
  const compiler = join(project, 'node_modules/typescript/bin/tsc');
  try {
    await promisify(execFile)(process.execPath, [compiler, '-b', 'tsconfig.build.json'], { cwd: project, timeout: compileTimeoutMs });
  } catch (cause) {
    const { stdout = '', message } = cause as Error & { readonly stdout?: string };
    throw new WeatherError('package-compile', `the sources do not compile:\n${stdout.trim() || message}`, { cause });
  }
  const layers = await layersOf(project, 'cli', new Set());
  const files = await Promise.all(
    [...layers].map((layer) =>
      folderFiles(join(project, 'src', layer), `dist/${layer}`, (path) => path.endsWith('.ts') && !/\.(?:test|d)\.ts$/.test(path)),
    ),
  );
  // By the sources: the folder of what was compiled may hold what is left of files that are gone.
  return files.flat().map(({ path, isExecutable }) => {
    const compiled = path.replace(/\.ts$/, '.js');
    return { path: compiled, isExecutable, content: { file: join(project, compiled) } };
  });
}

/** A layer and all that it refers to; the simulation is none of them. */
async function layersOf(project: string, layer: string, found: Set<string>): Promise<Set<string>> {
  found.add(layer);
  const config = JSON.parse(await readFile(join(project, 'src', layer, 'tsconfig.json'), 'utf8')) as {
    readonly references?: readonly { readonly path: string }[];
  };
  for (const { path } of config.references ?? []) {
    const name = posix.basename(path);
    if (!found.has(name)) await layersOf(project, name, found);
  }
  return found;
}
