import type { FlowDetail, TrafficMeter, TrafficOutcome, TrafficSeries } from '../../flows/metering.ts';
import { Attribute } from '../../flows/record-types.ts';

/** How a connection ended. */
export interface ConnectionEnd {
  /** Why it has not come to a server; undefined when it has. */
  readonly failure: string | undefined;
  readonly fromClient: number;
  readonly toClient: number;
  readonly wallMs: number;
}

/** What is recorded of one connection or flow of a client: its part in the sums, and a record of its own if one is wanted. */
export class ConnectionFlow {
  readonly #meter: TrafficMeter;
  readonly #detail: FlowDetail | undefined;
  readonly #address: string;
  readonly #startedMs: number;
  #routerId = '';
  #firstByteMicroseconds = -1;
  #series: TrafficSeries | undefined;
  /** Octets that the sums have. */
  #fromClient = 0;
  #toClient = 0;

  constructor(meter: TrafficMeter, detail: FlowDetail | undefined, address: string, startedMs: number) {
    this.#meter = meter;
    this.#detail = detail;
    this.#address = address;
    this.#startedMs = startedMs;
    detail?.set(Attribute.vanAddress, address);
  }

  /** One that began before anybody listened: its octets so far are nobody's. */
  static resumed(meter: TrafficMeter, address: string, routerId: string, fromClient: number, toClient: number): ConnectionFlow {
    const flow = new ConnectionFlow(meter, undefined, address, 0);
    flow.#fromClient = fromClient;
    flow.#toClient = toClient;
    flow.#routerId = routerId;
    flow.#resume();
    return flow;
  }

  #resume(): TrafficSeries {
    const series = this.#meter.series({ address: this.#address, routerId: this.#routerId, server: '' });
    series.resumed();
    this.#series = series;
    return series;
  }

  /** The server's router has answered; of a flow, perhaps another than before. */
  answered(routerId: string, nowMs: number): void {
    if (this.#series !== undefined) {
      if (routerId === this.#routerId) return;
      this.#series.retried();
    }
    this.#routerId = routerId;
    this.#firstByteMicroseconds = Math.max(0, Math.round((nowMs - this.#startedMs) * 1000));
    this.#series = this.#meter.series({ address: this.#address, routerId, server: '' });
    this.#series.opened();
    const detail = this.#detail;
    if (detail === undefined) return;
    detail.set(Attribute.latency, this.#firstByteMicroseconds);
    detail.set(Attribute.firstByteMicroseconds, this.#firstByteMicroseconds);
    detail.update();
  }

  /** Tells the octets so far, while it goes on. */
  report(fromClient: number, toClient: number): void {
    if (this.#series === undefined || (fromClient === this.#fromClient && toClient === this.#toClient)) return;
    const series = this.#series.isCurrent ? this.#series : this.#resume();
    series.octets(fromClient - this.#fromClient, toClient - this.#toClient);
    this.#fromClient = fromClient;
    this.#toClient = toClient;
    this.#tellOctets(fromClient, toClient);
    this.#detail?.update();
  }

  #tellOctets(fromClient: number, toClient: number): void {
    this.#detail?.set(Attribute.octets, fromClient);
    this.#detail?.set(Attribute.octetsReverse, toClient);
  }

  ended({ failure, fromClient, toClient, wallMs }: ConnectionEnd): void {
    const outcome: TrafficOutcome = {
      success: failure === undefined,
      status: 0,
      method: '',
      firstByteMicroseconds: this.#firstByteMicroseconds,
      fromClient: fromClient - this.#fromClient,
      toClient: toClient - this.#toClient,
    };
    let series = this.#series;
    if (series === undefined && this.#meter.active) {
      series = this.#meter.series({ address: this.#address, routerId: '', server: '' });
      series.opened();
    }
    series?.ended(outcome);
    const detail = this.#detail;
    if (detail === undefined) return;
    this.#tellOctets(fromClient, toClient);
    if (failure !== undefined) detail.set(Attribute.errorListenerSide, failure);
    detail.end(Math.round(wallMs * 1000));
  }
}
