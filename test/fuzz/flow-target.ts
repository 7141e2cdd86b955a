import { Condition } from '../../src/amqp/constants.ts';
import { ProtocolViolation } from '../../src/base/errors.ts';
import { FlowCollector } from '../../src/flows/flow-collector.ts';
import { beaconMessage, flushMessage, heartbeatMessage, readFlowMessage, recordMessage } from '../../src/flows/flow-messages.ts';
import { FlowSource } from '../../src/flows/flow-source.ts';
import { LatencyHistogram } from '../../src/flows/latency-histogram.ts';
import { parseCounts } from '../../src/flows/traffic-counts.ts';
import { capturedFlowMessages } from '../golden/captured-flow-messages.ts';
import { fromHex } from './connection-pair.ts';
import { mutate } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

const maxInputBytes = 8192;

const seeds: readonly Uint8Array[] = [
  ...Object.values(capturedFlowMessages).map(fromHex),
  beaconMessage(1, { id: 'abcde:0', type: 'ROUTER' }).octets,
  heartbeatMessage(2, 'abcde:0', 1_795_267_419_361_195).octets,
  flushMessage(3, 'abcde:0').octets,
  recordMessage(
    4,
    'mc/sfe.abcde:0.caravan',
    Array.from(
      { length: 5 },
      (_, at) =>
        new Map<number, number | string>([
          [0, 1000],
          [1, `abcde:${at}`],
          [1050, 2 ** (10 * at)],
          [1055, '200=17 404=2'],
          [1057, '12=4 13=90'],
        ]),
    ),
  ).octets,
];
const addresses = ['mc/sfe.all', 'mc/sfe.abcde:0', 'mc/sfe.abcde:0.flows', 'mc/sfe.4pRmn:0', 'mc/sfe.4pRmn:0.caravan', 'sfe.abcde:0'];
const ignored = (): void => {};

/** What is read of a message is what is read of it when it is written again. */
function readTwice(input: Uint8Array): unknown {
  try {
    const message = readFlowMessage(input);
    if (message.subject !== 'RECORD') return message;
    const written = recordMessage(1, message.to, message.records).octets;
    const again = readFlowMessage(written);
    if (JSON.stringify(entriesOf(again)) !== JSON.stringify(entriesOf(message)))
      throw new Error('records are others when they are written again');
    return message;
  } catch (error) {
    if (!(error instanceof ProtocolViolation)) throw error;
    return error.condition === Condition.decodeError || error.condition === Condition.resourceLimitExceeded ? undefined : error;
  }
}

function entriesOf(message: ReturnType<typeof readFlowMessage>): unknown {
  return message.subject === 'RECORD' ? message.records.map((record) => [...record]) : [];
}

/** Messages of records that members of the network send: to who observes it, and to the router whose records they add to. */
export const flowTarget: FuzzTarget = {
  name: 'flow records',
  input: (random) => mutate(random.pick(seeds), random.pick(seeds), random, maxInputBytes),
  run: (input): unknown => {
    const collector = new FlowCollector({ sourceUp: ignored, sourceSilent: ignored, sourceGone: ignored, record: ignored });
    for (const to of addresses) collector.receive({ to, payload: input }, 0, 0);
    collector.handleTimeout(10_000);
    const source = new FlowSource({ sourceId: 'abcde', nextIdentity: () => 'abcde:1' });
    source.setInterest({ all: true, records: true, flows: true, logs: true, caravan: true }, 0, 0);
    const flow = source.meterFor('abcde:0', 'http', 'requests').begin({ kind: 'request', startWallMicroseconds: 1e15 });
    source.receive(input, 0);
    flow?.end(1e15);
    for (const nowMs of [2500, 8000]) {
      source.handleTimeout(nowMs, nowMs * 1000);
      for (let message = source.nextMessage(); message !== undefined; message = source.nextMessage()) readFlowMessage(message.octets);
    }
    const text = new TextDecoder().decode(input.subarray(0, 200));
    return [readTwice(input), collector, LatencyHistogram.fromText(text)?.count, parseCounts(text)];
  },
};
