import { formatMessage, parseMessage, type MessageRecord } from '../control/messages.ts';
import type { Draws } from './draws.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface NetworkOptions {
  readonly draws: Draws;
  readonly time: VirtualTime;
  readonly deliver: (from: number, to: number, records: readonly MessageRecord[]) => void;
  /** What goes wrong is told here. */
  readonly violation: (what: string) => void;
  /** Share of messages that are written and parsed as they would be; the others are handed over as they are. */
  readonly textShare: number;
}

/** Delay of a message, in milliseconds: of most, and of those that come late. */
const shortDelayMs = [0.2, 3] as const;
const longDelayMs = [3, 4000] as const;

/** Carries messages between hosts, not always, not once, not in order. */
export class VirtualNetwork {
  readonly #options: NetworkOptions;
  /** Of messages; all 0 is a network without faults. */
  lossShare = 0;
  doubleShare = 0;
  lateShare = 0;
  /** By host: the number of its part; hosts of different parts do not reach each other. */
  readonly parts: Map<number, number> = new Map<number, number>();
  messages = 0;
  records = 0;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  send(from: number, to: number, records: readonly MessageRecord[]): void {
    const { draws } = this.#options;
    this.messages++;
    this.records += records.length;
    if (this.lossShare > 0 && draws.chance(this.lossShare)) return;
    this.#carry(from, to, records);
    if (this.doubleShare > 0 && draws.chance(this.doubleShare)) this.#carry(from, to, records);
  }

  #carry(from: number, to: number, records: readonly MessageRecord[]): void {
    const { draws, time, deliver, violation, textShare } = this.#options;
    const [least, most] = this.lateShare > 0 && draws.chance(this.lateShare) ? longDelayMs : shortDelayMs;
    let carried = records;
    if (draws.chance(textShare)) {
      const parsed = parseMessage(formatMessage(records));
      if (parsed === undefined) {
        violation(`host ${from} sent what cannot be parsed: ${formatMessage(records)}`);
        return;
      }
      carried = parsed;
    }
    time.at(time.nowMs + draws.between(least, most), () => {
      if ((this.parts.get(from) ?? 0) === (this.parts.get(to) ?? 0)) deliver(from, to, carried);
    });
  }
}
