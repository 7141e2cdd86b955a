import { closeSync, constants, fstatSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import type { Audit, AuditEvent, AuditFields } from '../base/audit.ts';
import type { Clock } from '../base/clock.ts';

/**
 * The audit log of a site: one line of JSON per event in a file of mode 0600.
 *
 *     {"sequence":7,"time":"2026-11-21T06:38:19.120Z","event":"linkRefused","fields":{...}}
 *     {"sequence":8,"time":"...","event":"linkRefused","fields":{...},"repeated":41,"since":"..."}
 *
 * `sequence` goes up by one with each event, also over restarts and also when an event could not be written: a gap is an event that is lost.
 * The second form stands for 41 more events like the first since then; with the fields {"others":true}, for different ones of that name.
 */
export interface AuditRecord extends AuditEvent {
  readonly sequence: number;
  /** RFC 3339, of the wall clock: it may jump, the sequence does not. */
  readonly time: string;
  /** How many more events like this there were, from `since` to `time`. */
  readonly repeated?: number;
  readonly since?: string;
}

/** Files of the log: the present one, then `.1` (the one before) to `.3`. */
export const auditFileCount = 4;
/** A file of this size is moved to `.1`: with 200 bytes per event some 40,000 events, and 32 MiB on the disk at most. */
export const auditFileLimitBytes: number = 8 * 1024 * 1024;
/** The same event again within this time is counted and told at its end. */
const repeatWindowMs = 60_000;
/**
 * Different events of one name within that time that are written one by one. Those beyond are counted together: whoever may cause events with
 * ever new words must not push out of the files what was there before (256 lines a minute take ten hours for that).
 */
const maxDistinct = 256;
/** Characters of a text and entries of a list, and fields of an event: what a peer says must not fill the file. */
const maxTextLength = 512;
const maxListLength = 64;
const maxFields = 32;
/** After a failure the file is not tried again for this long: a full disk is not asked with every event. */
const retryPauseMs = 1000;
/** End of the file in which the last sequence is looked for; longer than any line. */
const tailBytes: number = 64 * 1024;

/** Beyond what JSON escapes: DEL, C1, line separators and the marks of bidirectional text. */
const steering = /[\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

export interface AuditLogOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly limitBytes?: number;
}

/** What became of the events of this process. */
export interface AuditState {
  readonly written: number;
  /** Events that could not be written. */
  readonly lost: number;
  /** Why the last one could not; undefined when it could. */
  readonly failure: { readonly code: string; readonly reason: string } | undefined;
}

interface Counted {
  readonly event: AuditEvent;
  readonly startMs: number;
  readonly startTime: string;
  count: number;
}

/**
 * Writes events as they come, each with one write to the operating system: a process that is killed loses none, a host that loses power
 * may lose the last seconds. Whoever records an event is never held up and never sees an error.
 */
export class AuditLog implements Audit, Disposable {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #limitBytes: number;
  readonly #counted = new Map<string, Counted>();
  /** How many of those are of each name. */
  readonly #distinct = new Map<string, number>();
  #descriptor: number | undefined;
  #sizeBytes = 0;
  /** Whether the last line was written in part only. */
  #isTorn = false;
  #sequence = 0;
  #written = 0;
  #lost = 0;
  #failure: AuditState['failure'];
  #retryAtMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor({ path, clock, limitBytes = auditFileLimitBytes }: AuditLogOptions) {
    this.#path = path;
    this.#clock = clock;
    this.#limitBytes = limitBytes;
    this.#attempt(() => this.#open());
  }

  get state(): AuditState {
    return { written: this.#written, lost: this.#lost, failure: this.#failure };
  }

  record(event: AuditEvent): void {
    if (this.#isClosed) return;
    const nowMs = this.#clock.nowMs();
    this.#summarise(nowMs);
    let plain: AuditEvent = { event: event.event, fields: boundedFields(event.fields) };
    let key = JSON.stringify(plain);
    const distinct = this.#distinct.get(plain.event) ?? 0;
    if (distinct >= maxDistinct && !this.#counted.has(key)) {
      plain = { event: plain.event, fields: { others: true } };
      key = JSON.stringify(plain);
    }
    const counted = this.#counted.get(key);
    if (counted !== undefined) {
      counted.count++;
      return;
    }
    const time = this.#now();
    this.#write({ sequence: ++this.#sequence, time, ...plain });
    this.#distinct.set(plain.event, distinct + 1);
    this.#counted.set(key, { event: plain, startMs: nowMs, startTime: time, count: 0 });
    this.#arm(nowMs);
  }

  /** Tells what has been counted, and closes the file. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#summarise(Infinity);
    this.#isClosed = true;
    clearTimeout(this.#timer);
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** Tells of repeats whose minute is over. The map is in the order of their starts. */
  #summarise(nowMs: number): void {
    for (const [key, { event, startMs, startTime, count }] of this.#counted) {
      if (nowMs - startMs < repeatWindowMs) break;
      this.#counted.delete(key);
      const distinct = (this.#distinct.get(event.event) ?? 0) - 1;
      if (distinct > 0) this.#distinct.set(event.event, distinct);
      else this.#distinct.delete(event.event);
      if (count > 0) this.#write({ sequence: ++this.#sequence, time: this.#now(), ...event, repeated: count, since: startTime });
    }
  }

  #arm(nowMs: number): void {
    if (this.#timer !== undefined) return;
    const [first] = this.#counted.values();
    if (first === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        const laterMs = this.#clock.nowMs();
        this.#summarise(laterMs);
        this.#arm(laterMs);
      },
      Math.max(1, first.startMs + repeatWindowMs - nowMs),
    );
    // Disposal tells what has been counted: a process that has nothing else to do need not wait for the minute.
    this.#timer.unref();
  }

  #now(): string {
    return new Date(this.#clock.wallMs()).toISOString();
  }

  #write(record: AuditRecord): void {
    const line = JSON.stringify(record).replaceAll(steering, escaped);
    const done = this.#attempt(() => {
      if (this.#descriptor === undefined) this.#open();
      if (this.#sizeBytes >= this.#limitBytes) this.#rotate();
      const bytes = Buffer.from(`${this.#isTorn ? '\n' : ''}${line}\n`);
      const written = writeSync(this.#descriptor ?? -1, bytes);
      this.#sizeBytes += written;
      this.#isTorn = written < bytes.length;
      if (this.#isTorn) throw Object.assign(new Error('only a part of the line was written'), { code: 'ENOSPC' });
    });
    if (done) this.#written++;
    else this.#lost++;
  }

  /** Whether it could be done. After a failure nothing is tried for a moment. */
  #attempt(action: () => void): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#retryAtMs) return false;
    try {
      action();
      this.#failure = undefined;
      return true;
    } catch (error) {
      const { code = 'unknown', message } = error as NodeJS.ErrnoException;
      this.#failure = { code: code === 'ENOSPC' || code === 'EDQUOT' ? 'disk-full' : 'not-writable', reason: message };
      this.#retryAtMs = nowMs + retryPauseMs;
      return false;
    }
  }

  /** Opens the file, and goes on behind the last sequence in it. A symbolic link in its place is refused. */
  #open(): void {
    const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
    const descriptor = openSync(this.#path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
    const file = fstatSync(descriptor);
    if (!file.isFile()) {
      closeSync(descriptor);
      throw new Error(`${this.#path} is no file`);
    }
    this.#descriptor = descriptor;
    this.#sizeBytes = file.size;
    const tail = readTail(descriptor, file.size);
    this.#isTorn = file.size > 0 && !tail.endsWith('\n');
    this.#sequence = Math.max(this.#sequence, lastSequence(tail, file.size === 0 ? this.#readBefore() : ''));
  }

  /** The end of the file before, for a process that was stopped between moving the old file and writing to the new one. */
  #readBefore(): string {
    let descriptor: number | undefined;
    try {
      descriptor = openSync(`${this.#path}.1`, constants.O_RDONLY | constants.O_NOFOLLOW);
      return readTail(descriptor, fstatSync(descriptor).size);
    } catch {
      return '';
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  }

  #rotate(): void {
    for (let number = auditFileCount - 2; number >= 0; number--) {
      try {
        renameSync(nameOf(this.#path, number), nameOf(this.#path, number + 1));
      } catch (error) {
        if (number > 0 && (error as NodeJS.ErrnoException).code === 'ENOENT') continue;
        throw error;
      }
    }
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#open();
  }
}

/** Names of the log's files, the oldest first. */
export function auditFiles(path: string): readonly string[] {
  return Array.from({ length: auditFileCount }, (_, number) => nameOf(path, auditFileCount - 1 - number));
}

function nameOf(path: string, number: number): string {
  return number === 0 ? path : `${path}.${number}`;
}

/** The record in a line; undefined for a line that was written in part, or by something else. */
export function parseAuditLine(line: string): AuditRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return undefined;
    const { sequence, time, event, fields } = value as Partial<AuditRecord>;
    const isRecord = Number.isSafeInteger(sequence) && typeof time === 'string' && typeof event === 'string' && typeof fields === 'object';
    return isRecord && fields !== null ? (value as AuditRecord) : undefined;
  } catch {
    return undefined;
  }
}

function readTail(descriptor: number, sizeBytes: number): string {
  const bytes = Buffer.alloc(Math.min(sizeBytes, tailBytes));
  const length = readSync(descriptor, bytes, 0, bytes.length, sizeBytes - bytes.length);
  return bytes.toString('utf8', 0, length);
}

function lastSequence(...texts: readonly string[]): number {
  const sequences = texts.flatMap((text) => text.split('\n').map((line) => parseAuditLine(line)?.sequence ?? 0));
  return Math.max(0, ...sequences);
}

function boundedFields(fields: AuditFields): AuditFields {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .slice(0, maxFields)
      .map(([key, value]) => [key, boundedValue(value)]),
  );
}

function boundedValue(value: AuditFields[string]): AuditFields[string] {
  if (typeof value === 'string') return boundedText(value);
  return Array.isArray(value) ? value.slice(0, maxListLength).map(boundedText) : value;
}

function boundedText(text: string): string {
  return text.length > maxTextLength ? `${text.slice(0, maxTextLength)}…` : text;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
