import type { Consumer } from './leg.ts';

/** What this router knows of an address itself. */
export class AddressState {
  readonly consumers: Consumer[] = [];
  /** Those of them that other routers are not told of. */
  readonly concealed: Set<Consumer> = new Set();
  /** Those that let their copies of multicast messages lie: until they ask for more, they get no further ones. */
  readonly stuck: Set<Consumer> = new Set();
  /** Unsettled messages of this address by the neighbour's link number. */
  readonly outstanding: Map<number, number> = new Map();
  /** Whose turn it is among equals. */
  turn = 0;

  /** Whether other routers are told of consumers here. */
  get isAnnounced(): boolean {
    return this.consumers.length > this.concealed.size;
  }

  get isEmpty(): boolean {
    return this.consumers.length === 0 && this.outstanding.size === 0;
  }

  sent(link: number): void {
    this.outstanding.set(link, (this.outstanding.get(link) ?? 0) + 1);
  }

  settled(link: number): void {
    const count = (this.outstanding.get(link) ?? 0) - 1;
    if (count > 0) this.outstanding.set(link, count);
    else this.outstanding.delete(link);
  }
}
