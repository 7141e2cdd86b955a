import { configurationOf, entitiesOf, type Entity, type EntityOf, type EntityType, type RouterConfiguration } from './entities.ts';
import { EntityIndex } from './entity-index.ts';
import { attributesOf, entityTables, readEntity } from './entity-schema.ts';
import { SchemaProblem } from './schema.ts';

/** One change of a router's configuration. RESTART means: the router entity itself differs, start anew with `configuration`. */
export type ConfigurationChange =
  | { readonly operation: 'CREATE'; readonly entity: Entity }
  | { readonly operation: 'UPDATE'; readonly entity: Entity }
  | { readonly operation: 'DELETE'; readonly type: EntityType; readonly name: string }
  | { readonly operation: 'RESTART'; readonly configuration: RouterConfiguration };

/** A change that a router refuses, with the management status code that says so. */
export class ChangeRefused extends Error {
  override readonly name = 'ChangeRefused';
  readonly statusCode: 400 | 403 | 404;

  constructor(statusCode: 400 | 403 | 404, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

/** Entity types that exist once and that CREATE and DELETE do not apply to while the router runs. */
const singletons: readonly EntityType[] = ['router'];

/** The configuration after `change`. Throws ChangeRefused and leaves everything as it was. */
export function applyChange(configuration: RouterConfiguration, change: ConfigurationChange): RouterConfiguration {
  switch (change.operation) {
    case 'CREATE':
      return create(configuration, change.entity);
    case 'UPDATE':
      return update(configuration, change.entity);
    case 'DELETE':
      return remove(configuration, change.type, change.name);
    default:
      return change.configuration;
  }
}

/**
 * The entity of a CREATE request: untyped attributes, and the name beside them if the request has one. Throws ChangeRefused.
 */
export function createdEntity<T extends EntityType>(type: T, name: string | undefined, attributes: unknown): EntityOf<T> {
  return refusing(() => readEntity(type, withName(attributes, name)));
}

/** The entity that an UPDATE request makes out of `current`: attributes not given stay, null takes one away. Throws ChangeRefused. */
export function updatedEntity(current: Entity, attributes: ReadonlyMap<string, unknown>): Entity {
  const merged = new Map<string, unknown>(Object.entries(attributesOf(current)));
  for (const [key, value] of attributes) merged.set(key, value);
  const entity: Entity = refusing(() => readEntity(current.type, merged));
  const fixed = fixedAttributeBetween(current, entity);
  if (fixed !== undefined) throw new ChangeRefused(400, fixed);
  return entity;
}

/** Whether UPDATE can turn `current` into `desired`, both of the same type and name. */
export function canUpdate(current: Entity, desired: Entity): boolean {
  return fixedAttributeBetween(current, desired) === undefined;
}

function fixedAttributeBetween(current: Entity, desired: Entity): string | undefined {
  const { updatable } = entityTables[current.type];
  const before = new Map<string, unknown>(Object.entries(current));
  const after = new Map<string, unknown>(Object.entries(desired));
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter((key) => before.get(key) !== after.get(key));
  const fixed = changed.find((key) => !updatable.includes(key));
  return fixed === undefined ? undefined : `attribute '${fixed}' of ${current.type} cannot be changed; delete and create the entity`;
}

function create(configuration: RouterConfiguration, entity: Entity): RouterConfiguration {
  if (singletons.includes(entity.type)) throw new ChangeRefused(403, `${entity.type} cannot be created while the router runs`);
  const problem = new EntityIndex(entitiesOf(configuration)).conflictWith(entity);
  if (problem !== undefined) throw new ChangeRefused(400, problem.message);
  return configurationOf(configuration.router, [...entitiesOf(configuration), entity]);
}

function update(configuration: RouterConfiguration, entity: Entity): RouterConfiguration {
  const current = find(configuration, entity.type, entity.name);
  const fixed = fixedAttributeBetween(current, entity);
  if (fixed !== undefined) throw new ChangeRefused(400, fixed);
  const entities = entitiesOf(configuration).map((other) => (other === current ? entity : other));
  return configurationOf(configuration.router, entities);
}

function remove(configuration: RouterConfiguration, type: EntityType, name: string): RouterConfiguration {
  if (singletons.includes(type)) throw new ChangeRefused(403, `${type} cannot be deleted`);
  const entity = find(configuration, type, name);
  const [dependent] = dependentsOf(configuration, entity);
  if (dependent !== undefined) {
    throw new ChangeRefused(400, `${type} '${name}' is used by ${dependent.type} '${dependent.name}'; delete that first`);
  }
  return configurationOf(
    configuration.router,
    entitiesOf(configuration).filter((other) => other !== entity),
  );
}

function find(configuration: RouterConfiguration, type: EntityType, name: string): Entity {
  const entity = entitiesOf(configuration).find((other) => other.type === type && other.name === name);
  if (entity === undefined) throw new ChangeRefused(404, `${type} '${name}' does not exist`);
  return entity;
}

/** The entities that refer to `entity` and would be left without it. */
export function dependentsOf(configuration: RouterConfiguration, entity: Entity): readonly Entity[] {
  if (entity.type === 'sslProfile') {
    return entitiesOf(configuration).filter((other) => 'sslProfile' in other && other.sslProfile === entity.name);
  }
  if (entity.type === 'tcpListener') return configuration.listenerAddresses.filter(({ listener }) => listener === entity.name);
  return [];
}

function withName(attributes: unknown, name: string | undefined): unknown {
  if (name === undefined) return attributes;
  const entries = attributes instanceof Map ? [...attributes] : Object.entries(attributes ?? {});
  const inner = entries.find(([key]) => key === 'name')?.[1];
  if (inner !== undefined && inner !== name) throw new ChangeRefused(400, `the request names both '${name}' and '${String(inner)}'`);
  return new Map<unknown, unknown>([...entries, ['name', name]]);
}

function refusing<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SchemaProblem)) throw error;
    const [attribute] = error.path;
    const place = attribute === undefined || error.kind !== 'invalid' ? '' : `attribute '${attribute}' `;
    throw new ChangeRefused(400, `${place}${error.message}`);
  }
}
