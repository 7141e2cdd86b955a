import { ProtocolViolation } from '../../base/errors.ts';
import { Condition } from '../../amqp/constants.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { Downstream, Upstream } from '../../forwarding/leg.ts';
import { RecordReader } from './record-reader.ts';
import type { RecordHandler } from './record-reader.ts';

/** Takes a message of one record; it is accepted when `take` does not throw a ProtocolViolation. */
export class SingleRecord implements Downstream, RecordHandler {
  readonly congested = false;
  readonly overloaded = false;
  readonly #kind: number;
  readonly #take: (bytes: Uint8Array, start: number, end: number) => void;
  readonly #reader: RecordReader;
  #upstream: Upstream | undefined;
  #taken = false;

  constructor(kind: number, skip: number, upstream: Upstream, take: (bytes: Uint8Array, start: number, end: number) => void) {
    this.#kind = kind;
    this.#take = take;
    this.#upstream = upstream;
    this.#reader = new RecordReader(this, skip);
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.#upstream === undefined) return;
    try {
      this.#reader.read(bytes, start, end);
      if (more) return;
      if (!this.#taken) throw new ProtocolViolation(Condition.decodeError, 'the message is cut short');
      this.#settle(DeliveryState.accepted, undefined);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#settle(DeliveryState.rejected, error);
    }
  }

  #settle(state: DeliveryState, error: ProtocolViolation | undefined): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.update(state, true, 0, error && { condition: error.condition, description: error.message });
  }

  record(kind: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#taken || kind !== this.#kind) throw new ProtocolViolation(Condition.decodeError, 'another record is expected');
    this.#taken = true;
    this.#take(bytes, start, end);
  }

  body(): void {
    throw new ProtocolViolation(Condition.decodeError, 'another record is expected');
  }

  abort(): void {
    this.#upstream = undefined;
  }

  forget(): void {}
}
