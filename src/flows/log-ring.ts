import { Attribute, RecordType } from './record-types.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';

/** Lines that are kept for who listens next. */
export const maxLogLines = 1000;

/** 0 debug, 1 info, 2 warning, 3 error, 4 critical. */
export type LogSeverity = 0 | 1 | 2 | 3 | 4;

export interface LogLine {
  readonly identity: string;
  /** Identity of the router's record. */
  readonly parent: string;
  readonly severity: LogSeverity;
  readonly text: string;
  readonly wallMicroseconds: number;
  readonly sourceFile: string;
  readonly sourceLine: number;
}

/** The last lines of a router's log. Those that nobody has been told of in time are lost, the oldest first. */
export class LogRing {
  readonly #lines: LogLine[] = [];
  /** How many there have been, and how many of them are told or lost. */
  #written = 0;
  #told = 0;

  add(line: LogLine): void {
    this.#lines[this.#written % maxLogLines] = line;
    this.#written++;
  }

  /** All lines that are kept are told to who listens now. */
  tellAll(): void {
    this.#told = 0;
  }

  /** At most `count` lines that are not told yet. */
  take(count: number): RecordUpdate[] {
    const updates: RecordUpdate[] = [];
    let next = Math.max(this.#told, this.#written - maxLogLines);
    for (; next < this.#written && updates.length < count; next++) updates.push(recordOf(this.#lines[next % maxLogLines] as LogLine));
    this.#told = next;
    return updates;
  }
}

function recordOf(line: LogLine): RecordUpdate {
  const record = new Map<number, AttributeValue>([
    [Attribute.recordType, RecordType.log],
    [Attribute.identity, line.identity],
    [Attribute.parent, line.parent],
    [Attribute.startTime, line.wallMicroseconds],
    [Attribute.endTime, line.wallMicroseconds],
    [Attribute.logSeverity, line.severity],
    [Attribute.logText, line.text],
  ]);
  if (line.sourceFile !== '') {
    record.set(Attribute.sourceFile, line.sourceFile);
    record.set(Attribute.sourceLine, line.sourceLine);
  }
  return record;
}
