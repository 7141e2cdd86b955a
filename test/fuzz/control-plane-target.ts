import { ValueWriter } from '../../src/amqp/value-writer.ts';
import { ProtocolViolation } from '../../src/base/errors.ts';
import { decodeControlMessage, encodeControlMessage } from '../../src/forwarding/control-codec.ts';
import type { ControlMap, ControlMessage, ControlValue } from '../../src/routing/control-message.ts';
import { RoutingEngine } from '../../src/routing/engine.ts';
import { capturedMessages } from '../golden/captured-messages.ts';
import { fromHex } from './connection-pair.ts';
import { join, mutate } from './mutate.ts';
import type { SeededRandom } from '../../src/sim/seeded-random.ts';
import type { FuzzTarget } from './target.ts';

/** Messages of one input: enough that one can build on what another has left. */
const maxMessages = 8;
const maxMessageBytes = 8192;

const captured = Object.entries(capturedMessages)
  .filter(([name]) => !name.endsWith('Stream'))
  .map(([, hex]) => fromHex(hex));

const ids = ['alpha', 'beta', 'gamma', 'delta', '', '0/beta', '__proto__', 'x/y', 'b'.repeat(200)];
const opcodes = ['HELLO', 'RA', 'LSR', 'LSU', 'MAR', 'MAU', 'REC', 'SUM', 'XYZ', ''];
const destinations = [
  'amqp:/_local/qdhello',
  'amqp:/_local/caravan',
  'amqp:/_topo/0/all/qdrouter',
  'amqp:/_topo/0/alpha/qdrouter',
  'amqp:/_topo/0/all/qdrouter.ma',
  'amqp:/_topo/0/alpha/qdrouter.ma',
  '_topo/0/gamma/qdrouter',
  '_topo/0/',
  'Mx',
];
const keys = ['id', 'pv', 'area', 'instance', 'seen', 'ls_seq', 'mobile_seq', 'ls', 'peers', 'have_seq', 'add', 'del', 'exist', 'caravan'];
const numbers = [-1, 0, 1, 2, 3, 10, 2 ** 31 - 1, 2 ** 31, 2 ** 40, 2 ** 53];

function randomValue(random: SeededRandom, depth: number): ControlValue {
  switch (random.below(depth > 3 ? 4 : 7)) {
    case 0:
      return random.pick(numbers);
    case 1:
      return random.pick(ids);
    case 2:
      return random.pick([null, true, false]);
    case 3:
      return `M${random.pick(ids)}`;
    case 4:
      return Array.from({ length: random.below(4) }, () => randomValue(random, depth + 1));
    case 5:
      return new Map(Array.from({ length: random.below(4) }, () => [random.pick(ids), randomValue(random, depth + 1)]));
    default:
      return new Map(Array.from({ length: random.below(6) }, () => [random.pick(keys), randomValue(random, depth + 1)]));
  }
}

/** A body that is nearly right for its opcode, or not at all. */
function randomBody(random: SeededRandom): ControlMap {
  const id = random.pick(ids);
  const sequence = random.pick(numbers);
  const peers = new Map(Array.from({ length: random.below(4) }, () => [random.pick(ids), random.pick(numbers)]));
  const body = new Map<string, ControlValue>([
    ['id', id],
    ['pv', random.pick([1, 1, 1, 2, 3])],
    ['area', '0'],
    ['instance', random.pick(numbers)],
    ['seen', Array.from({ length: random.below(3) }, () => random.pick(ids))],
    ['ls_seq', sequence],
    ['mobile_seq', random.pick(numbers)],
    ['have_seq', random.pick(numbers)],
    [
      'ls',
      new Map<string, ControlValue>([
        ['id', id],
        ['area', '0'],
        ['ls_seq', sequence],
        ['peers', peers],
      ]),
    ],
    [random.pick(['exist', 'add', 'del']), Array.from({ length: random.below(4) }, () => [`M${random.pick(ids)}`, random.pick(numbers)])],
  ]);
  for (let count = random.below(3); count > 0; count--) {
    const key = random.pick(keys);
    if (random.below(2) === 0) body.delete(key);
    else body.set(key, randomValue(random, 0));
  }
  return body;
}

