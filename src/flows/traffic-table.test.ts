import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Driven, epoch, everything, nothing, ok } from './driven-source.test.ts';
import { Attribute, RecordType } from './record-types.ts';

test('sums are exact, cumulative, and told at most once a second', () => {
  const driven = new Driven().want(everything).run(3000);
  const listener = driven.source.begin(RecordType.listener, [], driven.wall);
  const meter = driven.source.meterFor(listener.identity, 'http', 'requests');
  const series = meter.series({ address: 'web', routerId: 'r2', server: 's1' });
  assert.equal(meter.series({ address: 'web', routerId: 'r2', server: 's1' }), series);
  driven.take();
  for (let count = 0; count < 1000; count++) {
    series.opened();
    series.ended(count % 10 === 0 ? { ...ok, success: false, status: 503, method: 'POST', firstByteMicroseconds: -1 } : ok);
    driven.run(4);
  }
  series.opened();
  series.opened();
  series.retried();
  series.octets(5, 6);
  driven.run(1500);
  const updates = driven.records('.caravan');
  assert.ok(updates.length >= 4 && updates.length <= 6, `${updates.length} updates`);
  const sums = new Map(updates.flatMap((update) => [...update]));
  assert.equal(sums.get(Attribute.recordType), RecordType.traffic);
  assert.deepEqual(
    [Attribute.parent, Attribute.vanAddress, Attribute.protocol, Attribute.destRouter, Attribute.destServer].map((name) => sums.get(name)),
    [listener.identity, 'web', 'http', 'r2', 's1'],
  );
  assert.deepEqual(
    [Attribute.count, Attribute.successCount, Attribute.failureCount, Attribute.retryCount, Attribute.open].map((name) => sums.get(name)),
    [1000, 900, 100, 1, 1],
  );
  assert.equal(sums.get(Attribute.statusCounts), '503=100 200=900');
  assert.equal(sums.get(Attribute.methodCounts), 'POST-503=100 GET-200=900');
  assert.equal(sums.get(Attribute.octets), 10_005);
  assert.equal(sums.get(Attribute.octetsReverse), 100_006);
  assert.equal(sums.get(Attribute.latencySumMicroseconds), 810_000);
  assert.match(String(sums.get(Attribute.latencyCounts)), /^\d+=900$/);
});

test('connections count when they are opened, and those that were open before are only open', () => {
  const driven = new Driven().want(everything).run(3000);
  const series = driven.source.meterFor('abcde:900', 'tcp', 'connections').series({ address: 'db', routerId: 'r2', server: '' });
  series.resumed();
  series.opened();
  driven.run(1500);
  const sums = new Map(driven.records('.caravan').flatMap((update) => [...update]));
  assert.deepEqual([sums.get(Attribute.count), sums.get(Attribute.open)], [1, 2]);
  for (let count = 0; count < 5; count++) series.ended({ ...ok, status: 0, method: '' });
  driven.run(1500);
  const ended = new Map(driven.records('.caravan').flatMap((update) => [...update]));
  assert.deepEqual([ended.get(Attribute.successCount), ended.get(Attribute.open)], [5, 0]);
});

test('sums start anew when somebody listens again', () => {
  const driven = new Driven().want(everything).run(3000);
  const meter = driven.source.meterFor('abcde:900', 'http', 'requests');
  const before = meter.series({ address: 'web', routerId: 'r2', server: '' });
  before.opened();
  const detail = driven.detail();
  driven.want(nothing);
  assert.equal(before.isCurrent, false);
  assert.equal(meter.active, false);
  assert.equal(driven.source.outstandingFlows, 0);
  before.ended(ok);
  detail.set(Attribute.result, '200');
  detail.end(driven.wall);
  driven.run(7000).want(everything).run(1000);
  driven.take();
  const after = meter.series({ address: 'web', routerId: 'r2', server: '' });
  after.opened();
  after.ended(ok);
  driven.run(6000);
  const told = driven.take();
  assert.ok(told.every(({ to }) => !to.endsWith('.flows')));
  const sums = new Map(told.flatMap(({ to, records }) => (to.endsWith('.caravan') ? records : [])).flatMap((update) => [...update]));
  assert.equal(sums.get(Attribute.count), 1);
  assert.ok(Number(sums.get(Attribute.startTime)) >= epoch + 10_000_000);
});

