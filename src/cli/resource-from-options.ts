import { InputError } from '../base/errors.ts';
import { formatResources, parseResources } from '../site/resources.ts';
import type { Kind, Resource, ResourceOf } from '../site/resource-types.ts';

const typedLine = 'command line';

/**
 * Makes a resource of what was typed, checked as if it came from a file. `places` says which option or parameter each path
 * came from, so that errors name that.
 */
export function resourceFromOptions<K extends Kind>(resource: ResourceOf<K>, places: Readonly<Record<string, string>>): ResourceOf<K> {
  try {
    const [read] = parseResources(formatResources([resource as Resource]), typedLine);
    return read as Resource as ResourceOf<K>;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const path = error.where.slice(error.where.lastIndexOf(': ') + 2);
    const place = Object.hasOwn(places, path) ? places[path] : path;
    const message = error.message.slice(error.where.length + 2);
    throw new InputError(error.code, place ?? path, message, error.remedy === undefined ? {} : { remedy: error.remedy });
  }
}
