import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

/** The project's folder. */
export const projectFolder: string = join(import.meta.dirname, '..');

const notOurs = new Set(['node_modules', 'dist', '.git']);

/** Files under a folder of the project, as paths from the project's folder. */
export function filesUnder(folder: string, accept: (name: string) => boolean): string[] {
  const found: string[] = [];
  const walk = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      if (notOurs.has(entry.name)) continue;
      const path = join(at, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && accept(entry.name)) found.push(relative(projectFolder, path));
    }
  };
  walk(join(projectFolder, folder));
  return found.sort();
}

export function readText(path: string): string {
  return readFileSync(join(projectFolder, path), 'utf8');
}
