import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WeatherError } from '../src/base/errors.ts';
import { folderFiles } from './folder-files.ts';
import type { ForeignPart } from './licences.ts';
import type { PackageFile } from './tar-archive.ts';

interface LockEntry {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly link?: boolean;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly repository?: string | { readonly url: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** What Node loads; the rest of a package is for those who develop with it or build it. */
const loaded = /(?:\.(?:js|cjs|mjs|json|node)|(?:^|\/)(?:licen[cs]e|notice)[^/]*)$/i;
/** Native code for the kind of C library that Node's own builds do not run with. */
const otherLibrary = /(?:^|\/)musl_[^/]*\//;
const licenceFile = /^(?:licen[cs]e|copying|notice)(?:[.-][^/]*)?$/i;

/**
 * The npm packages that are needed at run time, as the lock file has them, with the native parts of this machine only.
 * Throws WeatherError `package-missing` and `package-licence`.
 */
export async function npmPackages(project: string): Promise<{ readonly files: PackageFile[]; readonly parts: ForeignPart[] }> {
  const lock = JSON.parse(await readFile(join(project, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockEntry>>;
  };
  const root = await manifestOf(project);
  const runtimes = new Set(Object.keys(root.optionalDependencies ?? {}).map((name) => `node_modules/${name}`));
  const paths = Object.entries(lock.packages)
    .filter(([path, { dev, link }]) => path.startsWith('node_modules/') && dev !== true && link !== true && !runtimes.has(path))
    .filter(([path, { optional }]) => {
      if (existsSync(join(project, path, 'package.json'))) return true;
      if (optional === true) return false;
      throw new WeatherError('package-missing', `${path} is not installed`, { remedy: `run 'npm ci' in ${project}` });
    })
    .map(([path]) => path);
  const files = await Promise.all(
    paths.map((path) => folderFiles(join(project, path), path, (name) => loaded.test(name) && !otherLibrary.test(name))),
  );
  return { files: files.flat(), parts: await partsOf(project, paths, 'a library that Caravan loads') };
}

/** What is in the pages of the console: all that their package names but what builds them. */
export async function consoleParts(project: string): Promise<ForeignPart[]> {
  const { dependencies = {}, devDependencies = {} } = await manifestOf(join(project, 'console'));
  const names = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => name !== 'vite');
  const paths = names.map((name) => `node_modules/${name}`);
  return partsOf(project, paths, 'in the pages of the console');
}

async function partsOf(project: string, paths: readonly string[], purpose: string): Promise<ForeignPart[]> {
  const found = await Promise.all(
    paths.map(async (path) => {
      const manifest = await manifestOf(join(project, path));
      const entries = await readdir(join(project, path), { recursive: true, withFileTypes: true });
      const texts = entries
        .filter((entry) => entry.isFile() && licenceFile.test(entry.name) && !entry.parentPath.includes('node_modules/.'))
        .map((entry) => join(entry.parentPath, entry.name));
      return { ...manifest, texts: texts.sort((a, b) => (a < b ? -1 : 1)) };
    }),
  );
  return found.map((part) => {
    const { name, version, license = 'see the text', texts } = part;
    // The native part of a package may come by itself, without the text.
    const twin = found.find((other) => other.texts.length > 0 && other !== part && repositoryOf(other) === repositoryOf(part));
    if (texts.length === 0 && twin === undefined) {
      throw new WeatherError('package-licence', `${name} ${version} comes without the text of its licence`);
    }
    return { name, version, licence: license, purpose, texts: texts.length === 0 && twin !== undefined ? { sameAs: twin.name } : texts };
  });
}

function repositoryOf({ name, repository }: Manifest): string {
  return (typeof repository === 'string' ? repository : repository?.url) ?? name;
}

async function manifestOf(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
}
