import type { Hello } from './message-body.ts';

/** One control link, and what HELLO has found out about it. */
interface ControlLink {
  readonly link: number;
  readonly cost: number;
  /** Grows with each link: of links of equal cost the latest is used. */
  readonly order: number;
  /** The router at the other end: given by the owner of the link, or the first to say HELLO on it. */
  peerId: string | undefined;
  /** When the peer last said HELLO; -Infinity if it has not, or too long ago. */
  heardAtMs: number;
  /** When the peer last said that it hears this router; -Infinity if it has not, or too long ago. */
  confirmedAtMs: number;
}

/** What a HELLO changed. */
export interface HelloOutcome {
  /** The peer was not heard before on this link: it wants to know at once that it is heard. */
  readonly newlyHeard: boolean;
  /** The link works both ways from now on. */
  readonly newlyConfirmed: boolean;
  /** The HELLO names another router than the one at the end of this link; it was not taken into account. */
  readonly wrongPeer: boolean;
}

/** The link that a neighbour is reached by. */
export interface Neighbour {
  readonly link: number;
  readonly cost: number;
}

/**
 * The HELLO protocol: which links work in both directions, and to whom.
 *
 * Each router says on each control link whom it hears there. A link is confirmed while the peer says that it hears this router.
 * `seen` is kept per link, so that of two links to the same router one that is deaf in one direction is not used because the
 * other works. A neighbour is reached by its cheapest confirmed link.
 */
export class LinkTable {
  readonly #links = new Map<number, ControlLink>();
  readonly #maxAgeMs: number;
  #nextOrder = 0;

  constructor(maxAgeMs: number) {
    this.#maxAgeMs = maxAgeMs;
  }

  get size(): number {
    return this.#links.size;
  }

  has(link: number): boolean {
    return this.#links.has(link);
  }

  add(link: number, cost: number, peerId: string | undefined): void {
    this.#links.set(link, { link, cost, order: this.#nextOrder++, peerId, heardAtMs: -Infinity, confirmedAtMs: -Infinity });
  }

  /** Removes a link; its peer if the link was confirmed. */
  remove(link: number): string | undefined {
    const removed = this.#links.get(link);
    this.#links.delete(link);
    return removed !== undefined && removed.confirmedAtMs > -Infinity ? removed.peerId : undefined;
  }

  numbers(): number[] {
    return [...this.#links.keys()];
  }

  /** Ids heard on a link lately. */
  seen(link: number): readonly string[] {
    const { peerId, heardAtMs } = this.#links.get(link) ?? { peerId: undefined, heardAtMs: -Infinity };
    return peerId !== undefined && heardAtMs > -Infinity ? [peerId] : [];
  }

  /** A HELLO of another router came over a known link. */
  receive(link: number, hello: Hello, selfId: string, nowMs: number): HelloOutcome {
    const at = this.#links.get(link);
    if (at === undefined || (at.peerId !== undefined && at.peerId !== hello.id)) {
      return { newlyHeard: false, newlyConfirmed: false, wrongPeer: true };
    }
    at.peerId = hello.id;
    const newlyHeard = at.heardAtMs === -Infinity;
    at.heardAtMs = nowMs;
    let newlyConfirmed = false;
    if (hello.seen.includes(selfId)) {
      newlyConfirmed = at.confirmedAtMs === -Infinity;
      at.confirmedAtMs = nowMs;
    }
    return { newlyHeard, newlyConfirmed, wrongPeer: false };
  }

  /** Forgets what is older than the maximum age; the peers of links that are no longer confirmed. */
  expire(nowMs: number): string[] {
    const lost: string[] = [];
    for (const link of this.#links.values()) {
      if (nowMs - link.heardAtMs > this.#maxAgeMs) link.heardAtMs = -Infinity;
      if (link.confirmedAtMs > -Infinity && nowMs - link.confirmedAtMs > this.#maxAgeMs) {
        link.confirmedAtMs = -Infinity;
        if (link.peerId !== undefined) lost.push(link.peerId);
      }
    }
    return lost;
  }

  /** Neighbours by id, with the cheapest confirmed link of each (the latest of equals). */
  neighbours(): Map<string, Neighbour> {
    const best = new Map<string, ControlLink>();
    for (const link of this.#links.values()) {
      if (link.peerId === undefined || link.confirmedAtMs === -Infinity) continue;
      const other = best.get(link.peerId);
      if (other === undefined || link.cost < other.cost || (link.cost === other.cost && link.order > other.order)) {
        best.set(link.peerId, link);
      }
    }
    return new Map([...best].map(([id, { link, cost }]) => [id, { link, cost }]));
  }

  /** The router at the end of each confirmed link. */
  confirmed(): Map<number, string> {
    const confirmed = new Map<number, string>();
    for (const { link, peerId, confirmedAtMs } of this.#links.values()) {
      if (peerId !== undefined && confirmedAtMs > -Infinity) confirmed.set(link, peerId);
    }
    return confirmed;
  }
}
