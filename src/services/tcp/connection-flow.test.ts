import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FlowDetail, TrafficMeter, TrafficSeries } from '../../flows/metering.ts';
import { Attribute } from '../../flows/record-types.ts';
import { ConnectionFlow } from './connection-flow.ts';

/** What a meter is told, in order. */
class Told {
  readonly lines: string[] = [];
  readonly attributes = new Map<number, number | string>();
  isCurrent = true;
  readonly meter: TrafficMeter = {
    active: true,
    series: ({ routerId }) => this.#series(routerId),
    begin: () => undefined,
  };
  readonly detail: FlowDetail = {
    identity: 'aaaaa:1',
    set: (attribute, value) => void this.attributes.set(attribute, value),
    update: () => void this.lines.push('update'),
    end: (wall) => void this.lines.push(`end ${wall}`),
  };

  #series(routerId: string): TrafficSeries {
    const isCurrent = (): boolean => this.isCurrent;
    const line = (text: string): void => void this.lines.push(`${routerId} ${text}`);
    return {
      get isCurrent() {
        return isCurrent();
      },
      opened: () => line('opened'),
      resumed: () => line('resumed'),
      retried: () => line('retried'),
      octets: (from, to) => line(`octets ${from} ${to}`),
      ended: ({ success, fromClient, toClient }) => line(`ended ${success} ${fromClient} ${toClient}`),
    };
  }
}

const end = { failure: undefined, fromClient: 10, toClient: 20, wallMs: 5 };

test('octets are told as they grow, and what is left at the end', () => {
  const told = new Told();
  const flow = new ConnectionFlow(told.meter, told.detail, 'x', 1);
  flow.report(1, 1);
  flow.answered('far', 3.5);
  flow.report(4, 0);
  flow.report(4, 0);
  flow.ended(end);
  assert.deepEqual(told.lines, ['far opened', 'update', 'far octets 4 0', 'update', 'far ended true 6 20', 'end 5000']);
  const { attributes } = told;
  assert.deepEqual(
    [attributes.get(Attribute.latency), attributes.get(Attribute.octets), attributes.get(Attribute.octetsReverse)],
    [2500, 10, 20],
  );
});

test('one that never came to a server counts as failed, and says why', () => {
  const told = new Told();
  new ConnectionFlow(told.meter, told.detail, 'x', 1).ended({ ...end, failure: 'nobody is there' });
  assert.deepEqual(told.lines, [' opened', ' ended false 10 20', 'end 5000']);
  assert.equal(told.attributes.get(Attribute.errorListenerSide), 'nobody is there');
});

test('one that began before anybody listened is only open; sums that begin anew are told so', () => {
  const told = new Told();
  const flow = ConnectionFlow.resumed(told.meter, 'x', 'far', 100, 100);
  flow.report(101, 100);
  told.isCurrent = false;
  flow.report(103, 100);
  assert.deepEqual(told.lines, ['far resumed', 'far octets 1 0', 'far resumed', 'far octets 2 0']);
});

test('a flow that goes on at another server leaves the first', () => {
  const told = new Told();
  const flow = new ConnectionFlow(told.meter, undefined, 'x', 1);
  for (const router of ['far', 'far', 'other']) flow.answered(router, 2);
  flow.ended(end);
  assert.deepEqual(told.lines, ['far opened', 'far retried', 'other opened', 'other ended true 10 20']);
});
