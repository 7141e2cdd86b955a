import { Descriptor } from '../../src/amqp/constants.ts';
import { encodeAttach, encodeBegin, encodeFlow, encodeOpen, encodeTerminus } from '../../src/amqp/performatives.ts';
import { SlabPool } from '../../src/amqp/transmit-buffer.ts';
import { ValueWriter } from '../../src/amqp/value-writer.ts';
import { silentLogger } from '../../src/base/log.ts';
import { Forwarder } from '../../src/forwarding/forwarder.ts';
import type { Consumer, Downstream, Upstream } from '../../src/forwarding/leg.ts';
import type { MessageHead } from '../../src/forwarding/message-head.ts';
import { RoutingEngine } from '../../src/routing/engine.ts';
import { DeliveryState } from '../../src/amqp/performatives.ts';
import { AddressRights } from '../../src/services/amqp/address-rights.ts';
import { ClientConnection } from '../../src/services/amqp/client-connection.ts';
import { ClientCounters } from '../../src/services/amqp/client-port.ts';
import { encodeInquiry, noFields } from '../../src/services/inquiry/inquiry-message.ts';
import { SeededRandom } from '../../src/sim/seeded-random.ts';
import { drainBytes, frame, fromHex, joined } from './connection-pair.ts';
import { goldenFrames } from './golden-frames.ts';
import { join, mutate } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

const maxInputBytes = 65_536;
/** One for all, as in a router. */
const slabs = new SlabPool();
const frames = goldenFrames.map(({ hex }) => fromHex(hex));
const addresses = [
  'q',
  'q',
  'q',
  'mc/news',
  'mc/news',
  'mc/news',
  'other',
  'amqp:/_topo/0/r/temp.a.0',
  '$management',
  '_topo/0/r/x',
  '',
  null,
] as const;

/** A message as clients write it, whole or cut short. */
function message(random: SeededRandom): Uint8Array {
  const writer = new ValueWriter(512);
  if (random.below(3) === 0) {
    writer.descriptor(Descriptor.header);
    writer.list();
    writer.boolean(random.below(2) === 0);
    writer.ubyte(random.below(12));
    writer.end(2);
  }
  if (random.below(4) > 0) {
    writer.descriptor(Descriptor.properties);
    writer.list();
    writer.null();
    writer.null();
    const to = random.pick(addresses);
    if (to === null) writer.null();
    else writer.string(to);
    writer.end(3);
  }
  writer.descriptor(random.pick([Descriptor.data, Descriptor.data, Descriptor.amqpValue, Descriptor.footer]));
  writer.binary(new Uint8Array(random.below(2000)));
  const bytes = writer.take();
  return random.below(5) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
}

function terminus(random: SeededRandom, descriptor: typeof Descriptor.source | typeof Descriptor.target): Uint8Array {
  const writer = new ValueWriter(64);
  encodeTerminus(writer, descriptor, random.pick(addresses), null, random.below(5) === 0);
  return writer.take();
}