function randomMessage(random: SeededRandom): Uint8Array {
  const trace = Array.from({ length: random.below(4) }, () => `0/${random.pick(ids)}`);
  const message: ControlMessage = {
    to: random.pick(destinations),
    opcode: random.pick(opcodes),
    body: randomBody(random),
    ingress: random.pick([null, `0/${random.pick(ids)}`]),
    trace,
  };
  return encodeControlMessage(new ValueWriter(1024), message);
}

/** Each message behind its length in two octets. */
export function frameOf(message: Uint8Array): Uint8Array {
  const bytes = message.length > maxMessageBytes ? message.subarray(0, maxMessageBytes) : message;
  return join(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes);
}

export function messagesOf(input: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at + 2 <= input.length && messages.length < maxMessages;) {
    const length = (input[at] << 8) | input[at + 1];
    messages.push(input.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return messages;
}

/** What of a status counts as state: everything but the counters of what was refused. */
export function stateOf(engine: RoutingEngine): string {
  const counters = new Set(['ignored', 'limitsReached', 'eventsLost', 'messagesDropped', 'refusedRecords']);
  return JSON.stringify(engine.status(), (key, value: unknown) => {
    if (counters.has(key)) return undefined;
    return value instanceof Map ? [...(value as ReadonlyMap<unknown, unknown>)] : value;
  });
}

/** Messages refused as a whole: an address list may be good but for one entry, which is left out and counted. */
function refusals(engine: RoutingEngine): number {
  let sum = 0;
  for (const [reason, count] of engine.status().ignored) if (reason !== 'malformed address') sum += count;
  return sum;
}

function drain(engine: RoutingEngine): void {
  while (engine.nextTransmit() !== undefined);
  while (engine.nextEvent() !== undefined);
}

/** A router with a neighbour and an address learned from it, before anything hostile comes. */
function establish(): RoutingEngine {
  const engine = new RoutingEngine({ routerId: 'alpha', instance: 1 });
  engine.linkUp(1, 1, 0, 'beta');
  engine.linkUp(2, 1, 0);
  const from = { ingress: '0/beta', trace: ['0/beta'] };
  const beta: [string, ControlValue][] = [
    ['id', 'beta'],
    ['instance', 1],
  ];
  engine.receive(1, { ...from, to: 'amqp:/_local/qdhello', opcode: 'HELLO', body: new Map([...beta, ['seen', ['alpha']]]) }, 1);
  const exist: ControlValue = [['Mbackend', 3]];
  engine.receive(
    1,
    { ...from, to: 'amqp:/_topo/0/alpha/qdrouter.ma', opcode: 'MAU', body: new Map([...beta, ['mobile_seq', 1], ['exist', exist]]) },
    2,
  );
  drain(engine);
  return engine;
}

/** Messages of the control plane, one after the other into one router: a message that it refuses must leave its state as it was. */
export const controlPlaneTarget: FuzzTarget = {
  name: 'control-plane',
  input: (random) =>
    join(
      ...Array.from({ length: 1 + random.below(maxMessages) }, () => {
        const choice = random.below(4);
        if (choice === 0) return frameOf(mutate(random.pick(captured), random.pick(captured), random, maxMessageBytes));
        const message = randomMessage(random);
        return frameOf(choice === 1 ? mutate(message, random.pick(captured), random, maxMessageBytes) : message);
      }),
    ),
  run: (input) => {
    const engine = establish();
    let nowMs = 10;
    for (const bytes of messagesOf(input)) {
      nowMs++;
      let message: ControlMessage;
      try {
        message = decodeControlMessage(bytes);
      } catch (error) {
        if (error instanceof ProtocolViolation) continue;
        throw error;
      }
      const [before, refused, table] = [stateOf(engine), refusals(engine), engine.table];
      engine.receive(1 + (bytes.length & 1), message, nowMs);
      drain(engine);
      if (refusals(engine) > refused && (stateOf(engine) !== before || engine.table !== table)) {
        throw new Error(`a refused ${message.opcode} has changed the state\n${before}\n${stateOf(engine)}`);
      }
      if (!(engine.nextDeadlineMs() > nowMs)) throw new Error('the next deadline is not in the future');
    }
    engine.handleTimeout(nowMs + 2000);
    drain(engine);
    return engine;
  },
};

/** How many messages an input carries. */
export function messageCount(input: Uint8Array): number {
  return messagesOf(input).length;
}
