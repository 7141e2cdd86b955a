import { applyChange, canUpdate, dependentsOf, type ConfigurationChange } from '../management/configuration-change.ts';
import { creationOrder, entitiesOf, sameEntity, type Entity, type EntityType, type RouterConfiguration } from '../management/entities.ts';

/**
 * The changes that turn a router that runs `observed` into one that runs `desired`, in an order in which each is allowed.
 * What is the same in both is not touched: its connections stay. A difference in the router entity itself needs a restart.
 */
export function planChanges(desired: RouterConfiguration, observed: RouterConfiguration): readonly ConfigurationChange[] {
  if (!sameEntity(desired.router, observed.router)) return [{ operation: 'RESTART', configuration: desired }];
  const wanted = new Map(entitiesOf(desired).map((entity) => [keyOf(entity), entity]));
  const updates: Entity[] = [];
  const kept = new Set<string>();
  for (const entity of entitiesOf(observed)) {
    const target = wanted.get(keyOf(entity));
    if (target === undefined) continue;
    if (sameEntity(entity, target)) kept.add(keyOf(entity));
    else if (canUpdate(entity, target)) {
      kept.add(keyOf(entity));
      updates.push(target);
    }
  }
  // What refers to something that is replaced goes and comes with it. Dependents have none of their own: one pass is enough.
  for (const entity of entitiesOf(observed)) {
    if (!kept.has(keyOf(entity))) for (const dependent of dependentsOf(observed, entity)) kept.delete(keyOf(dependent));
  }
  const deletions = entitiesOf(observed).filter((entity) => !kept.has(keyOf(entity)));
  const creations = entitiesOf(desired).filter((entity) => !kept.has(keyOf(entity)));
  return [
    ...sorted(deletions, deletionOrder).map(({ type, name }) => ({ operation: 'DELETE', type, name }) as const),
    ...updates.filter((entity) => kept.has(keyOf(entity))).map((entity) => ({ operation: 'UPDATE', entity }) as const),
    ...sorted(creations, creationOrder).map((entity) => ({ operation: 'CREATE', entity }) as const),
  ];
}

/** The configuration after all of `changes`. Throws ChangeRefused when one is not allowed. */
export function applyChanges(observed: RouterConfiguration, changes: readonly ConfigurationChange[]): RouterConfiguration {
  return changes.reduce(applyChange, observed);
}

const deletionOrder: readonly EntityType[] = creationOrder.toReversed();

function sorted(entities: readonly Entity[], order: readonly EntityType[]): readonly Entity[] {
  return entities.toSorted((a, b) => order.indexOf(a.type) - order.indexOf(b.type));
}

function keyOf(entity: Entity): string {
  return `${entity.type} ${entity.name}`;
}
