import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capturedFlowMessages } from '../../test/golden/captured-flow-messages.ts';
import type { CollectedRecord, CollectedSource } from './collected-source.ts';
import { flowAddresses } from './flow-addresses.ts';
import { FlowCollector } from './flow-collector.ts';
import type { CollectorLimits, FlowListener } from './flow-collector.ts';
import { beaconMessage, flushMessage, heartbeatMessage, recordMessage } from './flow-messages.ts';
import { Attribute, RecordType } from './record-types.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';

const epoch = 1_795_000_000_000_000;

/** A collector in virtual time, and what it tells. */
class Heard implements FlowListener {
  readonly collector: FlowCollector;
  nowMs = 0;
  told: string[] = [];

  constructor(limits: Partial<CollectorLimits> = {}) {
    this.collector = new FlowCollector(this, limits);
  }

  sourceUp({ id }: CollectedSource): void {
    this.told.push(`up ${id}`);
  }
  sourceSilent({ id }: CollectedSource): void {
    this.told.push(`silent ${id}`);
  }
  sourceGone({ id, records }: CollectedSource): void {
    this.told.push(`gone ${id} with ${records.size}`);
  }
  record(source: CollectedSource, record: CollectedRecord, isNew: boolean, isEnded: boolean): void {
    this.told.push(`${source.id} ${record.type} ${record.identity}${isNew ? ' new' : ''}${isEnded ? ' ended' : ''}`);
  }

  take(): string[] {
    const { told } = this;
    this.told = [];
    return told;
  }

  receive(to: string, payload: Uint8Array, origin?: string): void {
    this.collector.receive({ to, payload, origin }, this.nowMs, epoch + this.nowMs * 1000);
  }

  beacon(id: string, origin?: string): void {
    this.receive('mc/sfe.all', beaconMessage(1, { id, type: 'ROUTER' }).octets, origin);
  }

  records(id: string, updates: readonly RecordUpdate[], origin?: string, kind: 'records' | 'flows' | 'logs' | 'caravan' = 'records'): void {
    for (let at = 0; at < updates.length; at += 50) {
      const to = flowAddresses(id)[kind];
      this.receive(to, recordMessage(at, to, updates.slice(at, at + 50)).octets, origin);
    }
  }

  run(durationMs: number): void {
    const end = this.nowMs + durationMs;
    for (let due = this.collector.nextDeadlineMs(); due <= end; due = this.collector.nextDeadlineMs()) {
      this.nowMs = Math.max(this.nowMs, due);
      this.collector.handleTimeout(this.nowMs);
    }
    this.nowMs = end;
  }
}

function update(type: number, identity: string, entries: readonly (readonly [number, AttributeValue])[] = []): RecordUpdate {
  return new Map<number, AttributeValue>([[Attribute.recordType, type], [Attribute.identity, identity], ...entries]);
}

const { listener, transportFlow, applicationFlow } = RecordType;

test('what a real skupper-router sends is understood', () => {
  const heard = new Heard();
  const feed = (to: string, name: keyof typeof capturedFlowMessages): void =>
    heard.receive(to, new Uint8Array(Buffer.from(capturedFlowMessages[name], 'hex')));
  feed('mc/sfe.all', 'beacon');
  feed('mc/sfe.4pRmn:0', 'heartbeat');
  feed('mc/sfe.4pRmn:0', 'records');
  feed('mc/sfe.up47N:0', 'linkRecords');
  feed('mc/sfe.up47N:0', 'changes');
  feed('mc/sfe.4pRmn:0.flows', 'connection');
  feed('mc/sfe.up47N:0.flows', 'request');
  assert.deepEqual(heard.take(), [
    'up 4pRmn:0',
    '4pRmn:0 0 site-uid-1 new',
    '4pRmn:0 1 4pRmn:0 new',
    '4pRmn:0 15 4pRmn:1 new',
    '4pRmn:0 4 4pRmn:2 new',
    '4pRmn:0 5 4pRmn:3 new',
    'up up47N:0',
    'up47N:0 2 up47N:1 new',
    'up47N:0 1 up47N:0 new',
    'up47N:0 4 up47N:2 new',
    'up47N:0 2 up47N:1',
    'up47N:0 4 up47N:2',
    '4pRmn:0 16 4pRmn:4 new ended',
    'up47N:0 17 up47N:4 new ended',
  ]);
  const source = heard.collector.sources.get('4pRmn:0');
  assert.equal(source?.type, 'ROUTER');
  assert.equal(source.direct, 'sfe.4pRmn:0');
  const link = heard.collector.find('up47N:1');
  assert.equal(link?.attributes.get(Attribute.octets), 3609);
  assert.equal(link.attributes.get(Attribute.operStatus), 'up');
  assert.equal(heard.collector.find('site-uid-1')?.attributes.get(Attribute.name), 'east');
  assert.equal(heard.collector.find('site-uid-2'), undefined);
  assert.equal(heard.collector.malformed, 0);
});

