import type { DeliveryCounts } from '../../../src/forwarding/delivery-counters.ts';

/** What a router counted, in both directions of its links. */
export interface RouterCounts {
  readonly incoming: DeliveryCounts;
  readonly outgoing: DeliveryCounts;
}

/** What does not add up in a network that is at rest. */
export interface Imbalance {
  /** Messages that a router has lost or counted twice: begun, less everything that became of them. */
  readonly unaccounted: number;
  readonly inFlight: number;
  /** Messages sent over links, less those received. 0 unless a link was lost. */
  readonly betweenRouters: number;
  /** The same for each outcome, added up. Where both ends of a link end a message at a time, each counts what it did itself. */
  readonly outcomes: number;
  readonly begun: number;
}

const outcomes = ['accepted', 'rejected', 'released', 'modified', 'forgotten', 'aborted'] as const;

function unaccounted(counts: DeliveryCounts): number {
  return Math.abs(counts.begun - counts.inFlight - outcomes.reduce((sum, outcome) => sum + counts[outcome], 0));
}

export function imbalance(routers: readonly RouterCounts[]): Imbalance {
  const total = (of: (counts: RouterCounts) => number): number => routers.reduce((sum, counts) => sum + of(counts), 0);
  return {
    unaccounted: total(({ incoming, outgoing }) => unaccounted(incoming) + unaccounted(outgoing)),
    inFlight: total(({ incoming, outgoing }) => Math.abs(incoming.inFlight) + Math.abs(outgoing.inFlight)),
    betweenRouters: total(({ incoming, outgoing }) => outgoing.begun - incoming.begun),
    outcomes: outcomes.reduce(
      (sum, outcome) => sum + Math.abs(total(({ incoming, outgoing }) => outgoing[outcome] - incoming[outcome])),
      0,
    ),
    begun: total(({ outgoing }) => outgoing.begun),
  };
}
