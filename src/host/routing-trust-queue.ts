import { createHash } from 'node:crypto';

/** Credentials that wait: a large network that is met at once. Those beyond are asked for again. */
const maxWaiting = 2048;
/** Their octets: as many of about 1 KiB, and a hundred of the longest. */
const maxWaitingOctets = 4 * 1024 * 1024;
/** Issuers with a lane of their own. */
const maxLanes = 256;

/** Those admitted by the root itself, and those of whose issuers nothing is known yet. */
const rootLane = 'root';
const strangers = 'strangers';

export interface WaitingCredential {
  readonly hash: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Credentials that wait to be checked. Each issuer that is known to be one has a lane, and the lanes take turns: an issuer that admits
 * without end, or a stranger that makes up credentials, delays its own and those of nobody else by more than their number of lanes.
 */
export class CheckQueue {
  /** By lane; in the order of their turns. No lane is empty. */
  readonly #lanes = new Map<string, WaitingCredential[]>();
  readonly #waiting = new Set<string>();
  readonly #issuers = new Set<string>();
  #octets = 0;

  get size(): number {
    return this.#waiting.size;
  }

  /** Takes a copy. False when it waits already or there is no room: it is to be asked for again. */
  add(hash: string, bytes: Uint8Array): boolean {
    if (this.#waiting.has(hash)) return false;
    const issuers = issuersIn(bytes);
    const lane = issuers === rootLane || this.#issuers.has(issuers) ? issuers : strangers;
    while (this.size >= maxWaiting || this.#octets + bytes.length > maxWaitingOctets) {
      if (!this.#makeRoom(lane)) return false;
    }
    const waiting = this.#lanes.get(lane);
    const entry = { hash, bytes: Uint8Array.from(bytes) };
    if (waiting === undefined) this.#lanes.set(lane, [entry]);
    else waiting.push(entry);
    this.#waiting.add(hash);
    this.#octets += bytes.length;
    return true;
  }

  /** Takes the next one out. */
  next(): WaitingCredential | undefined {
    const [first] = this.#lanes;
    if (first === undefined) return undefined;
    const [lane, waiting] = first;
    this.#lanes.delete(lane);
    const entry = waiting.shift();
    if (waiting.length > 0) this.#lanes.set(lane, waiting);
    this.#forget(entry);
    return entry;
  }

  /** The issuers of this credential are what they say: the next ones from them have a lane. */
  trust(bytes: Uint8Array): void {
    const issuers = issuersIn(bytes);
    this.#issuers.delete(issuers);
    this.#issuers.add(issuers);
    const [oldest] = this.#issuers;
    if (this.#issuers.size > maxLanes && oldest !== undefined) this.#issuers.delete(oldest);
  }

  clear(): void {
    this.#lanes.clear();
    this.#waiting.clear();
    this.#octets = 0;
  }

  /** Takes the last of the longest lane out; false when that is the newcomer's own. */
  #makeRoom(newcomer: string): boolean {
    const [longest] = [...this.#lanes].toSorted(([, one], [, other]) => other.length - one.length);
    if (longest === undefined || longest[0] === newcomer) return false;
    const [lane, waiting] = longest;
    this.#forget(waiting.pop());
    if (waiting.length === 0) this.#lanes.delete(lane);
    return true;
  }

  #forget(entry: WaitingCredential | undefined): void {
    if (entry === undefined) return;
    this.#waiting.delete(entry.hash);
    this.#octets -= entry.bytes.length;
  }
}

/** The certificates after the first, as one short text. */
function issuersIn(bytes: Uint8Array): string {
  const firstEnd = 2 + (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0));
  return firstEnd >= bytes.length ? rootLane : createHash('sha256').update(bytes.subarray(firstEnd)).digest('base64');
}