test('a source that is not heard is silent after 8 seconds and gone after 60, and may come back', () => {
  const heard = new Heard();
  assert.equal(heard.collector.nextDeadlineMs(), Infinity);
  heard.beacon('abcde:0');
  heard.records('abcde:0', [update(listener, 'abcde:1')]);
  heard.run(7000);
  heard.receive('mc/sfe.abcde:0', heartbeatMessage(1, 'abcde:0', epoch).octets);
  heard.run(7000);
  assert.deepEqual(heard.take(), ['up abcde:0', 'abcde:0 4 abcde:1 new']);
  heard.run(2000);
  assert.deepEqual(heard.take(), ['silent abcde:0']);
  assert.equal(heard.collector.sources.get('abcde:0')?.state, 'silent');
  heard.beacon('abcde:0');
  assert.deepEqual(heard.take(), ['up abcde:0']);
  heard.run(62_000);
  assert.deepEqual(heard.take(), ['silent abcde:0', 'gone abcde:0 with 1']);
  assert.equal(heard.collector.recordCount, 0);
  assert.equal(heard.collector.find('abcde:1'), undefined);
  heard.run(2000);
  assert.equal(heard.collector.nextDeadlineMs(), Infinity);
});

test('a source’s clock is known to the time of the quickest of its last heartbeats', () => {
  const heard = new Heard();
  heard.beacon('abcde:0');
  const source = heard.collector.sources.get('abcde:0') as CollectedSource;
  assert.equal(source.clockOffsetMicroseconds, 0);
  const beat = (aheadMicroseconds: number, delayMs: number): void => {
    const sent = epoch + heard.nowMs * 1000 + aheadMicroseconds;
    heard.run(delayMs);
    heard.receive('mc/sfe.abcde:0', heartbeatMessage(1, 'abcde:0', sent).octets);
    heard.run(2000 - delayMs);
  };
  for (const delayMs of [300, 5, 80, 900]) beat(3_600_000_000, delayMs);
  assert.equal(source.clockOffsetMicroseconds, 3_600_000_000 - 5000);
  // The clock is set.
  for (const delayMs of [10, 3, 10, 10, 10, 10, 10, 10]) beat(-1000, delayMs);
  assert.equal(source.clockOffsetMicroseconds, -1000 - 3000);
});

test('updates are merged, and records that have ended are forgotten later', () => {
  const heard = new Heard();
  heard.beacon('abcde:0');
  heard.records('abcde:0', [update(listener, 'abcde:1', [[Attribute.name, 'web']])]);
  heard.records('abcde:0', [update(listener, 'abcde:1', [[Attribute.flowCountL4, 3]])]);
  assert.deepEqual([...(heard.collector.find('abcde:1')?.attributes ?? [])].slice(2), [
    [Attribute.name, 'web'],
    [Attribute.flowCountL4, 3],
  ]);
  heard.records('abcde:0', [
    update(listener, 'abcde:1', [[Attribute.endTime, 5]]),
    update(transportFlow, 'abcde:2', [[Attribute.endTime, 5]]),
  ]);
  heard.records('abcde:0', [update(transportFlow, 'abcde:2', [[Attribute.trace, 'late']])], undefined, 'flows');
  assert.deepEqual(heard.take().slice(-3), ['abcde:0 4 abcde:1 ended', 'abcde:0 16 abcde:2 new ended', 'abcde:0 16 abcde:2 ended']);
  assert.equal(heard.collector.recordCount, 2);
  for (let beat = 0; beat < 6; beat++) {
    heard.run(2000);
    heard.beacon('abcde:0');
  }
  assert.equal(heard.collector.recordCount, 1);
  assert.equal(heard.collector.sources.get('abcde:0')?.flows.size, 0);
  for (let beat = 0; beat < 25; beat++) {
    heard.run(2000);
    heard.beacon('abcde:0');
  }
  assert.equal(heard.collector.recordCount, 0);
});

