import { InputError } from '../base/errors.ts';
import { configurationOf, creationOrder, entitiesOf, type Entity, type RouterConfiguration } from './entities.ts';
import { EntityIndex } from './entity-index.ts';
import { attributesOf, entityTypeOf, readEntity } from './entity-schema.ts';
import { parseJson, type JsonDocument, type JsonValue } from './json-text.ts';
import { SchemaProblem } from './schema.ts';

/**
 * A router's configuration as skupper-router writes it in JSON: a list of pairs of entity type and attributes.
 *
 *   [ ["router", {"id": "west", "mode": "interior"}],
 *     ["tcpListener", {"name": "backend", "address": "backend", "port": 8080}] ]
 */

/** Most entities in one file: every table of this router full would be about 30,000. */
const entityCountLimit = 32_768;

/**
 * Reads a configuration. `where` names the text in errors (a file name). Throws InputError: `json-syntax`,
 * `configuration-unknown`, `-unsupported`, `-missing` or `-invalid`, each with the entity and the attribute.
 */
export function parseRouterConfiguration(text: string, where: string): RouterConfiguration {
  const document = parseJson(text, where);
  if (!Array.isArray(document.value)) {
    throw new InputError('configuration-invalid', where, 'must be a list of ["entity", {attributes}] pairs');
  }
  const pairs = document.value as readonly JsonValue[];
  if (pairs.length > entityCountLimit) {
    throw new InputError('configuration-invalid', where, `has ${pairs.length} entities; the limit is ${entityCountLimit}`);
  }
  const read = pairs.map((pair, index) => readPair(pair, index + 1, document, where));
  const router = read.map(({ entity }) => entity).find((entity) => entity.type === 'router');
  if (router === undefined) {
    const remedy = 'add ["router", {"id": "NAME", "mode": "interior"}]';
    throw new InputError('configuration-missing', where, `has no router entity; ${remedy}`, { remedy });
  }
  checkTogether(read);
  return configurationOf(
    router,
    read.map(({ entity }) => entity),
  );
}

interface PlacedEntity {
  readonly entity: Entity;
  readonly place: string;
}

function readPair(pair: JsonValue, number: number, document: JsonDocument, where: string): PlacedEntity {
  const line = typeof pair === 'object' && pair !== null ? `:${document.lineOf(pair)}` : '';
  const place = `${where}${line}: entity ${number}`;
  const [type, attributes] = Array.isArray(pair) && pair.length === 2 ? (pair as readonly JsonValue[]) : [];
  if (typeof type !== 'string' || !(attributes instanceof Map)) {
    throw new InputError('configuration-invalid', place, 'must be a pair ["entity", {attributes}]');
  }
  const name: unknown = attributes.get('name');
  const label = typeof name === 'string' ? `${type} '${name.slice(0, 80)}'` : type;
  try {
    return { entity: readEntity(entityTypeOf(type), attributes), place: `${place} (${label})` };
  } catch (error) {
    throw error instanceof SchemaProblem ? inputError(error, `${place} (${label})`) : error;
  }
}

/** Names, references and table sizes; entities are added after those they refer to, whatever their order in the file. */
function checkTogether(read: readonly PlacedEntity[]): void {
  const index = new EntityIndex();
  const placed = [...read].sort((a, b) => creationOrder.indexOf(a.entity.type) - creationOrder.indexOf(b.entity.type));
  for (const { entity, place } of placed) {
    const problem = index.conflictWith(entity);
    if (problem !== undefined) throw inputError(problem, place);
    index.add(entity);
  }
}

function inputError(problem: SchemaProblem, place: string): InputError {
  const [attribute] = problem.path;
  // Problems about a key itself (unknown, unsupported, missing) already name it in their message.
  const message = attribute === undefined || problem.kind !== 'invalid' ? problem.message : `attribute '${attribute}' ${problem.message}`;
  return new InputError(`configuration-${problem.kind}`, place, message, problem.remedy === undefined ? {} : { remedy: problem.remedy });
}

/** The configuration as parseRouterConfiguration reads it, one entity per line. */
export function formatRouterConfiguration(configuration: RouterConfiguration): string {
  const lines = entitiesOf(configuration).map((entity) => `  ${JSON.stringify([entity.type, attributesOf(entity)])}`);
  return `[\n${lines.join(',\n')}\n]\n`;
}
