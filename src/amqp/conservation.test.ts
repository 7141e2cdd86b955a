import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ConnectionPair, termini } from '../../test/fuzz/connection-pair.ts';
import type { Connection } from './connection.ts';
import type { DeliverySink, DeliverySource, IncomingDelivery, OutgoingDelivery } from './delivery.ts';
import { DeliveryState } from './delivery-performatives.ts';
import type { IncomingLink, OutgoingLink } from './link.ts';
import type { Session } from './session.ts';

/** A message whose every byte is known from its number and place. */
function byteOf(message: number, at: number): number {
  return (message * 31 + at * 7 + (at >> 8)) & 0xff;
}

interface Sent {
  readonly delivery: OutgoingDelivery;
  readonly number: number;
  readonly preSettled: boolean;
  bytes: number;
  complete: boolean;
  aborted: boolean;
  /** What the source was told last; undefined while nothing final was. */
  ends: string[];
}

interface Arrived {
  number: number;
  bytes: number;
  complete: boolean;
  aborted: boolean;
  senderSettled: boolean;
  outcome: DeliveryState | undefined;
}

const outcomes = [DeliveryState.accepted, DeliveryState.rejected, DeliveryState.released, DeliveryState.modified] as const;
const names = ['none', 'received', 'accepted', 'rejected', 'released', 'modified'] as const;

/** Two connections, many sessions and links, and what every delivery did. */
class Model implements DeliverySink, DeliverySource {
  readonly pair: ConnectionPair;
  readonly sent: Sent[] = [];
  readonly #bySource = new Map<OutgoingDelivery, Sent>();
  readonly #byIncoming = new Map<IncomingDelivery, Arrived>();
  readonly arrived: Arrived[] = [];
  readonly open: IncomingDelivery[] = [];
  readonly sessions: Session[] = [];
  readonly links: OutgoingLink[] = [];
  readonly receivers: IncomingLink[] = [];
  #chunkSeed: number;