/** What a client has done so far, so that most of what it does next is allowed: a connection ends with the first thing that is not. */
class ClientScript {
  readonly #random: SeededRandom;
  readonly #senders: number[] = [];
  readonly #receivers: number[] = [];
  /** Handles of messages that are not complete. */
  readonly #begun = new Set<number>();
  #nextHandle = 0;
  #nextDelivery = 0;
  #transfers = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** Now and then a number that is out of order. */
  #number(usual: number): number {
    return this.#random.below(150) === 0 ? this.#random.pick([0, 1, 2, 255, 65_536, 0x7fffffff, 0xffffffff]) : usual;
  }

  next(): Uint8Array {
    const choice = this.#random.below(12);
    if (this.#nextHandle === 0 || choice < 2) return this.#attach();
    if (choice < 7 && this.#senders.length > 0) return this.#transfer();
    if (choice < 9) return this.#flow();
    if (choice < 10) return this.#disposition();
    return this.#random.below(4) > 0 ? this.#detach() : this.#end();
  }

  #attach(): Uint8Array {
    const handle = this.#number(this.#nextHandle++);
    const receiver = this.#random.below(2) === 0;
    (receiver ? this.#receivers : this.#senders).push(handle);
    const [source, target] = [terminus(this.#random, Descriptor.source), terminus(this.#random, Descriptor.target)];
    return frame(0, (writer) => encodeAttach(writer, { name: `l${handle}`, handle, receiver, source, target }));
  }

  #transfer(): Uint8Array {
    const random = this.#random;
    const handle = random.pick(this.#senders);
    const isBegun = this.#begun.has(handle);
    const more = random.below(3) === 0;
    const aborted = isBegun && random.below(6) === 0;
    if (more && !aborted) this.#begun.add(handle);
    else this.#begun.delete(handle);
    this.#transfers++;
    return frame(0, (writer) => {
      writer.descriptor(Descriptor.transfer);
      writer.list();
      writer.uint(this.#number(handle));
      if (isBegun) writer.null();
      else writer.uint(this.#number(this.#nextDelivery++));
      if (isBegun) writer.null();
      else writer.binary(Uint8Array.of(random.below(256)));
      writer.uint(0);
      if (isBegun) writer.null();
      else writer.boolean(random.below(3) === 0);
      writer.boolean(more);
      for (let index = 6; index < 9; index++) writer.null();
      writer.boolean(aborted);
      writer.end(10);
      writer.raw(isBegun ? new Uint8Array(random.below(3000)) : message(random));
    });
  }

  #flow(): Uint8Array {
    const random = this.#random;
    const handles = [...this.#receivers, ...this.#senders, -1];
    return frame(0, (writer) =>
      encodeFlow(writer, {
        nextIncomingId: this.#number(0),
        incomingWindow: this.#number(random.pick([0, 1, 100])),
        nextOutgoingId: this.#number(this.#transfers),
        outgoingWindow: this.#number(100),
        handle: this.#number(random.pick(handles)),
        deliveryCount: this.#number(0),
        linkCredit: this.#number(random.pick([0, 1, 10])),
        available: 0,
        drain: random.below(4) === 0,
        echo: false,
      }),
    );
  }

  #disposition(): Uint8Array {
    const random = this.#random;
    return frame(0, (writer) => {
      writer.descriptor(Descriptor.disposition);
      writer.list();
      writer.boolean(random.below(2) === 0);
      const first = random.below(4);
      writer.uint(this.#number(first));
      writer.uint(this.#number(first + random.below(3)));
      writer.boolean(random.below(2) === 0);
      writer.descriptor(Descriptor.received + random.below(5));
      writer.byte(0x45);
      writer.end(5);
    });
  }

  #detach(): Uint8Array {
    const random = this.#random;
    const handle = random.pick([...this.#senders, ...this.#receivers]);
    for (const handles of [this.#senders, this.#receivers]) {
      const at = handles.indexOf(handle);
      if (at >= 0) handles.splice(at, 1);
    }
    this.#begun.delete(handle);
    if (this.#senders.length + this.#receivers.length === 0) this.#nextHandle = 0;
    return frame(0, (writer) => {
      writer.descriptor(Descriptor.detach);
      writer.list();
      writer.uint(this.#number(handle));
      writer.boolean(random.below(2) === 0);
      writer.end(2);
    });
  }

  #end(): Uint8Array {
    return frame(0, (writer) => {
      writer.descriptor(this.#random.pick([Descriptor.end, Descriptor.begin, Descriptor.close]));
      writer.byte(0x45);
    });
  }
}

const preparation = joined([
  Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 1, 0, 0),
  frame(0, (writer) =>
    encodeOpen(writer, { containerId: 'fuzz', hostname: null, maxFrameSize: 4096, channelMax: 65_535, idleTimeoutMs: 0, capabilities: [] }),
  ),
  frame(0, (writer) =>
    encodeBegin(writer, { remoteChannel: -1, nextOutgoingId: 0, incomingWindow: 100, outgoingWindow: 100, handleMax: 65_535 }),
  ),
]);

/** Takes messages of an address and deals with each in another way. */
class AnyConsumer implements Consumer {
  outstanding = 0;
  readonly #random = new SeededRandom(7);

  deliver(_head: MessageHead, upstream: Upstream): Downstream {
    this.outstanding++;
    let open = true;
    const end = (): void => {
      if (open) this.outstanding--;
      open = false;
    };
    const settle = (state: DeliveryState): void => {
      if (!open) return;
      end();
      upstream.update(state, true, 0, undefined);
    };
    let bytes = 0;
    return {
      congested: this.#random.below(4) === 0,
      overloaded: false,
      send: (_bytes, from, to, more): void => {
        bytes += to - from;
        if (more && open) upstream.update(DeliveryState.received, false, bytes, undefined);
        else if (!more)
          settle(this.#random.pick([DeliveryState.accepted, DeliveryState.released, DeliveryState.rejected, DeliveryState.modified]));
      },
      abort: end,
      forget: (): void => undefined,
    };
  }
}

/** A message from elsewhere to whoever receives of an address; its end may come once. */
class Sent implements Upstream {
  isSettled = false;
  /** Its outcome is of no interest, and may be told all the same. */
  readonly #isForgotten: boolean;
  #downstream: Downstream | undefined;

  constructor(forwarder: Forwarder, to: string, random: SeededRandom) {
    const { head, bytes } = encodeInquiry({ to, replyTo: null, correlationId: 'fuzz', properties: noFields, body: new Map([['a', 'b']]) });
    const isStream = random.below(3) === 0;
    this.#isForgotten = random.below(4) === 0;
    const downstream = forwarder.forward(head, isStream, this.#isForgotten, undefined, this);
    if (typeof downstream === 'number') {
      this.isSettled = true;
      return;
    }
    if (this.#isForgotten) this.isSettled = true;
    if (isStream) this.#downstream = downstream;
    downstream.send(bytes, 0, bytes.length, isStream);
    const more = new Uint8Array(random.below(100_000));
    if (isStream) this.#downstream?.send(more, 0, more.length, true);
  }

  update(_state: DeliveryState, settled: boolean): void {
    check(!(settled && this.isSettled) || this.#isForgotten, 'a message was settled twice');
    if (!settled) return;
    this.isSettled = true;
    this.#downstream = undefined;
  }

  relieved(): void {}

  /** It will not be completed. */
  abort(): void {
    const downstream = this.#downstream;
    if (downstream === undefined) return;
    this.#downstream = undefined;
    this.isSettled = true;
    downstream.abort();
  }
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** A connection of a client that has begun, and then says anything: what it held is given back when it is over. */
export const amqpClientTarget: FuzzTarget = {
  name: 'amqp client',
  input: (random) => {
    const script = new ClientScript(random);
    const pieces: Uint8Array[] = [];
    for (let count = 1 + random.below(30); count > 0; count--) {
      const piece = script.next();
      pieces.push(random.below(100) === 0 ? mutate(piece, random.pick(frames), random, maxInputBytes) : piece);
    }
    return join(...pieces);
  },
  run: (input): unknown => {
    const random = new SeededRandom(1);
    const { table } = new RoutingEngine({ routerId: 'r', instance: 1 });
    const forwarder = new Forwarder(table, { localAddress: () => undefined, localAddressGone: () => undefined }, () => undefined, random);
    const server = new AnyConsumer();
    forwarder.addConsumer('q', server);
    let nowMs = 0;
    const client = new ClientConnection(
      {
        forwarder,
        rights: new AddressRights('r', ['q', 'mc/*']),
        clock: { nowMs: () => nowMs, wallMs: () => nowMs },
        random,
        log: silentLogger,
        slabs,
        containerId: 'r',
        version: '0',
        maxFrameSize: 4096,
        idleTimeoutMs: 16_000,
        handshakeTimeoutMs: 5000,
        linkWindow: 10,
        counters: new ClientCounters(),
        sasl: () => ({ mechanisms: ['ANONYMOUS'], externallyAuthenticated: false }),
      },
      false,
    );
    const { connection } = client;
    connection.start(0);
    connection.receive(preparation, 0);
    const step = input.length % 5 === 0 ? 7 : input.length;
    for (let at = 0; at < input.length; at += Math.max(1, step)) {
      connection.receive(input.slice(at, at + step), 1);
      client.routesChanged();
    }
    const sent = Array.from({ length: 6 }, () => new Sent(forwarder, random.pick(['q', 'mc/news']), random));
    drainBytes(connection);
    client.relieved();
    // The client hears again what it said, as an answer to what it was sent.
    connection.receive(input.slice(0, input.length >> 1), 2);
    for (const message of sent) if (random.below(2) === 0) message.abort();
    drainBytes(connection);
    nowMs = 2000;
    client.sweep(nowMs);
    check(forwarder.temporaryAddresses <= client.links, 'an address for answers has no link');
    connection.lost('the peer closed the connection');
    for (const message of sent) message.abort();
    check(
      sent.every(({ isSettled }) => isSettled),
      'a message has no outcome',
    );
    check(client.links === 0, 'a connection that is over still has links');
    check(client.gatheredBytes === 0, 'a connection that is over still holds octets of messages');
    check(forwarder.temporaryAddresses === 0, 'an address for answers is left');
    check(forwarder.localServices.join() === 'q', 'a consumer is left');
    check(server.outstanding === 0, 'a message that will not go on was not taken back');
    return [client, forwarder];
  },
};
