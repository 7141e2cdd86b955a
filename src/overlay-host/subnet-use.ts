import { usePrefix } from '../overlay/catalog/resource-book.ts';
import type { CatalogView } from '../overlay/catalog/catalog-view.ts';
import type { LocalEndpoint } from '../overlay/control/host-maps.ts';
import type { MoveTicket } from '../overlay/control/local-endpoints.ts';
import type { Placement, PlacementRequest, Placements } from './placements.ts';

export interface SubnetUseOptions {
  readonly hostId: number;
  readonly hostName: string;
  readonly placements: Placements;
  readonly endpoints: () => Iterable<LocalEndpoint>;
  readonly catalog: CatalogView;
  /** Sets or, with undefined, deletes a record of the catalog. */
  readonly record: (key: string, value: object | undefined) => void;
}

/** Tells all hosts in which subnets this one has endpoints, so that nobody deletes those. One record for each subnet, whatever the number of pods. */
export class SubnetUse implements Placements {
  readonly #options: SubnetUseOptions;
  readonly #used = new Set<number>();

  constructor(options: SubnetUseOptions) {
    this.#options = options;
    const own = `/${options.hostId}`;
    for (const [key] of options.catalog.entries('use/')) if (key.endsWith(own)) this.#used.add(Number(key.split('/')[1]));
  }

  place(request: PlacementRequest): Placement {
    return this.#watched(this.#options.placements.place(request));
  }

  moveIn(ifindex: number, ticket: MoveTicket): Placement {
    return this.#watched(this.#options.placements.moveIn(ifindex, ticket));
  }

  async remove(ifindex: number): Promise<void> {
    await this.#options.placements.remove(ifindex);
    this.count();
  }

  endpoint(ifindex: number): LocalEndpoint | undefined {
    return this.#options.placements.endpoint(ifindex);
  }

  /** Says what has changed. */
  count(): void {
    const now = new Set<number>();
    for (const { subnetId } of this.#options.endpoints()) now.add(subnetId);
    for (const subnetId of now) this.#use(subnetId);
    for (const subnetId of this.#used) {
      if (now.has(subnetId)) continue;
      this.#used.delete(subnetId);
      this.#options.record(this.#keyOf(subnetId), undefined);
    }
  }

  #watched(placement: Placement): Placement {
    placement.placed.then(
      ({ subnetId }) => this.#use(subnetId),
      () => undefined,
    );
    return placement;
  }

  #use(subnetId: number): void {
    if (this.#used.has(subnetId)) return;
    this.#used.add(subnetId);
    this.#options.record(this.#keyOf(subnetId), { host: this.#options.hostName });
  }

  #keyOf(subnetId: number): string {
    return usePrefix(subnetId) + this.#options.hostId;
  }
}