  constructor(clientFrames: number, serverFrames: number, chunkSeed: number) {
    this.#chunkSeed = chunkSeed;
    this.pair = new ConnectionPair({ maxFrameSize: clientFrames }, { maxFrameSize: serverFrames });
    this.pair.chunk = (): number => {
      this.#chunkSeed = (Math.imul(this.#chunkSeed, 1_103_515_245) + 12_345) >>> 0;
      return (this.#chunkSeed >>> 16) % 8 === 0 ? 1 + ((this.#chunkSeed >>> 20) % 4) : 1 + ((this.#chunkSeed >>> 8) % 5000);
    };
    for (const handler of [this.pair.clientHandler, this.pair.serverHandler]) {
      handler.linkOffered = (_connection: Connection, link: IncomingLink | OutgoingLink): void => {
        if (link.receiver) {
          link.sink = this;
          this.receivers.push(link);
        }
        link.session.accept(link);
      };
    }
    this.pair.pump();
    for (const connection of [this.pair.client, this.pair.server]) {
      const session = connection.openSession();
      this.sessions.push(session);
      for (let count = 0; count < 2; count++) this.links.push(session.attachOutgoing(`l${this.links.length}`, ...termini()));
    }
    this.pair.pump();
    for (const receiver of this.receivers) receiver.grant(3);
  }

  send(link: OutgoingLink, preSettled: boolean): void {
    const delivery = link.deliver(preSettled, this);
    const sent: Sent = { delivery, number: this.sent.length, preSettled, bytes: 0, complete: false, aborted: false, ends: [] };
    this.sent.push(sent);
    this.#bySource.set(delivery, sent);
  }

  /** Hands over `length` more bytes; the first two carry the message's number. */
  write(sent: Sent, length: number, more: boolean): void {
    if (sent.complete || sent.aborted || sent.ends.length > 0) return;
    const bytes = new Uint8Array(Math.max(length, sent.bytes === 0 ? 2 : 0));
    for (let index = 0; index < bytes.length; index++) bytes[index] = byteOf(sent.number, sent.bytes + index);
    if (sent.bytes === 0) {
      bytes[0] = sent.number >> 8;
      bytes[1] = sent.number;
    }
    sent.bytes += bytes.length;
    sent.complete = !more;
    sent.delivery.send(bytes, 0, bytes.length, more);
  }

  disposition(delivery: OutgoingDelivery, state: DeliveryState, settled: boolean): void {
    const sent = this.#bySource.get(delivery);
    if (settled) sent?.ends.push(names[state]);
  }
  lost(delivery: OutgoingDelivery): void {
    this.#bySource.get(delivery)?.ends.push('lost');
  }

  transfer(delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    let arrived = this.#byIncoming.get(delivery);
    if (arrived === undefined) {
      arrived = { number: -1, bytes: 0, complete: false, aborted: false, senderSettled: false, outcome: undefined };
      this.#byIncoming.set(delivery, arrived);
      this.arrived.push(arrived);
    }
    assert.ok(!arrived.complete && !arrived.aborted, 'nothing comes after the end');
    for (let at = start; at < end; at++) {
      if (arrived.bytes === 0) arrived.number = bytes[at] << 8;
      else if (arrived.bytes === 1) arrived.number |= bytes[at];
      else if (bytes[at] !== byteOf(arrived.number, arrived.bytes))
        assert.fail(`byte ${arrived.bytes} of message ${arrived.number} is wrong`);
      arrived.bytes++;
    }
    if (more) return;
    arrived.complete = true;
    if (delivery.settled) delivery.link.replenish();
    else this.open.push(delivery);
  }
  aborted(delivery: IncomingDelivery): void {
    const arrived = this.#byIncoming.get(delivery);
    assert.ok(arrived !== undefined && !arrived.complete && !arrived.aborted, 'aborted once, and only what has begun');
    arrived.aborted = true;
    delivery.link.replenish();
  }
  senderSettled(delivery: IncomingDelivery): void {
    const arrived = this.#byIncoming.get(delivery);
    assert.ok(arrived !== undefined && !arrived.senderSettled);
    arrived.senderSettled = true;
  }

  settle(index: number, outcome: DeliveryState): void {
    const [delivery] = this.open.splice(index, 1);
    if (delivery === undefined) return;
    const arrived = this.#byIncoming.get(delivery);
    if (arrived !== undefined && !delivery.settled) arrived.outcome = outcome;
    delivery.update(outcome, true);
    delivery.link.replenish();
  }
}

type Step = (model: Model) => void;

function pick<T>(items: readonly T[], index: number): T | undefined {
  return items[index % Math.max(1, items.length)];
}

const index = fc.nat({ max: 1000 });
const side = fc.boolean();

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: side.map((client): Step => (model) => {
      const connection = client ? model.pair.client : model.pair.server;
      if (connection.opened && model.sessions.length < 12) model.sessions.push(connection.openSession());
    }),
  },
  {
    weight: 4,
    arbitrary: index.map((at): Step => (model) => {
      const session = pick(model.sessions, at);
      if (session !== undefined && !session.endSent) model.links.push(session.attachOutgoing(`l${model.links.length}`, ...termini()));
    }),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(index, fc.nat({ max: 5 })).map(
      ([at, credit]): Step =>
        (model) =>
          pick(model.receivers, at)?.grant(credit),
    ),
  },
  {
    weight: 1,
    arbitrary: index.map(
      (at): Step =>
        (model) =>
          pick(model.receivers, at)?.drain(),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.tuple(index, fc.boolean()).map(([at, preSettled]): Step => (model) => {
      const link = pick(model.links, at);
      if (link !== undefined) model.send(link, preSettled);
    }),
  },
  {
    weight: 20,
    arbitrary: fc
      .tuple(index, fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 5000 })), fc.boolean())
      .map(([at, length, more]): Step => (model) => {
        const sent = pick(model.sent.slice(-8), at);
        if (sent !== undefined) model.write(sent, length, more);
      }),
  },
  {
    weight: 2,
    arbitrary: index.map((at): Step => (model) => {
      const sent = pick(model.sent.slice(-8), at);
      if (sent === undefined || sent.ends.length > 0) return;
      sent.aborted = true;
      sent.delivery.abort();
    }),
  },
  {
    weight: 10,
    arbitrary: fc.tuple(index, fc.constantFrom(...outcomes)).map(
      ([at, outcome]): Step =>
        (model) =>
          model.settle(at % Math.max(1, model.open.length), outcome),
    ),
  },
  {
    weight: 1,
    arbitrary: index.map(
      (at): Step =>
        (model) =>
          pick(model.links, at)?.detach(),
    ),
  },
  {
    weight: 1,
    arbitrary: index.map(
      (at): Step =>
        (model) =>
          pick(model.receivers, at)?.detach({ condition: 'amqp:internal-error', description: '' }),
    ),
  },
  {
    weight: 1,
    arbitrary: index.map(
      (at): Step =>
        (model) =>
          at % 4 === 0 ? pick(model.sessions, at)?.end() : undefined,
    ),
  },
  { weight: 6, arbitrary: fc.constant<Step>((model) => model.pair.pump()) },
  {
    weight: 3,
    arbitrary: side.map((client): Step => (model) => {
      const { pair } = model;
      if (client) pair.move(pair.client, pair.server);
      else pair.move(pair.server, pair.client);
    }),
  },
  {
    weight: 2,
    arbitrary: side.map((client): Step => (model) => {
      const connection = client ? model.pair.client : model.pair.server;
      connection.withholdWindow = true;
    }),
  },
  {
    weight: 2,
    arbitrary: side.map(
      (client): Step =>
        (model) =>
          (client ? model.pair.client : model.pair.server).renewWindows(),
    ),
  },
);

