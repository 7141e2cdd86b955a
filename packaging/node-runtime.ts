import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { WeatherError } from '../src/base/errors.ts';
import type { ForeignPart } from './licences.ts';
import type { PackageFile } from './tar-archive.ts';

/** Libraries that Node needs and that are no part of the C library: small systems lack some. Where Debian keeps what is said of them. */
const carried: Readonly<Record<string, { readonly part: string; readonly folder: string }>> = {
  'libatomic.so.1': { part: 'libatomic', folder: 'libatomic1' },
  'libgcc_s.so.1': { part: 'libgcc', folder: 'libgcc-s1' },
  'libstdc++.so.6': { part: 'libstdc++', folder: 'libstdc++6' },
};
const gccLicence =
  'GPL 3 with the GCC Runtime Library Exception; from the source package of GCC of the system that this package was made on';

export interface NodeRuntime {
  readonly files: PackageFile[];
  readonly parts: ForeignPart[];
  /** What was left out, and why. */
  readonly leftOut: string[];
}

/** The Node that this runs on, which must be the one that the project pins. Throws WeatherError `package-node`. */
export function nodeRuntime(project: string): NodeRuntime {
  const node = realpathSync(process.execPath);
  const licence = join(dirname(node), '../LICENSE');
  if (!node.startsWith(join(realpathSync(join(project, 'node_modules')), '/')) || !existsSync(licence)) {
    throw new WeatherError('package-node', `${node} is not the Node of the project`, {
      remedy: `run 'npm ci', then 'npm run package' in ${project}`,
    });
  }
  const files: PackageFile[] = [{ path: 'runtime/node', isExecutable: true, content: { file: node } }];
  const parts: ForeignPart[] = [
    { name: 'node', version: process.versions.node, licence: 'MIT and others', purpose: 'runs Caravan', texts: [licence] },
  ];
  const leftOut: string[] = [];
  for (const path of sharedObjects()) {
    const library = basename(path);
    const known = carried[library];
    if (known === undefined) continue;
    const text = `/usr/share/doc/${known.folder}/copyright`;
    if (!existsSync(text)) {
      leftOut.push(`${library}, which small systems lack: ${text} with its licence is not there (it is on Debian and Ubuntu)`);
      continue;
    }
    // A folder for each: the launcher names only those of libraries that the system lacks.
    files.push({ path: `runtime/lib/${library}/${library}`, isExecutable: false, content: { file: realpathSync(path) } });
    const version = /\.so\.(.+)$/.exec(realpathSync(path))?.[1] ?? '';
    parts.push({ name: known.part, version, licence: gccLicence, purpose: 'used where the system lacks it', texts: [realpathSync(text)] });
  }
  return { files, parts, leftOut };
}

/** The libraries that this process has loaded. */
function sharedObjects(): readonly string[] {
  return (process.report.getReport() as { readonly sharedObjects: readonly string[] }).sharedObjects;
}
