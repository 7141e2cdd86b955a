import type { Clock } from '../../base/clock.ts';
import type { FlowSupplement } from '../../flows/metering.ts';
import { Attribute } from '../../flows/record-types.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { traceText } from '../trace-text.ts';

/** What the server's router adds to the record of a connection: once, when the connection to the server stands or has failed. */
export class ConnectionSupplement {
  readonly #supplement: FlowSupplement;
  readonly #identity: string;
  readonly #trace: string;
  readonly #clock: Clock;
  readonly #arrivedMs: number;
  #told = false;

  private constructor(supplement: FlowSupplement, identity: string, trace: string, clock: Clock) {
    this.#supplement = supplement;
    this.#identity = identity;
    this.#trace = trace;
    this.#clock = clock;
    this.#arrivedMs = clock.nowMs();
  }

  /** Undefined when nobody wants to hear of this connection. */
  static of(supplement: FlowSupplement, head: MessageHead, clock: Clock): ConnectionSupplement | undefined {
    const { correlationId, annotations } = head;
    if (correlationId === null || !supplement.wants(correlationId)) return undefined;
    return new ConnectionSupplement(supplement, correlationId, traceText(annotations), clock);
  }

  connected(): void {
    const microseconds = Math.max(0, Math.round((this.#clock.nowMs() - this.#arrivedMs) * 1000));
    this.#add([
      [Attribute.connectMicroseconds, microseconds],
      [Attribute.processLatency, microseconds],
    ]);
  }

  failed(reason: string): void {
    this.#add([[Attribute.errorConnectorSide, reason]]);
  }

  #add(attributes: readonly (readonly [number, number | string])[]): void {
    if (this.#told) return;
    this.#told = true;
    this.#supplement.add(
      this.#identity,
      new Map([...attributes, [Attribute.trace, this.#trace], [Attribute.endTime, Math.round(this.#clock.wallMs() * 1000)]]),
    );
  }
}
