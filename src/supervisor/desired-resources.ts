import { InputError } from '../base/errors.ts';
import { ChangeRefused } from '../management/configuration-change.ts';
import { configurationOf } from '../management/entities.ts';
import { SchemaProblem } from '../management/schema.ts';
import { deriveSite, type SiteIdentity } from '../site/derive.ts';
import { applyChanges, planChanges } from '../site/plan.ts';
import { resourceKey, resourcesOf, type Resource, type ResourceOf } from '../site/resource-types.ts';

/** What applying did to a resource. */
export type ApplyResult = 'created' | 'configured' | 'unchanged';

export interface AppliedResource {
  readonly kind: Resource['kind'];
  readonly name: string;
  readonly result: ApplyResult;
}

/** The Site of a namespace: exactly one makes sense, and without it nothing runs. Throws InputError `no-site` or `second-site`. */
export function siteOf(resources: readonly Resource[], where: string): ResourceOf<'Site'> {
  const [site, second] = resourcesOf(resources, 'Site');
  if (site === undefined) {
    throw new InputError('no-site', where, 'there is no Site', { remedy: 'create one first: van site create NAME' });
  }
  if (second !== undefined) {
    throw new InputError('second-site', where, `the namespace has the Site '${site.metadata.name}' and can have no second one`, {
      remedy: `use another namespace for it: van -n ${second.metadata.name} site create ${second.metadata.name}`,
    });
  }
  return site;
}

/**
 * The resources after `added` came to `current`, each replacing the one of its kind and name. Everything is checked before
 * anything is changed. Throws InputError.
 */
export function mergeResources(
  current: readonly Resource[],
  added: readonly Resource[],
  namespace: string,
  where: string,
): { readonly resources: readonly Resource[]; readonly results: readonly AppliedResource[] } {
  const merged = new Map(current.map((resource) => [resourceKey(resource), resource]));
  const results: AppliedResource[] = [];
  for (const resource of added) {
    const { kind, metadata } = resource;
    if (metadata.namespace !== undefined && metadata.namespace !== namespace) {
      throw new InputError('wrong-namespace', where, `${kind} '${metadata.name}' is for namespace '${metadata.namespace}'`, {
        remedy: `apply it there: van -n ${metadata.namespace} apply -f FILE; or take metadata.namespace away`,
      });
    }
    const key = resourceKey(resource);
    const before = merged.get(key);
    const same = before !== undefined && JSON.stringify(before) === JSON.stringify(resource);
    results.push({ kind, name: metadata.name, result: before === undefined ? 'created' : same ? 'unchanged' : 'configured' });
    merged.set(key, resource);
  }
  const resources = [...merged.values()];
  siteOf(resources, where);
  checkPorts(resources, where);
  return { resources, results };
}

/** Tries the resources on an empty router, to find what its tables refuse. Throws InputError. */
export function checkDerivable(resources: readonly Resource[], identity: SiteIdentity, where: string): void {
  try {
    const { configuration } = deriveSite({ resources, identity });
    const empty = configurationOf(configuration.router, []);
    applyChanges(empty, planChanges(configuration, empty));
  } catch (error) {
    if (error instanceof ChangeRefused || error instanceof SchemaProblem) {
      throw new InputError('resource-refused', where, error.message, { cause: error });
    }
    throw error;
  }
}

/** Two listeners cannot share a port, and it is told now instead of as a failed listener later. */
function checkPorts(resources: readonly Resource[], where: string): void {
  const listeners = [...resourcesOf(resources, 'Listener'), ...resourcesOf(resources, 'MultiKeyListener')];
  const owners = new Map<string, string>();
  for (const { kind, metadata, spec } of listeners) {
    const place = `${spec.host}:${spec.port}`;
    const owner = owners.get(place);
    if (owner !== undefined) {
      throw new InputError('port-taken', where, `${kind} '${metadata.name}' wants ${place}, which ${owner} has`, {
        remedy: 'choose another port or host',
      });
    }
    owners.set(place, `${kind} '${metadata.name}'`);
  }
}
