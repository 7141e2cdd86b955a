import type { TrafficMeter, TrafficSeries } from '../flows/metering.ts';

/**
 * Sums of a port whose clients use many addresses, or send to many consumers: connections and octets as a whole, without saying where they
 * go.
 */
export class ClientTraffic {
  readonly #meter: TrafficMeter;
  readonly #address: string;
  #series: TrafficSeries | undefined;
  #open = 0;
  /** Octets that the sums have. */
  #fromClients = 0;
  #toClients = 0;

  constructor(meter: TrafficMeter, address: string) {
    this.#meter = meter;
    this.#address = address;
  }

  opened(): void {
    this.#current()?.opened();
    this.#open++;
  }

  ended(success: boolean): void {
    this.#current()?.ended({ success, status: 0, method: '', firstByteMicroseconds: -1, fromClient: 0, toClient: 0 });
    this.#open--;
  }

  /** Tells the octets so far of all clients. */
  report(fromClients: number, toClients: number): void {
    const isNew = this.#series === undefined;
    const series = this.#current();
    if (!isNew) series?.octets(fromClients - this.#fromClients, toClients - this.#toClients);
    this.#fromClients = fromClients;
    this.#toClients = toClients;
  }

  /** The sums, with those that are open when somebody begins to listen; undefined while nobody does. */
  #current(): TrafficSeries | undefined {
    if (!this.#meter.active) {
      this.#series = undefined;
      return undefined;
    }
    if (this.#series?.isCurrent === true) return this.#series;
    const series = this.#meter.series({ address: this.#address, routerId: '', server: '' });
    for (let count = 0; count < this.#open; count++) series.resumed();
    this.#series = series;
    return series;
  }
}
