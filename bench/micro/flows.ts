/**
 * What flow records cost in one process: `node bench/micro/flows.ts [--seconds 1]`.
 *
 * - idle: a request asks a meter while nobody listens;
 * - sums: `opened` and `ended` of a request, into the sums of one server, and what they allocate;
 * - record: the record of one request with 12 attributes, from its begin over its end and a supplement to the octets of the message;
 * - collected: the same record, read and joined by a collector.
 */
import { parseArgs } from 'node:util';
import { FlowCollector } from '../../src/flows/flow-collector.ts';
import { recordMessage } from '../../src/flows/flow-messages.ts';
import { FlowSource } from '../../src/flows/flow-source.ts';
import type { TrafficMeter, TrafficOutcome } from '../../src/flows/metering.ts';
import { Attribute } from '../../src/flows/record-types.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '1' } } });
const durationMs = Number(values.seconds) * 1000;
const batch = 200;
const epoch = 1_795_000_000_000_000;
const latencies = Array.from({ length: 256 }, (_, at) => 100 + ((at * 7919) % 50_000));

/** Nanoseconds of one of `batch` in each run, after the same time to warm up. */
function measure(name: string, run: () => void): void {
  for (const timed of [false, true]) {
    let runs = 0;
    const start = performance.now();
    while (performance.now() - start < durationMs) {
      for (let round = 0; round < 50; round++) run();
      runs += 50;
    }
    const nanoseconds = ((performance.now() - start) * 1e6) / (runs * batch);
    if (timed) console.log(`${name}: ${nanoseconds < 1000 ? `${nanoseconds.toFixed(1)} ns` : `${(nanoseconds / 1000).toFixed(2)} us`}`);
  }
}

let number = 0;
const source = new FlowSource({ sourceId: 'abcde', nextIdentity: () => `abcde:${++number}`, flowsPerSecond: 1e9 });
const meter: TrafficMeter = source.meterFor('abcde:900', 'http', 'requests');
let wanted = 0;

measure('idle', () => {
  for (let at = 0; at < batch; at++) if (meter.active) wanted++;
});

source.start(0);
source.setInterest({ all: true, records: true, flows: true, logs: true, caravan: true }, 0, epoch);
const series = meter.series({ address: 'web', routerId: 'r2', server: 's1' });
const outcome: TrafficOutcome = { success: true, status: 200, method: 'GET', firstByteMicroseconds: 0, fromClient: 0, toClient: 512 };
let turn = 0;
measure('sums', () => {
  for (let at = 0; at < batch; at++) {
    series.opened();
    outcome.firstByteMicroseconds = latencies[turn++ & 255] ?? 0;
    series.ended(outcome);
  }
});
const before = process.memoryUsage().heapUsed;
for (let at = 0; at < 1_000_000; at++) {
  series.opened();
  series.ended(outcome);
}
console.log(`sums: ${((process.memoryUsage().heapUsed - before) / 1_000_000).toFixed(3)} octets allocated each`);

const supplement = new Map<number, number | string>([
  [Attribute.trace, '0/r1|0/r2'],
  [Attribute.destRouter, 'r2'],
  [Attribute.serverFirstByteMicroseconds, 400],
]);
let nowMs = 3000;
let messages = 0;
measure('record', () => {
  const wall = epoch + nowMs * 1000;
  for (let at = 0; at < batch; at++) {
    const detail = meter.begin({ kind: 'request', startWallMicroseconds: wall });
    if (detail === undefined) throw new Error('a record was not made');
    detail.set(Attribute.method, 'GET');
    detail.set(Attribute.path, '/api/v1/items/4711');
    detail.set(Attribute.authority, 'shop.example.net');
    detail.set(Attribute.requestId, '7f3c1b9e-52d4-4a35');
    detail.set(Attribute.sourceHost, '192.0.2.17');
    detail.set(Attribute.sourcePort, '50714');
    detail.set(Attribute.result, '200');
    detail.set(Attribute.octets, 0);
    detail.set(Attribute.octetsReverse, 512 + at);
    detail.set(Attribute.latency, 900 + at);
    detail.set(Attribute.firstByteMicroseconds, 900 + at);
    detail.set(Attribute.tries, 1);
    detail.end(wall + 1000);
    source.supplement.add(detail.identity, supplement);
  }
  nowMs += 200;
  source.handleTimeout(nowMs, epoch + nowMs * 1000);
  for (let message = source.nextMessage(); message !== undefined; message = source.nextMessage()) messages++;
});
if (source.droppedFlows > 0 || source.outstandingFlows > 0 || messages === 0) throw new Error('records are missing');

const ignored = (): void => {};
const collector = new FlowCollector({ sourceUp: ignored, sourceSilent: ignored, sourceGone: ignored, record: ignored });
const whole = Array.from({ length: batch }, (_, at) => {
  const entries: [number, number | string][] = [
    [0, 17],
    [1, `abcde:${at}`],
    [Attribute.parent, 'abcde:900'],
    [Attribute.startTime, epoch],
    [Attribute.endTime, epoch + 1000],
  ];
  for (let attribute = 1010; attribute < 1018; attribute++) entries.push([attribute, attribute % 2 === 0 ? '/api/v1/items/4711' : 900]);
  return new Map(entries);
});
const octets = Array.from(
  { length: batch / 50 },
  (_, at) => recordMessage(at, 'mc/sfe.abcde:0.flows', whole.slice(at * 50, at * 50 + 50)).octets,
);
measure('collected', () => {
  nowMs += 11_000;
  for (const payload of octets) collector.receive({ to: 'mc/sfe.abcde:0.flows', payload }, nowMs, epoch);
  collector.handleTimeout(nowMs);
});
if (wanted > 0 || collector.malformed > 0) throw new Error('records are lost');
