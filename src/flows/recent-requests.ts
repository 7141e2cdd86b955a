import type { RequestRow } from './network-snapshot.ts';
import type { RecordUpdate } from './record.ts';
import { Attribute } from './record-types.ts';
import { copyRecord, numberOf, textOf } from './record-values.ts';

/** Single requests and connections that are kept: a minute of 160 a second, some 20 MB. */
const maxRequests = 10_000;

/** The record of one request or connection. */
export interface StoredRequest {
  readonly id: string;
  readonly source: string;
  attributes: RecordUpdate;
  readonly firstSeenMs: number;
  ended: boolean;
  /** Its row as it was made last, and by which versions of what it is made of. */
  row: { readonly row: RequestRow; readonly version: number } | undefined;
  /** What of it was counted already, for routers that tell no sums. */
  counted: { opened: boolean; ended: boolean; fromClient: number; toClient: number } | undefined;
}

/** The newest requests and connections of the whole network. */
export class RecentRequests {
  readonly #limit: number;
  /** Oldest first. */
  readonly #byId = new Map<string, StoredRequest>();
  /** Start of the newest one that was forgotten, in microseconds. */
  forgottenUntilMicroseconds = 0;

  constructor(limit: number = maxRequests) {
    this.#limit = limit;
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
      return { request: known, began: false, ended };
    }
    const made = { row: undefined, counted: undefined };
    const request: StoredRequest = { id, source, attributes: copyRecord(record), firstSeenMs: nowMs, ended: isEnded, ...made };
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
