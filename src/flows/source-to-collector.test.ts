import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FlowCollector } from './flow-collector.ts';
import type { ConfigurationRecord } from './configuration-records.ts';
import { flushMessage } from './flow-messages.ts';
import { FlowSource } from './flow-source.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import type { FlowDetail, TrafficSeries } from './metering.ts';
import { Attribute, RecordType } from './record-types.ts';
import type { RecordUpdate } from './record.ts';

const everything = { all: true, records: true, flows: true, logs: true, caravan: true };
const nothing = { all: false, records: false, flows: false, logs: false, caravan: false };
const epoch = 1_795_000_000_000_000;

/** One thing that happens at a router, or in the network around it. */
const step = fc.oneof(
  fc.record({
    kind: fc.constantFrom('begin', 'change', 'end', 'open', 'finish', 'retry', 'request', 'answer'),
    which: fc.nat(7),
    value: fc.nat(10_000),
  }),
  fc.record({ kind: fc.constant('pass'), which: fc.nat(7), value: fc.nat(3000) }),
  fc.record({ kind: fc.constantFrom('leave', 'return', 'flush', 'lose'), which: fc.nat(7), value: fc.nat(100) }),
);

/** What is true at the router. */
class Truth {
  readonly names = new Map<string, number>();
  readonly sums = new Map<number, { opened: number; ended: number; failed: number; retried: number }>();
  readonly requests = new Set<string>();
}

function run(steps: readonly { kind: string; which: number; value: number }[]): void {
  let number = 0;
  let nowMs = 0;
  const source = new FlowSource({ sourceId: 'abcde', nextIdentity: () => `abcde:${++number}`, flowsPerSecond: 1_000_000 });
  const whole = new Set<string>();
  const collector = new FlowCollector({
    sourceUp: () => {},
    sourceSilent: () => {},
    sourceGone: () => {},
    record: (_, record, __, isEnded) => void (record.type === RecordType.applicationFlow && isEnded && whole.add(record.identity)),
  });
  let isListening = true;
  let losesNext = false;
  let lostMs = -Infinity;
  const deliver = (): void => {
    for (let next = source.nextMessage(); next !== undefined; next = source.nextMessage()) {
      // Only records of traffic may be lost, once in a while: they are told again by themselves.
      if (losesNext && next.to.endsWith('.caravan')) {
        losesNext = false;
        lostMs = nowMs;
      } else if (isListening) collector.receive({ to: next.to, payload: next.octets }, nowMs, epoch + nowMs * 1000);
    }
  };
  const pass = (durationMs: number): void => {
    for (const end = nowMs + durationMs; ;) {
      const due = Math.min(source.nextDeadlineMs(), collector.nextDeadlineMs());
      if (due > end) {
        nowMs = end;
        break;
      }
      nowMs = Math.max(nowMs, due);
      source.handleTimeout(nowMs, epoch + nowMs * 1000);
      deliver();
      collector.handleTimeout(nowMs);
    }
  };
  const meter = source.meterFor('abcde:900', 'http', 'requests');
  let truth = new Truth();
  const names = truth.names;
  const records: (ConfigurationRecord | undefined)[] = [];
  const series: (TrafficSeries | undefined)[] = [];
  const details: (FlowDetail | undefined)[] = [];
  source.start(0);
  source.setInterest(everything, 0, epoch);
  deliver();

  for (const { kind, which, value } of steps) {
    const sums = truth.sums.get(which) ?? { opened: 0, ended: 0, failed: 0, retried: 0 };
    const record = records[which];
    const current = (): TrafficSeries => {
      const known = series[which];
      const asked = known?.isCurrent === true ? known : meter.series({ address: 'web', routerId: 'r', server: String(which) });
      series[which] = asked;
      truth.sums.set(which, sums);
      return asked;
    };
    switch (kind) {
      case 'begin':
        if (record !== undefined) break;
        records[which] = source.begin(RecordType.listener, [[Attribute.flowCountL4, value]], epoch + nowMs * 1000);
        names.set(records[which].identity, value);
        break;
      case 'change':
        if (record === undefined) break;
        record.set(Attribute.flowCountL4, value);
        names.set(record.identity, value);
        break;
      case 'end':
        record?.end(epoch + nowMs * 1000);
        if (record !== undefined) names.delete(record.identity);
        records[which] = undefined;
        break;
      case 'open':
        if (!isListening) break;
        current().opened();
        sums.opened++;
        break;
      case 'finish':
        if (!isListening || sums.opened <= sums.ended + sums.retried) break;
        current().ended({ success: value % 2 === 0, status: 200, method: 'GET', firstByteMicroseconds: value, fromClient: 1, toClient: 2 });
        sums.ended++;
        sums.failed += value % 2;
        break;
      case 'retry':
        if (!isListening || sums.opened <= sums.ended + sums.retried) break;
        current().retried();
        sums.retried++;
        break;
      case 'request': {
        const detail = meter.begin({ kind: 'request', startWallMicroseconds: epoch + nowMs * 1000 });
        assert.equal(detail !== undefined, isListening);
        details[which]?.end(epoch + nowMs * 1000);
        if (details[which] !== undefined && isListening) truth.requests.add(details[which].identity);
        details[which] = detail;
        break;
      }
      case 'answer':
        if (details[which] !== undefined) source.supplement.add(details[which].identity, new Map([[Attribute.destRouter, 'r']]));
        break;
      case 'leave':
        isListening = false;
        source.setInterest(nothing, nowMs, epoch + nowMs * 1000);
        details.length = 0;
        truth = new Truth();
        break;
      case 'return':
        isListening = true;
        source.setInterest(everything, nowMs, epoch + nowMs * 1000);
        deliver();
        break;
      case 'flush':
        source.receive(flushMessage(1, 'abcde:0').octets, nowMs);
        break;
      case 'lose':
        losesNext = nowMs > lostMs + 12_000;
        break;
      default:
        pass(value);
    }
  }

  if (!isListening) {
    isListening = true;
    source.setInterest(everything, nowMs, epoch + nowMs * 1000);
  }
  losesNext = false;
  pass(25_000);
  const heard = collector.sources.get('abcde:0');
  assert.ok(heard !== undefined);
  const listeners = [...heard.records.values()].filter(
    ({ type, attributes }) => type === RecordType.listener && !attributes.has(Attribute.endTime),
  );
  for (const [identity, value] of names) assert.equal(heard.records.get(identity)?.attributes.get(Attribute.flowCountL4), value);
  // Ended while nobody listened: the collector, which is not told, would have forgotten the source meanwhile.
  assert.ok(listeners.length >= names.size);
  for (const [server, { opened, ended, failed, retried }] of truth.sums) {
    const attributes: RecordUpdate | undefined = [...heard.records.values()].findLast(
      (record) => record.attributes.get(Attribute.destServer) === String(server),
    )?.attributes;
    assert.ok(attributes !== undefined, `no sums of server ${server}`);
    assert.deepEqual(
      [Attribute.count, Attribute.failureCount, Attribute.retryCount, Attribute.open].map((name) => attributes.get(name)),
      [ended, failed, retried, opened - ended - retried],
    );
    assert.equal(attributes.get(Attribute.octetsReverse), 2 * ended);
    assert.equal(LatencyHistogram.fromText(String(attributes.get(Attribute.latencyCounts)))?.count, ended);
  }
  for (const identity of truth.requests) assert.ok(whole.has(identity), `${identity} was not told to its end`);
}

test('a collector knows in the end what is true at a router, whatever happens there and whenever it listens', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 100 }), (steps) => run(steps)),
    { numRuns: 200 },
  );
});
