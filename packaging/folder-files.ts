import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { PackageFile } from './tar-archive.ts';

/** The files below a folder as those of the package, at `target`. Paths given to `accept` are relative to the folder and have `/`. */
export async function folderFiles(folder: string, target: string, accept: (path: string) => boolean): Promise<PackageFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ file, path: relative(folder, file).split(sep).join('/') }))
    .filter(({ path }) => accept(path))
    .map(({ file, path }) => ({ path: `${target}/${path}`, isExecutable: false, content: { file } }));
}
