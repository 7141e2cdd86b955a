import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TrafficMeter, TrafficSeries } from '../flows/metering.ts';
import { ClientTraffic } from './client-traffic.ts';

test('clients of a port are counted while somebody listens, those that are open from the first on', () => {
  const lines: string[] = [];
  let active = false;
  const series: TrafficSeries = {
    isCurrent: true,
    opened: () => void lines.push('opened'),
    resumed: () => void lines.push('resumed'),
    retried: () => undefined,
    octets: (from, to) => void lines.push(`octets ${from} ${to}`),
    ended: ({ success }) => void lines.push(`ended ${success}`),
  };
  const meter: TrafficMeter = {
    get active() {
      return active;
    },
    series: () => series,
    begin: () => undefined,
  };
  const traffic = new ClientTraffic(meter, 'queue');
  traffic.opened();
  traffic.opened();
  traffic.ended(true);
  assert.deepEqual(lines, []);
  active = true;
  traffic.report(1000, 1000);
  traffic.opened();
  traffic.report(1010, 1001);
  traffic.ended(false);
  assert.deepEqual(lines, ['resumed', 'opened', 'octets 10 1', 'ended false']);
});
