import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import { silentLogger } from '../src/base/log.ts';
import { writeFileAtomic } from '../src/host/atomic-file.ts';
import { builtConsole } from '../src/observer/console-build.ts';
import { folderFiles } from './folder-files.ts';
import { licencePage } from './licences.ts';
import { nodeRuntime } from './node-runtime.ts';
import { consoleParts, npmPackages } from './npm-packages.ts';
import { overlayParts } from './overlay-parts.ts';
import { productCode } from './product-code.ts';
import { tarArchive, type PackageFile } from './tar-archive.ts';

/** The project's folder. */
const project: string = join(import.meta.dirname, '..');
/** 1980: of sources without a history. */
const earliestSeconds = 315_532_800;
const archiveName = /^caravan-.*\.tar\.gz$/;

export interface PackageOptions {
  readonly folder: string;
  /** How hard it is compressed, 0 to 9. */
  readonly compressionLevel: number;
}

export interface MadePackage {
  readonly file: string;
  readonly octets: number;
  readonly unpackedOctets: number;
  readonly fileCount: number;
  /** What is not in it, and why. */
  readonly leftOut: readonly string[];
}

/** Writes the package for machines like this one, and `SHA256SUMS` of all packages in the folder. Throws WeatherError. */
export async function makePackage({ folder, compressionLevel }: PackageOptions): Promise<MadePackage> {
  const { version } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as { readonly version: string };
  const temporaryFolder = await mkdtemp(join(tmpdir(), 'caravan-package-'));
  try {
    const { files, leftOut } = await packageContent(version, temporaryFolder);
    await mkdir(folder, { recursive: true });
    const file = join(folder, `caravan-${version}-${process.platform}-${process.arch}.tar.gz`);
    const unfinished = `${file}.unfinished`;
    let unpackedOctets = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of tarArchive(`caravan-${version}`, files, await modifiedSeconds())) {
        unpackedOctets += chunk.length;
        yield chunk;
      }
    };
    try {
      await pipeline(counted, createGzip({ level: compressionLevel }), createWriteStream(unfinished, { mode: 0o644 }));
      await rename(unfinished, file);
    } finally {
      await rm(unfinished, { force: true });
    }
    await writeSums(folder);
    return { file, octets: (await stat(file)).size, unpackedOctets, fileCount: files.length, leftOut };
  } finally {
    await rm(temporaryFolder, { recursive: true, force: true });
  }
}

async function packageContent(
  version: string,
  temporaryFolder: string,
): Promise<{ readonly files: PackageFile[]; readonly leftOut: string[] }> {
  const runtime = nodeRuntime(project);
  const code = await productCode(project);
  const packages = await npmPackages(project);
  const pages = await builtConsole(silentLogger);
  const overlay = await overlayParts(project, temporaryFolder);
  const manifest = { name: 'caravan', version, private: true, license: 'Apache-2.0', type: 'module' };
  const parts = [...runtime.parts, ...packages.parts, ...(await consoleParts(project)), ...overlay.parts];
  const files: PackageFile[] = [
    { path: 'van', isExecutable: true, content: { file: join(project, 'van') } },
    { path: 'LICENSE', isExecutable: false, content: { file: join(project, 'LICENSE') } },
    { path: 'README.md', isExecutable: false, content: { file: join(project, 'README.md') } },
    { path: 'package.json', isExecutable: false, content: Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`) },
    { path: 'LICENSES-OF-OTHERS.txt', isExecutable: false, content: Buffer.from(await licencePage(parts)) },
    ...(await folderFiles(join(project, 'docs'), 'docs', () => true)),
    ...runtime.files,
    ...code,
    ...packages.files,
    // Names with a dot, and the lock, are of a build that goes on.
    ...(await folderFiles(pages, 'console/dist', (path) => !path.startsWith('.'))),
    ...overlay.files,
  ];
  return { files, leftOut: [...runtime.leftOut, ...overlay.leftOut] };
}

/** Of the last commit, so that the same sources give the same octets wherever they lie; `SOURCE_DATE_EPOCH` goes before it. */
async function modifiedSeconds(): Promise<number> {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined && /^\d{1,10}$/.test(given)) return Number(given);
  const { stdout } = await promisify(execFile)('git', ['log', '-1', '--format=%ct'], { cwd: project }).catch(() => ({ stdout: '' }));
  return /^\d+\n$/.test(stdout) ? Number(stdout) : earliestSeconds;
}

/** As `sha256sum --check` reads it. */
async function writeSums(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => archiveName.test(name)).toSorted((a, b) => (a < b ? -1 : 1));
  const lines: string[] = [];
  for (const name of names) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(join(folder, name)), hash);
    lines.push(`${hash.digest('hex')}  ${name}\n`);
  }
  await writeFileAtomic(join(folder, 'SHA256SUMS'), lines.join(''), { mode: 0o644 });
}
