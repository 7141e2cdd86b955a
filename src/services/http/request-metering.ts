import type { Clock } from '../../base/clock.ts';
import type { TrafficMeter, TrafficOutcome, TrafficSeries } from '../../flows/metering.ts';
import type { BalancedServer } from '../balancing/balanced-server.ts';
import type { RequestHead } from './exchange.ts';
import { RequestFlow } from './request-flow.ts';

/** The connection of a client, as records tell it. */
export interface ClientConnection {
  /** As records name it: `HTTP/1.1`, `HTTP/2`. */
  readonly protocol: string;
  readonly port: number;
  /** Record of the connection itself, if there is one. */
  readonly identity: string | undefined;
}

/** What one listener measures of its requests. */
export class RequestMetering {
  readonly meter: TrafficMeter;
  readonly #clock: Clock;
  /** Of the wall clock to the monotonic one, as it was a second ago at most: asking for both takes its time. */
  #wallOffsetMs: number;
  /** Filled again for each request that ends. */
  readonly outcome: TrafficOutcome = { success: true, status: 0, method: '', firstByteMicroseconds: -1, fromClient: 0, toClient: 0 };
  readonly #start: { kind: 'request'; startWallMicroseconds: number; parent: string | undefined } = {
    kind: 'request',
    startWallMicroseconds: 0,
    parent: undefined,
  };

  constructor(meter: TrafficMeter, clock: Clock) {
    this.meter = meter;
    this.#clock = clock;
    this.#wallOffsetMs = clock.wallMs() - clock.nowMs();
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** To be called about once a second while somebody listens. */
  refresh(): void {
    this.#wallOffsetMs = this.#clock.wallMs() - this.#clock.nowMs();
  }

  wallMicroseconds(nowMs: number): number {
    return Math.round((nowMs + this.#wallOffsetMs) * 1000);
  }

  /** A request begins, and somebody listens. */
  begin(head: RequestHead, requestId: string, client: ClientConnection | undefined, nowMs: number): RequestFlow {
    this.#start.startWallMicroseconds = this.wallMicroseconds(nowMs);
    this.#start.parent = client?.identity;
    const detail = this.meter.begin(this.#start);
    const flow = new RequestFlow(this, detail, head.method, nowMs);
    if (detail !== undefined) flow.describe(head, requestId, client);
    return flow;
  }

  /** The sums that a request to this server goes into; undefined: to whichever the network chooses. */
  seriesOf(server: BalancedServer | undefined, address: string): TrafficSeries {
    if (server === undefined) return this.meter.series({ address, routerId: '', server: '' });
    const known = server.traffic;
    if (known !== undefined && known.isCurrent) return known;
    const series = this.meter.series({ address, routerId: server.routerId, server: server.id });
    server.traffic = series;
    return series;
  }
}
