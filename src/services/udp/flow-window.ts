/** The receiver tells how far it has come each time it is this much further, and what is left now and then. */
export const acknowledgeStepBytes = 16_384;
/** A window is never smaller: the receiver must come to acknowledge something, with some more on its way meanwhile. */
const leastWindowBytes = 32_768;
const firstWindowBytes = 131_072;
const mostWindowBytes = 1_048_576;
/** What all flows of a router may have under way; beyond it each gets no more than an acknowledgement needs. */
export const sharedWindowBytes = 33_554_432;
/** An acknowledgement that took so much longer than the fastest shows that datagrams wait on the way. */
const queueingMs = 100;
/** Nothing has been acknowledged for this long: the way is taken for broken, although nobody said so. */
const silentMs = 3000;
/** Frames sent within this time are measured as one, from the first on: the fastest way must never look faster than it is. */
const markMs = 10;
/** Times of sending that are kept: enough for a round trip of more than a second. */
const maxMarks = 128;

/** What all flows that begin at a router have under way. */
export class SharedWindow {
  bytes = 0;
}

/**
 * How much one direction of a flow may have under way. The window grows while acknowledgements come as fast as ever, and is halved when they
 * come late: datagrams would wait in routers and in the system's buffers of links, and there nobody can drop them.
 */
export class FlowWindow {
  readonly #shared: SharedWindow;
  #sentBytes = 0;
  #acknowledgedBytes = 0;
  #windowBytes = firstWindowBytes;
  #isLimited = false;
  /** Ends of frames under way, and when each was sent. */
  readonly #marks: number[] = [];
  readonly #marksMs: number[] = [];
  #fastestMs = Infinity;
  /** The window is not halved again before this has been acknowledged. */
  #recoveryBytes = 0;
  /** Since when something is under way of which nothing has been acknowledged. */
  #waitsSinceMs = Infinity;

  constructor(shared: SharedWindow) {
    this.#shared = shared;
  }

  get size(): number {
    return this.#windowBytes;
  }

  /** Whether so much more may be sent now. What is more than a window may go when next to nothing is under way. */
  mayPass(bytes: number): boolean {
    const underWay = this.#sentBytes - this.#acknowledgedBytes;
    if (underWay < acknowledgeStepBytes) return true;
    if (underWay + bytes <= this.#windowBytes && this.#shared.bytes + bytes <= sharedWindowBytes) return true;
    this.#isLimited = true;
    return false;
  }

  sent(bytes: number, nowMs: number): void {
    if (this.#sentBytes === this.#acknowledgedBytes) this.#waitsSinceMs = nowMs;
    this.#sentBytes += bytes;
    this.#shared.bytes += bytes;
    const last = this.#marks.length - 1;
    if (last >= 0 && (nowMs - this.#marksMs[last] < markMs || last + 1 >= maxMarks)) this.#marks[last] = this.#sentBytes;
    else {
      this.#marks.push(this.#sentBytes);
      this.#marksMs.push(nowMs);
    }
  }

  acknowledged(offset: number, nowMs: number): void {
    if (!(offset > this.#acknowledgedBytes && offset <= this.#sentBytes)) return;
    const step = offset - this.#acknowledgedBytes;
    this.#acknowledgedBytes = offset;
    this.#shared.bytes -= step;
    this.#waitsSinceMs = offset === this.#sentBytes ? Infinity : nowMs;
    const sentMs = this.#sentAtMs(offset);
    // What is less than a step has been told by the clock of the receiver and says nothing about the way.
    if (sentMs === undefined || step < acknowledgeStepBytes) return;
    const delayMs = nowMs - sentMs;
    this.#fastestMs = Math.min(this.#fastestMs, delayMs);
    if (delayMs - this.#fastestMs <= queueingMs) {
      // Twice as much each round trip, until datagrams have waited for the first time; then a step more each.
      const growth = this.#recoveryBytes === 0 ? step : (step * acknowledgeStepBytes) / this.#windowBytes;
      if (this.#isLimited) this.#windowBytes = Math.min(mostWindowBytes, this.#windowBytes + growth);
      this.#isLimited = false;
    } else if (offset > this.#recoveryBytes) {
      this.#windowBytes = Math.max(leastWindowBytes, this.#windowBytes / 2);
      this.#recoveryBytes = this.#sentBytes;
    }
  }

  /** When the octet before `offset` was sent. Forgets the marks up to it. */
  #sentAtMs(offset: number): number | undefined {
    let index = this.#marks.findIndex((end) => end >= offset);
    if (index < 0) index = this.#marks.length;
    const sentMs = this.#marksMs[index];
    const done = this.#marks[index] === offset ? index + 1 : index;
    this.#marks.splice(0, done);
    this.#marksMs.splice(0, done);
    return sentMs;
  }

  /** True when the receiver should have told something by now. */
  isSilent(nowMs: number): boolean {
    return nowMs - this.#waitsSinceMs > silentMs;
  }

  /** Nothing is acknowledged any more. */
  release(): void {
    this.#shared.bytes -= this.#sentBytes - this.#acknowledgedBytes;
    this.#acknowledgedBytes = this.#sentBytes;
    this.#waitsSinceMs = Infinity;
  }
}
