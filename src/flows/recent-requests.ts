import type { RequestRow } from './network-snapshot.ts';
import type { RecordUpdate } from './record.ts';
import { Attribute } from './record-types.ts';
import { copyRecord, numberOf, textOf } from './record-values.ts';

/** Single requests and connections that are kept: a minute of 160 a second, some 20 MB. */
const maxRequests = 10_000;
/** Beginnings and ends that can still be followed: as many as all that are kept have. */
const maxChanges: number = 2 * maxRequests;

/** The record of one request or connection. */
export interface StoredRequest {
  readonly id: string;
  readonly source: string;
  attributes: RecordUpdate;
  readonly firstSeenMs: number;
  ended: boolean;
  /** Number of the last change: that it was told of, or has ended. */
  change: number;
  /** Its row as it was made last, and by which versions of what it is made of. */
  row: { readonly row: RequestRow; readonly version: number } | undefined;
  /** What of it was counted already, for routers that tell no sums. */
  counted: { opened: boolean; ended: boolean; fromClient: number; toClient: number } | undefined;
}

/** What has begun or ended since some change. */
export interface RequestChanges {
  /** As they are now, in the order of their last changes. */
  readonly requests: readonly StoredRequest[];
  /** Number of the last change that was looked at: ask for what comes after it. */
  readonly next: number;
  /** Beginnings and ends that are not known any more: more came than could be followed. */
  readonly missed: number;
}

/** The newest requests and connections of the whole network. */
export class RecentRequests {
  readonly #limit: number;
  /** Oldest first. */
  readonly #byId = new Map<string, StoredRequest>();
  /** Ids by the number of the change, counted from `#firstChange` and wrapped round. */
  readonly #changes: string[] = [];
  readonly #firstChange: number;
  #nextChange: number;
  /** Start of the newest one that was forgotten, in microseconds. */
  forgottenUntilMicroseconds = 0;

  /** Changes are numbered from `firstChange` on. */
  constructor(limit: number = maxRequests, firstChange = 0) {
    this.#limit = limit;
    this.#firstChange = firstChange;
    this.#nextChange = firstChange;
  }

  #changed(id: string): number {
    const number = this.#nextChange++;
    this.#changes[(number - this.#firstChange) % maxChanges] = id;
    return number;
  }

  get lastChange(): number {
    return this.#nextChange - 1;
  }

  /** Those that `matches`, `limit` at most. */
  changesAfter(change: number, limit: number, matches: (request: StoredRequest) => boolean): RequestChanges {
    const requests: StoredRequest[] = [];
    const oldest = Math.max(this.#firstChange, this.#nextChange - maxChanges);
    let next = Math.max(oldest, Math.min(change + 1, this.#nextChange));
    let missed = Math.max(0, next - Math.max(change + 1, this.#firstChange));
    for (; next < this.#nextChange && requests.length < limit; next++) {
      const request = this.#byId.get(this.#changes[(next - this.#firstChange) % maxChanges] ?? '');
      if (request === undefined) missed++;
      else if (request.change === next && matches(request)) requests.push(request);
    }
    return { requests, next: next - 1, missed };
  }

  /** Keeps what is known of a request. Gives it with what happened; undefined when another source told of it before. */
  take(
    source: string,
    record: RecordUpdate,
    nowMs: number,
  ): { readonly request: StoredRequest; readonly began: boolean; readonly ended: boolean } | undefined {
    const id = textOf(record, Attribute.identity);
    const isEnded = (numberOf(record, Attribute.endTime) ?? 0) > 0;
    const known = this.#byId.get(id);
    if (known !== undefined) {
      if (known.source !== source) return undefined;
      const ended = isEnded && !known.ended;
      known.attributes = copyRecord(record);
      known.row = undefined;
      known.ended ||= isEnded;
      if (ended) known.change = this.#changed(id);
      return { request: known, began: false, ended };
    }
    const made = { row: undefined, counted: undefined };
    const request: StoredRequest = {
      id,
      source,
      attributes: copyRecord(record),
      firstSeenMs: nowMs,
      ended: isEnded,
      change: this.#changed(id),
      ...made,
    };
    this.#byId.set(id, request);
    if (this.#byId.size > this.#limit) this.#forgetOldest();
    return { request, began: !isEnded, ended: isEnded };
  }

  find(id: string): StoredRequest | undefined {
    return this.#byId.get(id);
  }

  /** Newest first. */
  newest(): readonly StoredRequest[] {
    return [...this.#byId.values()].reverse();
  }

  /** Connections that a router had when it went are over, as far as anybody knows. */
  endSource(source: string): void {
    for (const request of this.#byId.values()) {
      if (request.source !== source) continue;
      if (!request.ended) request.change = this.#changed(request.id);
      request.ended = true;
      request.row = undefined;
    }
  }

  #forgetOldest(): void {
    const [oldest] = this.#byId.values();
    if (oldest === undefined) return;
    this.#byId.delete(oldest.id);
    const start = numberOf(oldest.attributes, Attribute.startTime) ?? 0;
    this.forgottenUntilMicroseconds = Math.max(this.forgottenUntilMicroseconds, start);
  }
}