const end: fc.Arbitrary<Step> = fc.constantFrom<Step[]>(
  (model) => model.pair.client.close(),
  (model) => model.pair.server.close(),
  (model) => {
    model.pair.client.lost('reset');
    model.pair.server.lost('reset');
  },
);

const frameSize = fc.constantFrom(512, 600, 4096, 16_384, 8_388_608);

test('every delivery ends once, and its bytes arrive in order or not at all', () => {
  fc.assert(
    fc.property(
      frameSize,
      frameSize,
      fc.nat(),
      fc.array(step, { minLength: 50, maxLength: 400, size: 'max' }),
      end,
      (a, b, seed, steps, finish) => {
        const model = new Model(a, b, seed);
        for (const each of steps) each(model);
        const { pair } = model;
        // Everything that can still arrive does; then the end.
        for (const connection of [pair.client, pair.server]) connection.renewWindows();
        pair.pump();
        assert.ok(
          pair.client.opened && pair.server.opened,
          pair.clientHandler.error?.description ?? pair.serverHandler.error?.description ?? 'closed',
        );
        finish(model);
        pair.pump();
        for (const connection of [pair.client, pair.server]) {
          connection.lost('end');
          assert.ok(connection.ended && connection.budget.empty);
        }
        const byNumber = new Map<number, Arrived>();
        for (const arrived of model.arrived) {
          if (arrived.bytes < 2) continue;
          assert.ok(!byNumber.has(arrived.number), 'nothing arrives twice');
          byNumber.set(arrived.number, arrived);
          assert.ok(arrived.complete !== arrived.aborted, 'what has begun to arrive is completed or aborted');
        }
        for (const sent of model.sent) {
          const arrived = byNumber.get(sent.number);
          if (arrived !== undefined && !sent.aborted) assert.ok(arrived.bytes <= sent.bytes);
          if (arrived?.complete === true) assert.equal(arrived.bytes, sent.bytes, 'whole');
          assert.ok(sent.ends.length <= 1, sent.ends.join());
          if (sent.aborted && sent.ends.length === 0) continue;
          if (sent.bytes === 0) assert.ok(sent.ends.every((name) => name === 'lost'));
          else if (sent.preSettled) assert.ok(sent.ends[0] === 'lost' || (sent.complete && sent.ends.length === 0), 'pre-settled');
          else {
            assert.equal(sent.ends.length, 1, `message ${sent.number} has no end`);
            if (sent.ends[0] !== 'lost') assert.equal(sent.ends[0], names[arrived?.outcome ?? 0], 'the outcome is the one that was given');
          }
        }
      },
    ),
    { numRuns: 400 },
  );
});
