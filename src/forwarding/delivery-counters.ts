import { DeliveryState } from '../amqp/performatives.ts';

/** How a message ended that nobody settled: its sender wanted no outcome (or cannot hear one any more), or took it back. */
export type UnsettledEnd = 'forgotten' | 'aborted';

/** Messages by how they ended. */
export interface DeliveryCounts {
  readonly begun: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly released: number;
  readonly modified: number;
  /** Pre-settled, settled by the sender, or left by a sender whose link was lost. */
  readonly forgotten: number;
  /** Taken back before they were complete, or cut off. */
  readonly aborted: number;
  /** Neither of these yet. Counted by itself: `begun` is the sum of all others when no message has been lost or counted twice. */
  readonly inFlight: number;
}

/** Counts the messages of one direction over all links of a router, since its start. Each ends as exactly one of the outcomes. */
export class DeliveryCounters implements DeliveryCounts {
  begun = 0;
  accepted = 0;
  rejected = 0;
  released = 0;
  modified = 0;
  forgotten = 0;
  aborted = 0;
  inFlight = 0;

  begin(): void {
    this.begun++;
    this.inFlight++;
  }

  end(outcome: DeliveryState | UnsettledEnd): void {
    this.inFlight--;
    switch (outcome) {
      case DeliveryState.accepted:
        this.accepted++;
        return;
      case DeliveryState.rejected:
        this.rejected++;
        return;
      case DeliveryState.released:
        this.released++;
        return;
      case DeliveryState.modified:
        this.modified++;
        return;
      case 'aborted':
        this.aborted++;
        return;
      default:
        // Settled without an outcome is the same as not wanting one.
        this.forgotten++;
    }
  }

  counts(): DeliveryCounts {
    const { begun, accepted, rejected, released, modified, forgotten, aborted, inFlight } = this;
    return { begun, accepted, rejected, released, modified, forgotten, aborted, inFlight };
  }
}
