import type { RecordUpdate } from './record.ts';
import { Attribute } from './record-types.ts';
import { numberOf, textOf } from './record-values.ts';
import { emptyCell } from './traffic-total.ts';
import { TrafficWindow } from './traffic-window.ts';

/** Links of the whole network: 1,000 sites with four each. */
const maxLinks = 4096;

interface LinkOctets {
  readonly index: number;
  sent: number;
  received: number;
}

/** What went over each link lately. */
export class LinkTraffic {
  readonly #window: TrafficWindow;
  readonly #links = new Map<string, LinkOctets>();
  #nextIndex = 0;

  constructor(startMs: number, fineSlotMs: number) {
    this.#window = new TrafficWindow(startMs, fineSlotMs);
  }

  /** Takes the counts of a link's record. What went before it was first seen does not count. */
  take(record: RecordUpdate, nowMs: number): void {
    const identity = textOf(record, Attribute.identity);
    const sent = numberOf(record, Attribute.octets) ?? 0;
    const received = numberOf(record, Attribute.octetsReverse) ?? 0;
    const known = this.#links.get(identity);
    if (known === undefined) {
      if (this.#links.size < maxLinks) this.#links.set(identity, { index: this.#nextIndex++, sent, received });
      return;
    }
    const increase = emptyCell();
    // A link that comes up again may count anew.
    increase.fromClient = sent >= known.sent ? sent - known.sent : sent;
    increase.toClient = received >= known.received ? received - known.received : received;
    known.sent = sent;
    known.received = received;
    if (increase.fromClient + increase.toClient > 0) this.#window.add(known.index, increase, nowMs);
  }

  forget(identity: string): void {
    this.#links.delete(identity);
  }

  /** Gives octets a second of a window by link: sent and received. */
  rates(windowMs: number, nowMs: number): (identity: string) => readonly [number, number] {
    const { cells, coveredMs } = this.#window.sums(windowMs, nowMs);
    return (identity) => {
      const link = this.#links.get(identity);
      const cell = link === undefined ? undefined : cells.get(link.index);
      if (cell === undefined || coveredMs <= 0) return [0, 0];
      return [(cell.fromClient * 1000) / coveredMs, (cell.toClient * 1000) / coveredMs];
    };
  }
}
