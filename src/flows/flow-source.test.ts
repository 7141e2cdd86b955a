import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Driven, epoch, everything, nothing, supplement } from './driven-source.test.ts';
import { flushMessage } from './flow-messages.ts';
import { Attribute, RecordType } from './record-types.ts';
import type { AttributeValue } from './record.ts';

test('while nobody listens there is no deadline, and nothing is told, counted or recorded', () => {
  const driven = new Driven();
  const record = driven.source.begin(RecordType.listener, [[Attribute.name, 'web']], driven.wall);
  record.set(Attribute.flowCountL4, 5);
  const meter = driven.source.meterFor(record.identity, 'http', 'requests');
  assert.equal(meter.active, false);
  assert.equal(meter.begin({ kind: 'request', startWallMicroseconds: driven.wall }), undefined);
  assert.equal(driven.source.droppedFlows, 0);
  assert.equal(driven.source.supplement.wants('vwxyz:1'), false);
  assert.equal(driven.source.nextDeadlineMs(), Infinity);
  driven.run(60_000);
  assert.deepEqual(driven.take(), []);
});

test('beacons and heartbeats come at once and then in their times, each only to who listens', () => {
  const driven = new Driven().want({ ...nothing, all: true });
  assert.deepEqual(
    driven.take().map(({ to, subject }) => `${subject} ${to}`),
    ['BEACON mc/sfe.all'],
  );
  driven.run(20_100);
  assert.equal(driven.take().filter(({ subject }) => subject === 'BEACON').length, 2);
  driven.want({ ...nothing, all: true, records: true });
  assert.deepEqual(
    driven.take().map(({ subject }) => subject),
    ['HEARTBEAT'],
  );
  driven.run(10_200);
  assert.equal(driven.take().filter(({ subject }) => subject === 'HEARTBEAT').length, 5);
  driven.want(nothing).run(20_000);
  assert.deepEqual(driven.take(), []);
});

test('who joins later hears a beacon soon, however often somebody does', () => {
  const driven = new Driven().want({ ...nothing, all: true }).run(3000);
  driven.take();
  for (let joined = 0; joined < 10; joined++) {
    driven.source.listenerJoined(driven.nowMs);
    driven.run(100);
  }
  assert.equal(driven.take().length, 1);
  driven.run(1000);
  assert.equal(driven.take().length, 1);
  driven.run(8000);
  assert.equal(driven.take().length, 0);
});

test('records are told whole at first, two seconds after the start, and then what changes', () => {
  const driven = new Driven().want(everything);
  const record = driven.source.begin(
    RecordType.listener,
    [
      [Attribute.name, 'web'],
      [Attribute.protocol, undefined],
    ],
    driven.wall,
  );
  driven.run(1900);
  assert.deepEqual(driven.records(), []);
  driven.run(300);
  assert.deepEqual(driven.records(), [
    new Map<number, AttributeValue>([
      [0, 4],
      [1, 'abcde:2'],
      [3, epoch],
      [30, 'web'],
    ]),
  ]);
  record.set(Attribute.name, 'web');
  driven.run(1000);
  assert.deepEqual(driven.records(), []);
  record.set(Attribute.flowCountL4, 3);
  record.set(Attribute.flowCountL4, 4);
  driven.run(200);
  assert.deepEqual(driven.records(), [
    new Map<number, AttributeValue>([
      [0, 4],
      [1, 'abcde:2'],
      [40, 4],
    ]),
  ]);
  record.end(driven.wall);
  record.set(Attribute.flowCountL4, 5);
  driven.run(200);
  assert.deepEqual(
    driven.records().map((update) => update.get(Attribute.endTime)),
    [driven.wall - 200_000],
  );
  driven.source.receive(flushMessage(1, 'abcde:0').octets, driven.nowMs);
  driven.run(1000);
  assert.deepEqual(driven.records(), []);
});

test('texts and numbers that cannot be told are made so that they can', () => {
  const driven = new Driven().want(everything);
  driven.source.begin(
    RecordType.link,
    [
      [Attribute.name, 'x'.repeat(5000)],
      [Attribute.octets, -1],
      [Attribute.linkCost, 1.6],
      [Attribute.octetsReverse, 1e300],
    ],
    driven.wall,
  );
  driven.run(2500);
  const [link] = driven.records();
  assert.equal(link?.get(Attribute.name), 'x'.repeat(1024));
  assert.deepEqual(
    [link?.get(Attribute.octets), link?.get(Attribute.linkCost), link?.get(Attribute.octetsReverse)],
    [0, 2, Number.MAX_SAFE_INTEGER],
  );
});

test('who asks is told everything again, and no more often than once a second', () => {
  const driven = new Driven().want(everything);
  for (const name of ['one', 'two']) driven.source.begin(RecordType.connector, [[Attribute.name, name]], driven.wall);
  driven.run(3000).take();
  for (let count = 0; count < 50; count++) {
    driven.source.receive(flushMessage(count, 'abcde:0').octets, driven.nowMs);
    driven.run(100);
  }
  const told = driven.records();
  assert.ok(told.length >= 8 && told.length <= 14, `${told.length} records`);
  assert.ok(told.every((record) => record.has(Attribute.name)));
});

