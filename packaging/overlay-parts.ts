import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ForeignPart } from './licences.ts';
import type { PackageFile } from './tar-archive.ts';

const buildTimeoutMs = 300_000;
const libraryText = '/usr/share/doc/libc6-dev/copyright';

/** Something that a C compiler makes. */
interface NativePart {
  readonly meaning: string;
  /** Folder of the project with `build.sh` and the sources, and with `dist` when it was built. */
  readonly folder: string;
  readonly file: string;
  readonly isExecutable: boolean;
  /** What to install for it to be built. */
  readonly install: string;
}

const programs: NativePart = {
  meaning: 'the programs of the tenant overlay',
  folder: 'bpf',
  file: 'overlay.o',
  isExecutable: false,
  install: 'Debian: apt install clang libbpf-dev',
};
const plugin: NativePart = {
  meaning: 'the CNI plugin',
  folder: 'cni',
  file: 'caravan-cni',
  isExecutable: true,
  install: 'Debian: apt install gcc libc6-dev',
};

export interface OverlayParts {
  readonly files: PackageFile[];
  readonly parts: ForeignPart[];
  readonly leftOut: string[];
}

/** The native parts of the overlay: as they were built when they are newer than their sources, else built into `temporaryFolder`. */
export async function overlayParts(project: string, temporaryFolder: string): Promise<OverlayParts> {
  const files: PackageFile[] = [];
  const parts: ForeignPart[] = [];
  const leftOut: string[] = [];
  if (process.platform !== 'linux') return { files, parts, leftOut: ['the tenant overlay, which runs on Linux only'] };
  for (const part of [programs, plugin]) {
    if (part === plugin && !existsSync(libraryText)) {
      leftOut.push(`${part.meaning}: ${libraryText}, the licence of the C library in it, is not there; ${part.install}`);
      continue;
    }
    try {
      const content = await readFile(await builtFile(part, project, temporaryFolder));
      files.push({ path: `${part.folder}/dist/${part.file}`, isExecutable: part.isExecutable, content });
    } catch (error) {
      leftOut.push(`${part.meaning}: ${part.folder}/build.sh failed (${firstLine(error)}); ${part.install}`);
      continue;
    }
    if (part === plugin) {
      // The C library is in it: whoever has the package may link it with another one.
      for (const name of ['build.sh', 'caravan-cni.c']) {
        files.push({ path: `cni/${name}`, isExecutable: name === 'build.sh', content: { file: join(project, 'cni', name) } });
      }
      parts.push(libraryPart());
    }
  }
  return { files, parts, leftOut };
}

function libraryPart(): ForeignPart {
  const { header } = process.report.getReport() as { readonly header: { readonly glibcVersionRuntime?: string } };
  return {
    name: 'glibc',
    version: header.glibcVersionRuntime ?? '',
    licence: 'LGPL 2.1; from the source package of glibc of the system that this package was made on',
    purpose: 'in the CNI plugin, which cni/build.sh links anew from its source',
    texts: [libraryText],
  };
}

async function builtFile({ folder, file }: NativePart, project: string, temporaryFolder: string): Promise<string> {
  const built = join(project, folder, 'dist', file);
  const names = (await readdir(join(project, folder))).filter((name) => /\.(?:c|h|sh)$/.test(name));
  const sources = await Promise.all(names.map(async (name) => (await stat(join(project, folder, name))).mtimeMs));
  if (existsSync(built) && (await stat(built)).mtimeMs >= Math.max(...sources)) return built;
  const target = join(temporaryFolder, folder);
  await promisify(execFile)(join(project, folder, 'build.sh'), [target], { cwd: project, timeout: buildTimeoutMs });
  return join(target, file);
}

function firstLine(error: unknown): string {
  const { stderr = '', message } = error as Error & { readonly stderr?: string };
  return (stderr.trim() || message).split('\n', 1)[0] ?? '';
}
