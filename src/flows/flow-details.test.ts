import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Driven, everything, supplement } from './driven-source.test.ts';
import { flushMessage } from './flow-messages.ts';
import type { FlowDetail } from './metering.ts';
import { Attribute, RecordType } from './record-types.ts';

test('a request is told once, when it has ended and the server’s router has added what it knows', () => {
  const driven = new Driven().want(everything).run(3000);
  driven.take();
  const detail = driven.detail();
  detail.set(Attribute.method, 'GET');
  driven.run(500);
  detail.end(driven.wall);
  driven.run(500);
  assert.deepEqual(driven.records('.flows'), []);
  driven.source.receive(
    supplement(detail.identity, [
      [Attribute.destRouter, 'r2'],
      [Attribute.sourceHost, 'forged'],
      [Attribute.endTime, 1],
    ]),
    driven.nowMs,
  );
  driven.run(200);
  const [record, ...others] = driven.records('.flows');
  assert.equal(others.length, 0);
  assert.equal(record?.get(Attribute.recordType), RecordType.applicationFlow);
  assert.equal(record?.get(Attribute.parent), 'abcde:900');
  assert.equal(record?.get(Attribute.destRouter), 'r2');
  assert.equal(record?.get(Attribute.sourceHost), undefined);
  assert.equal(record?.get(Attribute.endTime), driven.wall - 700_000);
  assert.equal(driven.source.outstandingFlows, 0);
});

test('without a supplement a request is told after five seconds, and one that the network answered after one', () => {
  const driven = new Driven().want(everything).run(3000);
  const lonely = driven.detail();
  const failed = driven.detail();
  failed.set(Attribute.networkError, 'no-server');
  for (const detail of [lonely, failed]) detail.end(driven.wall);
  driven.take();
  driven.run(900);
  assert.deepEqual(driven.records('.flows'), []);
  driven.run(500);
  assert.deepEqual(
    driven.records('.flows').map((record) => record.get(1)),
    [failed.identity],
  );
  driven.run(3400);
  assert.deepEqual(driven.records('.flows'), []);
  driven.run(600);
  assert.deepEqual(
    driven.records('.flows').map((record) => record.get(1)),
    [lonely.identity],
  );
});

test('a request that goes on is told after a second, and a connection at once', () => {
  const driven = new Driven().want(everything).run(3000);
  driven.take();
  const connection = driven.detail('connection');
  const request = driven.detail('request', connection.identity);
  driven.run(400);
  assert.deepEqual(
    driven.records('.flows').map((record) => record.get(1)),
    [connection.identity],
  );
  driven.run(1000);
  const told = driven.records('.flows');
  assert.deepEqual(
    told.map((record) => record.get(1)),
    [request.identity],
  );
  assert.equal(told[0]?.get(Attribute.parent), connection.identity);
  driven.source.receive(
    supplement(request.identity, [
      [Attribute.connector, 'vwxyz:3'],
      [Attribute.trace, '0/a|0/b'],
    ]),
    driven.nowMs,
  );
  driven.run(200);
  assert.deepEqual(
    driven.records('.flows').map((record) => [record.get(1), record.get(Attribute.connector)]),
    [
      [request.identity, 'vwxyz:3'],
      [connection.identity, 'vwxyz:3'],
    ],
  );
  connection.set(Attribute.octets, 7);
  connection.update();
  driven.source.receive(flushMessage(1, 'abcde:0').octets, driven.nowMs);
  driven.run(200);
  assert.deepEqual(
    driven.records('.flows').map((record) => record.has(Attribute.startTime)),
    [true, true],
  );
});

test('what this router itself adds needs no message, and what it adds to others’ goes to each of them', () => {
  const driven = new Driven().want(everything).run(3000);
  const detail = driven.detail();
  detail.end(driven.wall);
  const { supplement: sender } = driven.source;
  assert.ok(sender.active && sender.wants(detail.identity) && !sender.wants('a request id'));
  sender.add(detail.identity, new Map([[Attribute.destRouter, 'self']]));
  for (let number = 0; number < 60; number++) sender.add(`vwxyz:${number}`, new Map([[Attribute.destRouter, 'self']]));
  const both = new Map<number, number | string>([
    [Attribute.trace, '0/a'],
    [Attribute.destRouter, 'self'],
    [Attribute.endTime, 1],
  ]);
  sender.add('other:1', both);
  driven.take();
  driven.run(200);
  const told = driven.take();
  assert.deepEqual(
    told.filter(({ to }) => to.startsWith('vfcr.')).map(({ to, records }) => [to, records.length]),
    [
      ['vfcr.vwxyz:0', 50],
      ['vfcr.vwxyz:0', 10],
      ['vfcr.other:0', 2],
    ],
  );
  const other = told.filter(({ to }) => to === 'vfcr.other:0').flatMap(({ records }) => records.map((record) => [...record.keys()]));
  // skupper-router refuses a record for one attribute that it does not know, and would end its own with the time of ours.
  assert.deepEqual(other, [
    [Attribute.recordType, Attribute.identity, Attribute.trace],
    [Attribute.recordType, Attribute.identity, Attribute.destRouter, Attribute.endTime],
  ]);
  assert.equal(told.filter(({ to }) => to.endsWith('.flows'))[0]?.records[0]?.get(Attribute.destRouter), 'self');
});