test('lines of logs are told and not kept', () => {
  const heard = new Heard();
  heard.records('abcde:0', [update(RecordType.log, 'abcde:5', [[Attribute.logText, 'x']])], undefined, 'logs');
  assert.deepEqual(heard.take(), ['up abcde:0', 'abcde:0 14 abcde:5 new ended']);
  assert.equal(heard.collector.recordCount, 0);
});

test('a record keeps its type', () => {
  const heard = new Heard();
  heard.records('abcde:0', [update(listener, 'abcde:1'), update(transportFlow, 'abcde:1')]);
  assert.equal(heard.collector.malformed, 1);
  assert.equal(heard.collector.recordCount, 1);
});

test('where the origin of messages is known, nobody else tells records in a source’s name', () => {
  const heard = new Heard();
  heard.beacon('abcde:0', 'r1');
  heard.beacon('abcde:0', 'r2');
  heard.records('abcde:0', [update(listener, 'abcde:1', [[Attribute.name, 'true']])], 'r1');
  heard.records('abcde:0', [update(listener, 'abcde:1', [[Attribute.name, 'forged']])], 'r2');
  heard.receive('mc/sfe.abcde:0', heartbeatMessage(1, 'abcde:0', epoch + 1e9).octets, 'r2');
  assert.equal(heard.collector.find('abcde:1')?.attributes.get(Attribute.name), 'true');
  assert.equal(heard.collector.sources.get('abcde:0')?.clockOffsetMicroseconds, 0);
  const other = heard.collector.sources.get('abcde:0@r2');
  assert.equal(other?.origin, 'r2');
  assert.deepEqual([...(other?.records.keys() ?? [])], ['abcde:1@r2']);
});

test('who is heard first under an id takes nothing from the router that has it', () => {
  const heard = new Heard();
  heard.beacon('abcde:0', 'thief');
  heard.records('abcde:0', [update(RecordType.connector, 'abcde:5', [[Attribute.name, 'forged']])], 'thief');
  heard.beacon('abcde:0', 'r1');
  heard.records(
    'abcde:0',
    [
      update(RecordType.connector, 'abcde:5', [
        [Attribute.name, 'true'],
        [Attribute.parent, 'abcde:0'],
      ]),
    ],
    'r1',
  );
  const own = heard.collector.sources.get('abcde:0@r1');
  assert.equal(own?.origin, 'r1');
  assert.equal(own.direct, 'sfe.abcde:0');
  assert.deepEqual([...(own.records.get('abcde:5@r1')?.attributes.values() ?? [])].slice(1), ['abcde:5@r1', 'true', 'abcde:0@r1']);
  // Others lead to its records by what it calls them, and by its router.
  const flow = (id: string, router: string): RecordUpdate =>
    update(applicationFlow, id, [
      [Attribute.connector, 'abcde:5'],
      [Attribute.destRouter, router],
    ]);
  heard.records('vwxyz:0', [flow('vwxyz:1', 'r1'), flow('vwxyz:2', 'thief')], 'r2', 'flows');
  assert.equal(heard.collector.find('vwxyz:1')?.attributes.get(Attribute.connector), 'abcde:5@r1');
  assert.equal(heard.collector.find('vwxyz:2')?.attributes.get(Attribute.connector), 'abcde:5');
  // The thief falls silent: what has a name of its own keeps it.
  for (let beat = 0; beat < 14; beat++) {
    heard.run(5000);
    heard.beacon('abcde:0', 'r1');
  }
  assert.deepEqual([...heard.collector.sources.keys()], ['abcde:0@r1']);
});