test('who is asked for sums while only flows are wanted asks again when sums are', () => {
  const driven = new Driven().want({ ...nothing, all: true, flows: true }).run(3000);
  const meter = driven.source.meterFor('abcde:900', 'http', 'requests');
  assert.ok(meter.active);
  const series = meter.series({ address: 'web', routerId: 'r2', server: '' });
  assert.ok(series.isCurrent);
  series.opened();
  driven.want(everything);
  assert.equal(series.isCurrent, false);
});

test('with too many servers one sum stands for the rest of each address', () => {
  const driven = new Driven().want(everything).run(3000);
  const meter = driven.source.meterFor('abcde:900', 'http', 'requests');
  for (let server = 0; server < 3000; server++) {
    const series = meter.series({ address: `a${server % 2}`, routerId: 'r2', server: `s${server}` });
    series.opened();
    series.ended(ok);
  }
  driven.run(4000);
  const records = driven.records('.caravan').filter((record) => record.get(0) === RecordType.traffic);
  assert.equal(records.length, 1026);
  assert.equal(
    records.reduce((sum, record) => sum + Number(record.get(Attribute.count)), 0),
    3000,
  );
  assert.deepEqual(
    records
      .filter((record) => record.get(Attribute.destServer) === '*')
      .map((record) => [record.get(Attribute.vanAddress), record.get(Attribute.count)]),
    [
      ['a0', 988],
      ['a1', 988],
    ],
  );
  for (let address = 0; address < 3000; address++) meter.series({ address: `b${address}`, routerId: '', server: '' }).opened();
  driven.run(4000);
  assert.ok(driven.records('.caravan').length <= 1024);
});

test('sums of what is gone or idle end, and are told to the end', () => {
  const driven = new Driven().want(everything).run(3000);
  const gone = driven.source.meterFor('abcde:900', 'http', 'requests');
  const idle = driven.source.meterFor('abcde:901', 'http', 'requests');
  const series = [gone, idle].map((meter) => meter.series({ address: 'web', routerId: 'r2', server: '' }));
  for (const one of series) {
    one.opened();
    one.ended(ok);
  }
  gone.close(driven.wall);
  assert.deepEqual(
    series.map(({ isCurrent }) => isCurrent),
    [false, true],
  );
  driven.run(1500);
  assert.deepEqual(
    driven.records('.caravan').map((record) => [record.get(Attribute.count), record.has(Attribute.endTime)]),
    [
      [1, true],
      [1, false],
    ],
  );
  driven.run(599_000);
  assert.equal(series[1]?.isCurrent, true);
  driven.take();
  driven.run(10_000);
  assert.equal(series[1]?.isCurrent, false);
  assert.deepEqual(
    driven.records('.caravan').map((record) => record.has(Attribute.endTime)),
    [true],
  );
});

test('what has changed is told whole again after some seconds, in case it was lost', () => {
  const driven = new Driven().want(everything).run(3000);
  const series = driven.source.meterFor('abcde:900', 'http', 'requests').series({ address: 'web', routerId: 'r2', server: '' });
  series.opened();
  driven.run(2000).take();
  series.ended(ok);
  driven.run(15_000);
  const told = driven.records('.caravan');
  assert.deepEqual(
    told.map((record) => record.has(Attribute.vanAddress)),
    [false, true],
  );
});

test('sums that do not change while something is open are told again every five minutes', () => {
  const driven = new Driven().want(everything).run(3000);
  driven.source.meterFor('abcde:900', 'tcp', 'connections').series({ address: 'db', routerId: 'r2', server: '' }).opened();
  driven.run(20_000).take();
  driven.run(910_000);
  assert.deepEqual(
    driven.records('.caravan').map((record) => [record.get(Attribute.vanAddress), record.get(Attribute.open)]),
    Array.from({ length: 3 }, () => ['db', 1]),
  );
});
