/**
 * Loaded before anything else (`node --import`): puts the bug that PLANTED_BUG names into the source text of the product as it is loaded. The files
 * stay as they are.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { plantedBugs } from './planted-bugs.ts';
import type { PlantedBug } from './planted-bugs.ts';

const projectFolder = join(import.meta.dirname, '..', '..');

/** The text with the bug in it. A bug whose place cannot be found, or is not the only one, is itself out of order. */
export function plant(bug: PlantedBug, source: string): string {
  const places = source.split(bug.find).length - 1;
  if (places !== 1) throw new Error(`planted bug '${bug.name}': its place is ${places} times in ${bug.file}, not once`);
  return source.replace(bug.find, () => bug.replace);
}

const name = process.env['PLANTED_BUG'];
if (name !== undefined) {
  const bug = plantedBugs.find((candidate) => candidate.name === name);
  if (bug === undefined) throw new Error(`there is no planted bug '${name}'`);
  const file = join(projectFolder, bug.file);
  const { href } = pathToFileURL(file);
  const planted = plant(bug, readFileSync(file, 'utf8'));
  registerHooks({
    load: (url, context, nextLoad) =>
      url === href ? { format: 'module-typescript', source: planted, shortCircuit: true } : nextLoad(url, context),
  });
}
