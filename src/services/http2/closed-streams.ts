import { maxClosedStreams } from './limits.ts';

/** How a stream ended that frames come for. */
export const ClosedAs = {
  /** Too long ago to be known, or never opened. */
  unknown: 0,
  /** Both directions had ended, or the peer had reset it: nothing may come for it. */
  complete: 1,
  /** Reset from here: what was under way still comes. */
  resetHere: 2,
} as const;
export type ClosedAs = (typeof ClosedAs)[keyof typeof ClosedAs];

/** The streams of a connection that ended last. */
export class ClosedStreams {
  /** Numbers of streams; negative ones were reset from here. */
  #ids: Int32Array | undefined;
  #next = 0;

  add(streamId: number, resetHere: boolean): void {
    this.#ids ??= new Int32Array(maxClosedStreams);
    this.#ids[this.#next] = resetHere ? -streamId : streamId;
    this.#next = (this.#next + 1) % maxClosedStreams;
  }

  find(streamId: number): ClosedAs {
    if (this.#ids === undefined) return ClosedAs.unknown;
    if (this.#ids.includes(-streamId)) return ClosedAs.resetHere;
    return this.#ids.includes(streamId) ? ClosedAs.complete : ClosedAs.unknown;
  }
}
