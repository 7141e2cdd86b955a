import type { FlowDetails } from './flow-details.ts';
import type { FlowDetail, FlowStart, TrafficDestination, TrafficMeter, TrafficSeries } from './metering.ts';
import type { SeriesOwner, TrafficTable } from './traffic-table.ts';

/** What one listener counts and records. */
export class ListenerMeter implements TrafficMeter {
  readonly #owner: SeriesOwner;
  readonly #traffic: TrafficTable;
  readonly #details: FlowDetails;

  constructor(owner: SeriesOwner, traffic: TrafficTable, details: FlowDetails) {
    this.#owner = owner;
    this.#traffic = traffic;
    this.#details = details;
  }

  get active(): boolean {
    return this.#traffic.isCounting || this.#details.isRecording;
  }

  series(destination: TrafficDestination): TrafficSeries {
    return this.#traffic.find(this.#owner, destination);
  }

  begin(start: FlowStart): FlowDetail | undefined {
    return this.#details.begin(this.#owner, start);
  }

  /** The listener is gone: its sums end. */
  close(wallMicroseconds: number): void {
    this.#traffic.endOf(this.#owner.listener, wallMicroseconds);
  }
}
