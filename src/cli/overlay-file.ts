import { InputError } from '../base/errors.ts';
import type { ResourceName } from '../overlay/catalog/resource-book.ts';
import { parseOverlayResources, type PlacedResource } from '../overlay/resources/resources.ts';
import { yamlLengthLimit } from '../site/yaml-text.ts';
import type { Call } from './call.ts';
import { readTextFile } from './read-text-file.ts';

/** The resources of the overlay in the file that `-f` names. Throws InputError. */
export async function readOverlayFile(call: Call): Promise<readonly PlacedResource[]> {
  const file = call.text('filename');
  if (file === undefined) {
    throw new InputError('missing-option', '-f', 'the file with the resources is needed', { remedy: `van ${call.verb} -f FILE` });
  }
  const where = file === '-' ? 'standard input' : file;
  const placed = parseOverlayResources(await readTextFile(call, file, yamlLengthLimit), where);
  if (placed.length === 0) throw new InputError('no-resources', where, 'has no resources in it');
  return placed;
}

/** Where a part of a resource stands, by its path as text. */
export function placeIn(placed: readonly PlacedResource[], { kind, name }: ResourceName, path: string): string | undefined {
  const found = placed.find(({ resource }) => resource.kind === kind && resource.metadata.name === name);
  const steps = [...path.matchAll(/([\w-]+)|\[(\d+)\]/g)].map(([, word, index]) => (index === undefined ? (word ?? '') : Number(index)));
  return found?.place(steps);
}