test('when somebody listens again everything is told, with what has changed meanwhile', () => {
  const driven = new Driven().want(everything).run(3000);
  const record = driven.source.begin(RecordType.router, [[Attribute.name, '0/a']], driven.wall, 'abcde:0');
  driven.run(1000).take();
  driven.want(nothing).run(1000);
  record.set(Attribute.buildVersion, '2');
  driven.want(everything).run(300);
  const [router] = driven.records();
  assert.deepEqual([router?.get(Attribute.name), router?.get(Attribute.buildVersion)], ['0/a', '2']);
});

test('counters are brought up to date once a second while somebody listens', () => {
  let refreshed = 0;
  const driven = new Driven({ refresh: () => refreshed++ });
  driven
    .run(5000)
    .want({ ...nothing, all: true })
    .run(5000);
  assert.equal(refreshed, 0);
  driven.want(everything).run(5000);
  assert.ok(refreshed >= 5 && refreshed <= 6);
});

test('the last lines of a log are told to who listens', () => {
  const driven = new Driven();
  for (let line = 0; line < 1500; line++)
    driven.source.log(2, `line ${line} ${'x'.repeat(line === 1499 ? 5000 : 0)}`, driven.wall, 'router', line);
  driven.want(everything).run(3000);
  const told = driven.records('.logs');
  assert.equal(told.length, 1000);
  assert.equal(told[0]?.get(Attribute.logText), 'line 500 ');
  assert.equal(String(told[999]?.get(Attribute.logText)).length, 1024);
  assert.deepEqual(
    [told[0]?.get(Attribute.logSeverity), told[0]?.get(Attribute.sourceLine), told[0]?.get(Attribute.parent)],
    [2, 500, 'abcde:0'],
  );
  driven.source.log(3, 'one more', driven.wall);
  driven.run(300);
  assert.deepEqual(
    driven.records('.logs').map((record) => record.get(Attribute.logText)),
    ['one more'],
  );
});

test('thousands of records go out in messages of 50, and not all at once', () => {
  const driven = new Driven().want(everything);
  for (let count = 0; count < 12_000; count++)
    driven.source.begin(RecordType.process, [[Attribute.name, 'x'.repeat(count % 1000)]], driven.wall);
  assert.equal(driven.source.droppedRecords, 2000);
  driven.run(2000);
  const first = driven.take().flatMap(({ records }) => (records.length > 0 ? [records.length] : []));
  assert.ok(first.every((length) => length <= 50));
  assert.equal(
    first.reduce((sum, length) => sum + length, 0),
    1000,
  );
  driven.run(3000);
  assert.equal(driven.records().length, 9000);
});

test('what is sent to the source by mistake or malice is counted, and does no harm', () => {
  const driven = new Driven().want(everything).run(3000);
  const detail = driven.detail();
  driven.source.receive(new Uint8Array([1, 2, 3]), driven.nowMs);
  driven.source.receive(new Uint8Array(0), driven.nowMs);
  assert.equal(driven.source.malformed, 2);
  driven.source.receive(supplement('vwxyz:1', [[Attribute.trace, 'x']]), driven.nowMs);
  driven.source.receive(supplement(detail.identity, [[Attribute.trace, 'x'.repeat(8000)]]), driven.nowMs);
  detail.end(driven.wall);
  driven.take();
  driven.run(300);
  const [record] = driven.records('.flows');
  assert.equal(record?.get(Attribute.trace), 'x'.repeat(1024));
});

test('what stands and what has ended is told again by itself, in case it was lost', () => {
  const driven = new Driven().want(everything);
  const [stays, ends] = ['one', 'two'].map((name) => driven.source.begin(RecordType.listener, [[Attribute.name, name]], driven.wall));
  driven.run(3000);
  ends?.end(driven.wall);
  driven.run(1000).take();
  driven.run(10_000);
  const [ended, ...none] = driven.records();
  assert.deepEqual([none.length, ended?.get(Attribute.identity), ended?.get(Attribute.name)], [0, ends?.identity, 'two']);
  assert.ok(ended?.has(Attribute.endTime));
  driven.run(280_000);
  assert.deepEqual(driven.records(), []);
  driven.run(20_000);
  assert.deepEqual(
    driven.records().map((record) => [record.get(Attribute.identity), record.get(Attribute.name)]),
    [[stays?.identity, 'one']],
  );
});

test('who has not listened for a moment is told what has ended meanwhile', () => {
  const driven = new Driven().want(everything).run(3000);
  const [soon, early] = ['one', 'two'].map((name) => driven.source.begin(RecordType.listener, [[Attribute.name, name]], driven.wall));
  driven.run(1000);
  driven.want(nothing);
  early?.end(driven.wall);
  driven.run(60_000);
  soon?.end(driven.wall);
  driven.run(20_000).take();
  driven.want(everything).run(300);
  assert.deepEqual(
    driven.records().map((record) => [record.get(Attribute.name), record.has(Attribute.endTime)]),
    [['one', true]],
  );
});
