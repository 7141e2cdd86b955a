import type { Resource } from '../site/resource-types.ts';
import type { SiteLayout } from '../site/state-layout.ts';
import { mergeResources, type AppliedResource } from '../supervisor/desired-resources.ts';
import { ResourceFolder } from '../supervisor/resource-folder.ts';
import { openSiteFolder } from '../supervisor/site-folder.ts';

/** A site that does not run: its resources are read and changed in its state folder, and count from its next start on. */
export class StoppedSite {
  readonly #namespace: string;
  readonly #layout: SiteLayout;
  readonly #folder: ResourceFolder;

  constructor(namespace: string, layout: SiteLayout) {
    this.#namespace = namespace;
    this.#layout = layout;
    this.#folder = new ResourceFolder(layout.resourceFolder);
  }

  resources(): Promise<readonly Resource[]> {
    return this.#folder.load();
  }

  /**
   * Adds or replaces resources, all or none; a first Site makes the state folder. Throws InputError that names `where`, and
   * WeatherError `state-in-use` when the site runs after all.
   */
  async apply(added: readonly Resource[], where: string): Promise<readonly AppliedResource[]> {
    await using _lock = await openSiteFolder(this.#layout);
    const { results } = mergeResources(await this.#folder.load(), added, this.#namespace, where);
    const changed = added.filter((_resource, index) => results[index]?.result !== 'unchanged');
    await this.#folder.change(changed.map((put) => ({ put })));
    return results;
  }

  async remove(resource: Pick<Resource, 'kind'> & { readonly metadata: { readonly name: string } }): Promise<void> {
    await using _lock = await openSiteFolder(this.#layout);
    await this.#folder.change([{ remove: resource }]);
  }
}
