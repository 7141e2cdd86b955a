import { readFile, readdir } from 'node:fs/promises';
import { InputError } from '../base/errors.ts';
import { removeFileDurably, writeFileAtomic } from '../host/atomic-file.ts';
import { formatResources, parseResources } from '../site/resources.ts';
import type { Kind, Resource } from '../site/resource-types.ts';
import { resourceFileName } from '../site/state-layout.ts';

/** A resource to keep, or to forget. */
export type ResourceChange =
  | { readonly put: Resource }
  | { readonly remove: { readonly kind: Kind; readonly metadata: { readonly name: string } } };

/** The resources that the user applied, one file each. */
export class ResourceFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Reads all. Throws InputError with the file and line of what cannot be used. */
  async load(): Promise<readonly Resource[]> {
    const resources: Resource[] = [];
    for (const name of (await readdir(this.#path)).sort()) {
      // What is being written, or was when the machine went down, begins with a dot.
      if (name.startsWith('.') || !/\.ya?ml$/.test(name)) continue;
      const file = `${this.#path}/${name}`;
      const [resource, ...others] = parseResources(await readFile(file, 'utf8'), file);
      if (resource === undefined) continue;
      // One name per resource: otherwise removing one could bring another of the same name back to light.
      const expected = resourceFileName(resource.kind, resource.metadata.name);
      if (others.length > 0 || name !== expected) {
        throw new InputError('resource-misplaced', file, `must hold one resource and be called ${expected}`, {
          remedy: `move the file out of the folder and run: van apply -f ${name}`,
        });
      }
      resources.push(resource);
    }
    return resources;
  }

  /**
   * Makes all changes or none: when one cannot be written, those before it are taken back. Each file is old or new at any
   * moment. Throws WeatherError `disk-full` or `state-not-writable`.
   */
  async change(changes: readonly ResourceChange[]): Promise<void> {
    const undo: (() => Promise<void>)[] = [];
    try {
      for (const change of changes) undo.push(await this.#changeOne(change));
    } catch (error) {
      for (const step of undo.reverse()) await step().catch(() => undefined);
      throw error;
    }
  }

  async #changeOne(change: ResourceChange): Promise<() => Promise<void>> {
    const { kind, metadata } = 'put' in change ? change.put : change.remove;
    const path = `${this.#path}/${resourceFileName(kind, metadata.name)}`;
    const before = await readFile(path, 'utf8').catch(() => undefined);
    if ('put' in change) await writeFileAtomic(path, formatResources([change.put]));
    else await removeFileDurably(path);
    return () => (before === undefined ? removeFileDurably(path) : writeFileAtomic(path, before));
  }
}
