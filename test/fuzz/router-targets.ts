import { ValueReader } from '../../src/amqp/value-reader.ts';
import { ProtocolViolation } from '../../src/base/errors.ts';
import { decodeControlMessage } from '../../src/forwarding/control-codec.ts';
import { HeadScanner } from '../../src/forwarding/head-scanner.ts';
import { decodeHead } from '../../src/forwarding/message-head.ts';
import { decodeAnnotations } from '../../src/forwarding/router-annotations.ts';
import { RoutingEngine } from '../../src/routing/engine.ts';
import { capturedMessages } from '../golden/captured-messages.ts';
import { fromHex } from './connection-pair.ts';
import { mutate } from './mutate.ts';
import type { SeededRandom } from '../../src/sim/seeded-random.ts';
import type { FuzzTarget } from './target.ts';

const maxInputBytes = 16_384;
const captured = Object.values(capturedMessages).map(fromHex);
const routing = captured.filter((_, index) => !Object.keys(capturedMessages)[index].endsWith('Stream'));

function mutated(seeds: readonly Uint8Array[]): (random: SeededRandom) => Uint8Array {
  return (random) => mutate(random.pick(seeds), random.pick(seeds), random, maxInputBytes);
}

function tolerant<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof ProtocolViolation) return undefined;
    throw error;
  }
}

/** Decoders of what routers send to each other, from router annotations to the routing engine. */
export const routerTargets: readonly FuzzTarget[] = [
  {
    name: 'router-annotations',
    input: mutated(captured),
    run: (input) => tolerant(() => decodeAnnotations(new ValueReader(input))),
  },
  {
    name: 'message-head',
    input: mutated(captured),
    run: (input) => {
      const head = tolerant(() => decodeHead(new ValueReader(input)));
      const scanner = new HeadScanner();
      // In pieces: it must come to the same end as for the whole, and what can be read must be found.
      const reached = tolerant(() => {
        let found = false;
        for (let length = 0; length <= input.length && !found; length += 1 + (length >> 3)) {
          found = scanner.reachesBody(input.subarray(0, length));
        }
        return found || scanner.reachesBody(input);
      });
      if (head !== undefined && reached !== true) throw new Error('a head that can be read is not found by the scanner');
      return [head, scanner];
    },
  },
  {
    name: 'control-message',
    input: mutated(routing),
    run: (input) => {
      const message = tolerant(() => decodeControlMessage(input));
      if (message === undefined) return undefined;
      const engine = new RoutingEngine({ routerId: 'alpha', instance: 1 });
      engine.linkUp(1, 1, 0);
      engine.receive(1, message, 1);
      engine.handleTimeout(2000);
      while (engine.nextTransmit() !== undefined);
      while (engine.nextEvent() !== undefined);
      return [engine, engine.table];
    },
  },
];
