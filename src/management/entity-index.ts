import { nearestName } from '../base/nearest-name.ts';
import type { Entity, EntityType } from './entities.ts';
import { entityTables } from './entity-schema.ts';
import { SchemaProblem } from './schema.ts';

/** Answers whether one more entity fits to those already there: free names, references that lead somewhere, room in the table. */
export class EntityIndex {
  readonly #names = new Map<EntityType, Map<string, Entity>>();
  /** Keys that must be unique beside the name. */
  readonly #keys = new Set<string>();

  constructor(entities: Iterable<Entity> = []) {
    for (const entity of entities) this.add(entity);
  }

  add(entity: Entity): void {
    this.#named(entity.type).set(entity.name, entity);
    const key = secondKey(entity);
    if (key !== undefined) this.#keys.add(key.key);
  }

  /** What keeps `entity` from being added; undefined when it fits. */
  conflictWith(entity: Entity): SchemaProblem | undefined {
    const problem = this.#takenBy(entity) ?? this.#missingReference(entity);
    return problem === undefined ? undefined : new SchemaProblem('invalid', [], problem);
  }

  #takenBy(entity: Entity): string | undefined {
    const { type, name } = entity;
    const named = this.#named(type);
    const { countLimit } = entityTables[type];
    if (countLimit === 1 && named.size === 1) return `there is a ${type} entity already`;
    if (named.has(name)) return `the name '${name}' is already used by another ${type}`;
    if (named.size >= countLimit) return `there are ${countLimit} ${type} entities already, which is the limit`;
    const key = secondKey(entity);
    return key !== undefined && this.#keys.has(key.key) ? key.taken : undefined;
  }

  #missingReference(entity: Entity): string | undefined {
    if ('sslProfile' in entity && entity.sslProfile !== undefined) return this.#missing('sslProfile', entity.sslProfile);
    if (entity.type !== 'listenerAddress') return undefined;
    const listener = this.#named('tcpListener').get(entity.listener);
    if (listener?.type === 'tcpListener' && listener.multiAddressStrategy === 'none') {
      return `tcpListener '${entity.listener}' has multiAddressStrategy 'none'`;
    }
    return this.#missing('tcpListener', entity.listener);
  }

  #missing(type: EntityType, name: string): string | undefined {
    const named = this.#named(type);
    if (named.has(name)) return undefined;
    const near = nearestName(name, named.keys());
    return `${type} '${name}' does not exist${near === undefined ? '' : `; did you mean '${near}'?`}`;
  }

  #named(type: EntityType): Map<string, Entity> {
    let named = this.#names.get(type);
    if (named === undefined) this.#names.set(type, (named = new Map()));
    return named;
  }
}

function secondKey(entity: Entity): { key: string; taken: string } | undefined {
  if (entity.type === 'log') {
    return { key: `log\n${entity.module}`, taken: `module '${entity.module}' is already configured by another log entity` };
  }
  if (entity.type === 'listenerAddress') {
    const taken = `tcpListener '${entity.listener}' already has the address '${entity.address}'`;
    return { key: `listenerAddress\n${entity.listener}\n${entity.address}`, taken };
  }
  if (entity.type === 'address') {
    const taken = `'${entity.prefix ?? entity.pattern ?? ''}' is already configured by another address entity`;
    return { key: `address\n${entity.prefix ?? ''}\n${entity.pattern ?? ''}`, taken };
  }
  return undefined;
}
