import { labelsProblem } from '../compiler/labels.ts';
import type { Labels } from '../resources/resource-types.ts';
import { cniCode, CniError } from './cni-error.ts';
import { invalid, objectOf, type JsonObject } from './json.ts';

/*
 * Labels of a pod, for the services and policies of its VPC. They stand in the configuration of the network, in what the runtime adds to it, and
 * in CNI_ARGS; of one that stands in several places the later one counts:
 *
 *   "caravan": { "labels": { "app": "web" } }
 *   "runtimeConfig": { "caravan": { "labels": { "app": "web" } } }
 *   "args": { "caravan": { "labels": { "app": "web" } } }
 *   CNI_ARGS=CARAVAN_LABELS=app=web,tier=front
 */
const argumentName = 'CARAVAN_LABELS';

/** Those of the configuration. Throws CniError (invalid configuration). */
export function configuredLabels(fields: JsonObject): Labels {
  const places: readonly (readonly [JsonObject, string])[] = [
    [fields, ''],
    [objectOf(fields, 'runtimeConfig') ?? {}, 'runtimeConfig.'],
    [objectOf(fields, 'args') ?? {}, 'args.'],
  ];
  return checked(
    Object.assign({}, ...places.map(([object, where]) => labelsIn(object, where))) as Labels,
    'caravan.labels',
    'invalidConfig',
  );
}

/** Those of the configuration, and those of CNI_ARGS over them. Throws CniError (invalid environment). */
export function withArguments(labels: Labels, parameters: ReadonlyMap<string, string>): Labels {
  const text = parameters.get(argumentName) ?? '';
  const own: Record<string, string> = {};
  for (const pair of text.split(',')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    if (at < 1) {
      throw new CniError(
        cniCode.invalidEnvironment,
        `${argumentName} must be NAME=VALUE pairs with ',' between them, not '${pair.slice(0, 80)}'`,
      );
    }
    own[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return checked({ ...labels, ...own }, argumentName, 'invalidEnvironment');
}

function labelsIn(object: JsonObject, where: string): JsonObject {
  const caravan = objectOf(object, 'caravan', where);
  const labels = caravan === undefined ? undefined : objectOf(caravan, 'labels', `${where}caravan.`);
  for (const [name, value] of Object.entries(labels ?? {})) {
    if (typeof value !== 'string') throw invalid(`${where}caravan.labels.${name.slice(0, 80)}`, 'a text');
  }
  return labels ?? {};
}

function checked(labels: Labels, what: string, code: 'invalidConfig' | 'invalidEnvironment'): Labels {
  const problem = labelsProblem(labels);
  if (problem !== undefined) throw new CniError(cniCode[code], `${what}: ${problem}`);
  return labels;
}