test('more records than are allowed in a second are not made, but counted and told', () => {
  const driven = new Driven({ flowsPerSecond: 10 }).want(everything).run(3000);
  const meter = driven.source.meterFor('abcde:900', 'http', 'requests');
  const begin = (): FlowDetail | undefined => meter.begin({ kind: 'request', startWallMicroseconds: driven.wall });
  const made = Array.from({ length: 100 }, begin).filter((detail) => detail !== undefined);
  assert.equal(made.length, 10);
  assert.equal(driven.source.droppedFlows, 90);
  driven.run(500);
  assert.equal(Array.from({ length: 100 }, begin).filter((detail) => detail !== undefined).length, 5);
  driven.source.flowsPerSecond = 0;
  driven.run(10_000);
  assert.equal(begin(), undefined);
  driven.run(300).take();
  driven.run(3000);
  const losses = driven.records('.caravan');
  assert.deepEqual(losses, []);
  driven.source.receive(flushMessage(1, 'abcde:0').octets, driven.nowMs);
  driven.run(300);
  const [loss] = driven.records('.caravan');
  assert.equal(loss?.get(Attribute.recordType), RecordType.loss);
  assert.equal(loss?.get(Attribute.droppedFlows), 186);
});

test('no more than 5,000 records are outstanding', () => {
  const driven = new Driven({ flowsPerSecond: 1_000_000 }).want(everything).run(3000);
  const meter = driven.source.meterFor('abcde:900', 'tcp', 'connections');
  const details: FlowDetail[] = [];
  for (let count = 0; count < 6000; count++) {
    const detail = meter.begin({ kind: 'connection', startWallMicroseconds: driven.wall });
    if (detail !== undefined) details.push(detail);
  }
  assert.equal(details.length, 5000);
  assert.equal(driven.source.outstandingFlows, 5000);
  assert.equal(driven.source.droppedFlows, 1000);
  for (const detail of details) detail.end(driven.wall);
  driven.run(8000);
  assert.equal(driven.source.outstandingFlows, 0);
  const told = driven.records('.flows');
  assert.equal(new Set(told.map((record) => record.get(1))).size, 5000);
  assert.equal(told.filter((record) => record.has(Attribute.endTime)).length, 5000);
});

test('a connection that goes on is told whole again every ten minutes', () => {
  const driven = new Driven().want(everything).run(3000);
  const connection = driven.detail('connection');
  driven.run(1000).take();
  driven.run(610_000);
  assert.deepEqual(
    driven.records('.flows').map((record) => [record.get(1), record.has(Attribute.startTime)]),
    [[connection.identity, true]],
  );
});

test('only routers to which clients were led add to their records, and each says where it is itself', () => {
  const driven = new Driven({ serves: (address, routerId) => address === 'web' && routerId === 'r2' }).want(everything).run(3000);
  driven.take();
  const meter = driven.source.meterFor('abcde:900', 'http', 'requests', 'web');
  const begin = (): FlowDetail => meter.begin({ kind: 'request', startWallMicroseconds: driven.wall }) as FlowDetail;
  const [own, drained, forged] = [begin(), begin(), begin()];
  // It does not offer the service any more, but requests have been sent there.
  meter.series({ address: 'web', routerId: 'r3', server: 's' }).opened();
  for (const [{ identity }, from] of [
    [own, 'r2'],
    [drained, 'r3'],
    [forged, 'evil'],
  ] as const) {
    driven.source.receive(supplement(identity, [[Attribute.destRouter, 'r9']]), driven.nowMs, from);
  }
  for (const detail of [own, drained, forged]) detail.end(driven.wall);
  driven.run(6000);
  const told = driven.records('.flows').map((record) => [record.get(Attribute.identity), record.get(Attribute.destRouter)]);
  assert.deepEqual(told, [
    [own.identity, 'r2'],
    [drained.identity, 'r3'],
    [forged.identity, undefined],
  ]);
});

test('where a listener leads to several services, those that its clients were led to count', () => {
  const driven = new Driven({ serves: (address, routerId) => address === 'second' && routerId === 'r2' }).want(everything).run(3000);
  driven.take();
  const meter = driven.source.meterFor('abcde:900', 'tcp', 'connections');
  meter.series({ address: 'second', routerId: '', server: '' }).opened();
  const details = ['r2', 'evil'].map((from) => {
    const detail = meter.begin({ kind: 'request', startWallMicroseconds: driven.wall }) as FlowDetail;
    driven.source.receive(supplement(detail.identity, [[Attribute.destServer, 's']]), driven.nowMs, from);
    detail.end(driven.wall);
    return detail;
  });
  driven.run(6000);
  const told = driven.records('.flows').map((record) => [record.get(Attribute.identity), record.get(Attribute.destServer)]);
  assert.deepEqual(
    told,
    details.map(({ identity }, at) => [identity, at === 0 ? 's' : undefined]),
  );
});
