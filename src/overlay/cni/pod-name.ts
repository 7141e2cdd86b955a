import { usableName } from '../dns/name-table.ts';
import type { PodReference } from './cni-environment.ts';
import { invalid, memberOf, objectOf, textOf, type JsonObject } from './json.ts';

/** Whether pods get names in their VPC, and which: from the configuration, the runtime or CNI_ARGS, the last one of them counts. */
export interface NameWish {
  readonly isWanted: boolean;
  readonly name: string | undefined;
}

const argumentName = 'CARAVAN_NAME';

/**
 * ```text
 *   "caravan": { "names": true }                          pods are known by the name that a kubelet says
 *   "runtimeConfig": { "caravan": { "name": "web-1" } }   this one by another
 *   "args": { "caravan": { "name": "web-1" } }
 * ```
 *
 * Throws CniError (invalid configuration).
 */
export function configuredName(fields: JsonObject): NameWish {
  const places = [fields, objectOf(fields, 'runtimeConfig') ?? {}, objectOf(fields, 'args') ?? {}].map(
    (place) => objectOf(place, 'caravan') ?? {},
  );
  const wishes = places.map((caravan) => memberOf(caravan, 'names')).filter((value) => value !== undefined);
  if (wishes.some((value) => typeof value !== 'boolean')) throw invalid('caravan.names', 'true or false');
  const name = places.map((caravan) => textOf(caravan, 'name', 'caravan.')).findLast((value) => value !== undefined);
  if (name !== undefined && usableName(name) === undefined) throw invalid('caravan.name', 'a name such as web-1');
  return { isWanted: wishes.at(-1) === true, name };
}

/** The name of a pod; undefined when it gets none. What a kubelet calls it may be none that DNS can say. */
export function podNameOf(
  { isWanted, name }: NameWish,
  pod: PodReference | undefined,
  parameters: ReadonlyMap<string, string>,
): string | undefined {
  if (!isWanted) return undefined;
  return usableName(parameters.get(argumentName) ?? name ?? pod?.name ?? '');
}
