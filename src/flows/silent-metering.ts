import type { FlowSupplement, TrafficMeter, TrafficSeries } from './metering.ts';

const silentSeries: TrafficSeries = {
  isCurrent: true,
  opened(): void {},
  resumed(): void {},
  ended(): void {},
  octets(): void {},
  retried(): void {},
};

/** For services without a router around them: nobody listens, ever. */
export const silentMeter: TrafficMeter = {
  active: false,
  series: () => silentSeries,
  begin: () => undefined,
};

export const silentSupplement: FlowSupplement = {
  active: false,
  wants: () => false,
  add(): void {},
};
