import type { Clock } from '../../base/clock.ts';
import type { FlowSupplement } from '../../flows/metering.ts';
import { Attribute } from '../../flows/record-types.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { traceText } from '../trace-text.ts';

/** What the server's router adds to the record of a request, once, when the exchange with the server is over. */
export class RequestSupplement {
  readonly #supplement: FlowSupplement;
  readonly #clock: Clock;
  readonly #identity: string;
  readonly #trace: string;
  readonly #arrivedMs: number;
  /** When a connection to the server was there, if the request had to wait for one. */
  #connectedMs = -1;
  #answeredMs = -1;

  private constructor(supplement: FlowSupplement, clock: Clock, identity: string, trace: string) {
    this.#supplement = supplement;
    this.#clock = clock;
    this.#identity = identity;
    this.#trace = trace;
    this.#arrivedMs = clock.nowMs();
  }

  /** Undefined when nobody wants to hear of this request. */
  static of(supplement: FlowSupplement, clock: Clock, { correlationId, annotations }: MessageHead): RequestSupplement | undefined {
    if (correlationId === null || !supplement.wants(correlationId)) return undefined;
    return new RequestSupplement(supplement, clock, correlationId, traceText(annotations));
  }

  connected(): void {
    this.#connectedMs = this.#clock.nowMs();
  }

  /** The head of the answer has come. */
  answered(): void {
    this.#answeredMs = this.#clock.nowMs();
  }

  #since(ms: number): number {
    return Math.max(0, Math.round((ms - this.#arrivedMs) * 1000));
  }

  /** `server`: its id at this router. */
  ended(server: string, failure: string | undefined): void {
    const attributes = new Map<number, number | string>([
      [Attribute.trace, this.#trace],
      [Attribute.destServer, server],
      [Attribute.connectMicroseconds, this.#connectedMs < 0 ? 0 : this.#since(this.#connectedMs)],
      [Attribute.serverTotalMicroseconds, this.#since(this.#clock.nowMs())],
      [Attribute.endTime, Math.round(this.#clock.wallMs() * 1000)],
    ]);
    if (this.#answeredMs >= 0) {
      attributes.set(Attribute.serverFirstByteMicroseconds, this.#since(this.#answeredMs));
      attributes.set(Attribute.processLatency, this.#since(this.#answeredMs));
    }
    if (failure !== undefined) attributes.set(Attribute.errorConnectorSide, failure);
    this.#supplement.add(this.#identity, attributes);
  }
}