test('a source tells its own records, of its own router and site', () => {
  const heard = new Heard();
  const { site, router } = RecordType;
  const named = (type: number, identity: string, name: string): RecordUpdate => update(type, identity, [[Attribute.name, name]]);
  heard.records('evil1:0', [named(site, 'r1', 'forged')], 'evil');
  heard.records(
    'evil1:0',
    [named(listener, 'abcde:1', 'forged'), named(router, 'evil1:0', '0/r1'), named(router, 'evil1:0', '0/evil')],
    'evil',
  );
  heard.records('abcde:0', [named(site, 'r1', 'west'), named(router, 'abcde:0', '0/r1'), named(listener, 'abcde:1', 'web')], 'r1');
  heard.records('evil1:0', [named(site, 'r1', 'forged again'), named(site, 'evil', 'mine')], 'evil');
  const names = ({ records }: CollectedSource): unknown[] => [...records.values()].map(({ attributes }) => attributes.get(Attribute.name));
  const [evil, honest] = ['evil1:0', 'abcde:0'].map((id) => heard.collector.sources.get(id) as CollectedSource) as [
    CollectedSource,
    CollectedSource,
  ];
  assert.deepEqual(
    [names(evil), names(honest)],
    [
      ['0/evil', 'mine'],
      ['west', '0/r1', 'web'],
    ],
  );
  assert.ok(heard.take().includes('evil1:0 0 r1 ended'));
  assert.equal(heard.collector.malformed, 4);
  assert.equal(heard.collector.recordCount, 5);
});

test('what is none of its messages is counted, and does no harm', () => {
  const heard = new Heard();
  heard.receive('mc/sfe.all', new Uint8Array([0, 0x53]));
  heard.receive('web', beaconMessage(1, { id: 'abcde:0', type: 'ROUTER' }).octets);
  heard.receive('mc/sfe.all', recordMessage(1, 'mc/sfe.all', [update(listener, 'abcde:1')]).octets);
  heard.receive('mc/sfe.abcde:0', heartbeatMessage(1, 'vwxyz:0', epoch).octets);
  heard.receive('mc/sfe.abcde:0', flushMessage(1, 'abcde:0').octets);
  assert.equal(heard.collector.malformed, 5);
  assert.equal(heard.collector.sources.size, 0);
});

test('there are no more sources than the limit', () => {
  const heard = new Heard({ sources: 3 });
  for (let source = 0; source < 5; source++) heard.beacon(`abcd${source}:0`);
  assert.deepEqual(heard.take(), ['up abcd0:0', 'up abcd1:0', 'up abcd2:0']);
  assert.equal(heard.collector.unheard, 2);
});

test('a source with too many flows loses its oldest, and none of what stands', () => {
  const heard = new Heard({ recordsPerSource: 100 });
  heard.records('abcde:0', [update(listener, 'abcde:1')]);
  const flows = Array.from({ length: 150 }, (_, flow) => update(applicationFlow, `abcde:${100 + flow}`));
  heard.records('abcde:0', flows, undefined, 'flows');
  const source = heard.collector.sources.get('abcde:0') as CollectedSource;
  assert.ok(source.flows.size <= 100 && source.flows.size >= 93);
  assert.ok(source.flows.has('abcde:249') && !source.flows.has('abcde:100'));
  assert.ok(source.records.has('abcde:1'));
  assert.equal(source.flows.size + source.droppedRecords, 150);
  assert.equal(heard.collector.droppedRecords, source.droppedRecords);
  heard.records(
    'abcde:0',
    Array.from({ length: 150 }, (_, at) => update(listener, `abcde:${1000 + at}`)),
  );
  assert.equal(source.records.size, 100);
  assert.ok(source.flows.size >= 93);
});

