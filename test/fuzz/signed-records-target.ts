import { ValueWriter } from '../../src/amqp/value-writer.ts';
import { ProtocolViolation } from '../../src/base/errors.ts';
import { decodeControlMessage, encodeControlMessage } from '../../src/forwarding/control-codec.ts';
import type { ControlMessage } from '../../src/routing/control-message.ts';
import { RoutingEngine } from '../../src/routing/engine.ts';
import { simulatedTrust } from '../../src/routing/simulated-trust.ts';
import type { SeededRandom } from '../../src/sim/seeded-random.ts';
import { frameOf, messagesOf, stateOf } from './control-plane-target.ts';
import { join, mutate } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

const maxMessages = 6;
const maxMessageBytes = 16_384;
/** Enough for two routers to tell each other everything. */
const exchanges = 10;
/** As nothing may change, a router serves many inputs; it is made anew before its budgets for a bad neighbour matter. */
const inputsPerRouter = 100;

/** Two routers that sign and have told each other all; everything that the second has said, encoded. */
function signers(): { readonly alpha: RoutingEngine; readonly said: readonly Uint8Array[]; readonly nowMs: number } {
  const authority = simulatedTrust(1);
  const make = (routerId: string): RoutingEngine =>
    new RoutingEngine({ routerId, instance: 1, trust: authority.router({ routerId, epoch: 1 }) });
  const [alpha, beta] = [make('alpha'), make('beta')];
  const said: Uint8Array[] = [];
  const writer = new ValueWriter(1024);
  let nowMs = 0;
  alpha.linkUp(1, 1, nowMs, 'beta');
  beta.linkUp(1, 1, nowMs, 'alpha');
  beta.localAddress('Mbackend', 3, 0, nowMs);
  for (let exchange = 0; exchange < exchanges; exchange++) {
    nowMs += 20;
    for (const [from, to] of [
      [alpha, beta],
      [beta, alpha],
    ]) {
      from.handleTimeout(nowMs);
      for (let out = from.nextTransmit(); out !== undefined; out = from.nextTransmit()) {
        const encoded = encodeControlMessage(writer, out.message);
        if (from === beta) said.push(encoded);
        to.receive(1, decodeControlMessage(encoded), nowMs);
      }
      while (from.nextEvent() !== undefined);
    }
  }
  if (alpha.table.addresses.get('Mbackend') === undefined) throw new Error('the routers have not learned of each other');
  return { alpha, said, nowMs };
}

/** Signed records, altered, cut, mixed and replayed, into a router that holds the genuine ones: nothing may change. */
class SignedRecordsTarget implements FuzzTarget {
  readonly name = 'signed-records';
  #router: ReturnType<typeof signers> | undefined;
  /** What a router that signs says, made once. Mutated, none of it may be believed. */
  #conversation: readonly Uint8Array[] | undefined;
  #left = inputsPerRouter;

  input(random: SeededRandom): Uint8Array {
    this.#conversation ??= signers().said.filter((bytes) => /REC|SUM/.test(Buffer.from(bytes).toString('latin1')));
    const conversation = this.#conversation;
    const messages = Array.from({ length: 1 + random.below(maxMessages) }, () =>
      frameOf(mutate(random.pick(conversation), random.pick(conversation), random, maxMessageBytes)),
    );
    return join(...messages);
  }

  run(input: Uint8Array): RoutingEngine {
    if (this.#router === undefined || this.#left-- <= 0) {
      this.#router = signers();
      this.#left = inputsPerRouter;
    }
    const { alpha, nowMs } = this.#router;
    const [before, table] = [stateOf(alpha), alpha.table];
    for (const bytes of messagesOf(input)) {
      let message: ControlMessage;
      try {
        message = decodeControlMessage(bytes);
      } catch (error) {
        if (error instanceof ProtocolViolation) continue;
        throw error;
      }
      // Only what is signed is under test: a HELLO may be altered by whoever is at the link.
      if (message.opcode !== 'REC' && message.opcode !== 'SUM') continue;
      alpha.receive(1, message, nowMs + 1);
      while (alpha.nextTransmit() !== undefined);
      while (alpha.nextEvent() !== undefined);
      const after = stateOf(alpha);
      if (after === before && alpha.table === table) continue;
      this.#left = 0;
      throw new Error(`an altered ${message.opcode} has changed the state\n${before}\n${after}`);
    }
    return alpha;
  }
}

export const signedRecordsTarget: FuzzTarget = new SignedRecordsTarget();
