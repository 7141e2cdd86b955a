import assert from 'node:assert/strict';
import { readFlowMessage, recordMessage } from './flow-messages.ts';
import { FlowSource } from './flow-source.ts';
import type { FlowInterest, FlowSourceOptions } from './flow-source.ts';
import type { FlowDetail, TrafficOutcome } from './metering.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';

export const everything: FlowInterest = { all: true, records: true, flows: true, logs: true, caravan: true };
export const nothing: FlowInterest = { all: false, records: false, flows: false, logs: false, caravan: false };
/** Microseconds of the wall when virtual time begins. */
export const epoch = 1_795_000_000_000_000;
export const ok: TrafficOutcome = { success: true, status: 200, method: 'GET', firstByteMicroseconds: 900, fromClient: 10, toClient: 100 };

/** A source in virtual time, whose messages are read as they come. */
export class Driven {
  readonly source: FlowSource;
  nowMs = 0;
  /** What has been told, by address, since `take`. */
  #told: { to: string; subject: string; records: readonly RecordUpdate[] }[] = [];

  constructor(options: Partial<FlowSourceOptions> = {}) {
    let number = 0;
    this.source = new FlowSource({ sourceId: 'abcde', nextIdentity: () => `abcde:${++number}`, ...options });
    this.source.start(0);
  }

  get wall(): number {
    return epoch + this.nowMs * 1000;
  }

  want(interest: FlowInterest): this {
    this.source.setInterest(interest, this.nowMs, this.wall);
    this.#drain();
    return this;
  }

  run(durationMs: number): this {
    const end = this.nowMs + durationMs;
    for (let due = this.source.nextDeadlineMs(); due <= end; due = this.source.nextDeadlineMs()) {
      this.nowMs = Math.max(this.nowMs, due);
      this.source.handleTimeout(this.nowMs, this.wall);
      this.#drain();
    }
    this.nowMs = end;
    return this;
  }

  #drain(): void {
    for (let next = this.source.nextMessage(); next !== undefined; next = this.source.nextMessage()) {
      const read = readFlowMessage(next.octets);
      assert.equal(read.to, next.to);
      assert.equal(read.subject, next.subject);
      this.#told.push({ to: next.to, subject: next.subject, records: read.subject === 'RECORD' ? read.records : [] });
    }
  }

  take(): { to: string; subject: string; records: readonly RecordUpdate[] }[] {
    const told = this.#told;
    this.#told = [];
    return told;
  }

  /** Records told at an address since the last time. */
  records(suffix = ''): RecordUpdate[] {
    return this.take().flatMap(({ to, records }) => (to === `mc/sfe.abcde:0${suffix}` ? records : []));
  }

  detail(kind: 'connection' | 'request' = 'request', parent?: string): FlowDetail {
    const detail = this.source.meterFor('abcde:900', 'http', 'requests').begin({ kind, startWallMicroseconds: this.wall, parent });
    assert.ok(detail !== undefined);
    return detail;
  }
}

export function supplement(identity: string, entries: readonly (readonly [number, AttributeValue])[]): Uint8Array {
  return recordMessage(1, 'vfcr.abcde:0', [new Map<number, AttributeValue>([[0, 16], [1, identity], ...entries])]).octets;
}