test('when all together are too many, who has the most flows makes room', () => {
  const heard = new Heard({ records: 300 });
  const flows = (id: string, count: number, from = 0): void =>
    heard.records(
      `${id}:0`,
      Array.from({ length: count }, (_, flow) => update(transportFlow, `${id}:${from + flow}`)),
      undefined,
      'flows',
    );
  flows('quiet', 20);
  flows('flood', 280);
  flows('quiet', 20, 100);
  flows('flood', 200, 1000);
  flows('other', 20);
  assert.equal(heard.collector.sources.get('quiet:0')?.flows.size, 40);
  assert.equal(heard.collector.sources.get('other:0')?.flows.size, 20);
  assert.ok(heard.collector.recordCount <= 300);
});

test('records take no more memory than the limit, however long their texts are', () => {
  const heard = new Heard({ octetsPerSource: 1_000_000, octets: 2_500_000 });
  const name = 'x'.repeat(8000);
  for (const id of ['aaaaa', 'bbbbb', 'ccccc']) {
    const updates = Array.from({ length: 300 }, (_, at) => update(listener, `${id}:${at}`, [[Attribute.name, name]]));
    for (let at = 0; at < updates.length; at += 10) heard.records(`${id}:0`, updates.slice(at, at + 10));
  }
  const kept = [...heard.collector.sources.values()].map(({ records }) => records.size);
  assert.ok(
    kept.every((count) => count * 8000 < 1_000_000),
    String(kept),
  );
  assert.ok(heard.collector.recordCount * 8000 < 2_500_000);
  assert.equal(heard.collector.recordCount + heard.collector.droppedRecords, 900);
  const fresh = new Heard();
  const all = Array.from({ length: 120 }, (_, at) => [2000 + at, 'y'] as const);
  fresh.records('ddddd:0', [
    update(listener, 'ddddd:1', all),
    update(
      listener,
      'ddddd:1',
      all.map(([at]) => [at + 500, 'y']),
    ),
  ]);
  assert.equal(fresh.collector.find('ddddd:1')?.attributes.size, 160);
});

test('flows that end faster than they are forgotten are forgotten sooner', () => {
  const heard = new Heard({ records: 200, recordsPerSource: 150 });
  for (let round = 0; round < 50; round++) {
    heard.records(
      'abcde:0',
      Array.from({ length: 50 }, (_, flow) => update(applicationFlow, `abcde:${round * 50 + flow}`, [[Attribute.endTime, 1]])),
      undefined,
      'flows',
    );
  }
  assert.equal(heard.take().length, 2501);
  assert.ok(heard.collector.recordCount <= 150);
  heard.run(11_000);
  assert.equal(heard.collector.recordCount, 0);
});

test('flows that nothing was heard of for an hour are forgotten, sums after a quarter, and what stands is not', () => {
  const heard = new Heard();
  const { traffic, loss } = RecordType;
  heard.records('abcde:0', [update(listener, 'abcde:1'), update(transportFlow, 'abcde:2'), update(transportFlow, 'abcde:3')]);
  heard.records('abcde:0', [update(traffic, 'abcde:4'), update(traffic, 'abcde:5'), update(loss, 'abcde:6')], undefined, 'caravan');
  const source = heard.collector.sources.get('abcde:0') as CollectedSource;
  const pass = (minutes: number): void => {
    for (let minute = 0; minute < minutes; minute++) {
      for (let beat = 0; beat < 12; beat++) {
        heard.run(5000);
        heard.beacon('abcde:0');
      }
      heard.records('abcde:0', [update(transportFlow, 'abcde:3'), update(traffic, 'abcde:5')]);
    }
  };
  pass(17);
  assert.deepEqual([...source.flows.keys(), ...source.records.keys()], ['abcde:2', 'abcde:3', 'abcde:1', 'abcde:5']);
  pass(45);
  assert.deepEqual([...source.flows.keys(), ...source.records.keys()], ['abcde:3', 'abcde:1', 'abcde:5']);
  assert.equal(heard.collector.recordCount, 3);
});
