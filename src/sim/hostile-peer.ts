import type { Connection, ConnectionHandler } from '../amqp/connection.ts';
import { Descriptor } from '../amqp/constants.ts';
import type { DeliverySink, IncomingDelivery } from '../amqp/delivery.ts';
import type { IncomingLink, LinkHandler, OutgoingLink } from '../amqp/link.ts';
import { DeliveryState, encodeTerminus } from '../amqp/performatives.ts';
import { ValueWriter } from '../amqp/value-writer.ts';
import { encodeControlMessage } from '../forwarding/control-codec.ts';
import { helloAddress, nodeName } from '../routing/control-address.ts';
import type { ControlMessage, ControlValue } from '../routing/control-message.ts';
import type { Machine } from './machine.ts';
import { SeededRandom } from './seeded-random.ts';
import { Cable } from './virtual-link.ts';
import { VirtualNode } from './virtual-node.ts';
import type { VirtualNetwork } from './virtual-network.ts';

export const hostileId = 'evil';
/** It comes back this long after it was thrown out. */
const redialMs = 1000;
/** Routing messages it remembers, to send them again. */
const maxRemembered = 64;

/** A peer with a link of its own that sends what no honest router sends. */
export class HostilePeer extends VirtualNode implements ConnectionHandler, DeliverySink, LinkHandler {
  readonly #victim: Machine;
  readonly #writer = new ValueWriter(1024);
  readonly #cable = new Cable();
  #control: OutgoingLink | undefined;
  readonly #remembered: Uint8Array[] = [];
  readonly #partial = new Map<IncomingDelivery, Uint8Array[]>();
  #stopped = false;
  #helloTimer = false;
  sent = 0;

  constructor(network: VirtualNetwork, victim: Machine) {
    super(network);
    this.#victim = victim;
    this.after(500, () => this.#dial());
  }

  #dial(): void {
    if (this.#stopped) return;
    const { process } = this.#victim;
    if (process === undefined) {
      this.after(redialMs, () => this.#dial());
      return;
    }
    const link = this.network.strange(process, hostileId, this, undefined, undefined, this.#cable, this);
    link.onEnd = (end): void => {
      if (end !== 0) return;
      this.#control = undefined;
      this.after(redialMs, () => this.#dial());
    };
  }

  /** Sends something that the numbers determine. */
  act(choice: number, salt: number): void {
    const control = this.#control;
    if (control === undefined) return;
    const random = new SeededRandom(salt);
    const bytes = this.#message(choice, random);
    this.sent++;
    control.deliver(true, undefined).send(bytes, 0, bytes.length, false);
    this.touch();
  }

  #message(choice: number, random: SeededRandom): Uint8Array {
    if (this.#remembered.length > 0 && choice < 10) {
      const bytes = random.pick(this.#remembered).slice();
      for (let flips = 1 + random.below(6); flips > 0; flips--) bytes[random.below(bytes.length)] = random.below(256);
      return choice < 2 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
    }
    const scalar = (): ControlValue => random.pick<ControlValue>([null, true, '', hostileId, -1, 2 ** 53, 1e9, 0.5, [], new Map()]);
    const body = new Map<string, ControlValue>();
    for (const key of ['id', 'pv', 'area', 'instance', 'seen', 'ls_seq', 'mobile_seq', 'ls', 'add', 'del', 'exist', 'caravan']) {
      if (random.chance(0.6)) body.set(key, key === 'id' && random.chance(0.7) ? hostileId : scalar());
    }
    // A true version, or everything would be refused for its version.
    if (random.chance(0.7)) body.set('pv', 1);
    const to = random.pick([
      helloAddress,
      'amqp:/_topo/0/all/qdrouter',
      '_topo/0/all/qdrouter.ma',
      `amqp:/_topo/0/${this.#victim.id}/qdrouter`,
    ]);
    const opcode = random.pick(['HELLO', 'RA', 'LSU', 'LSR', 'MAU', 'MAR', 'REC', 'SUM', '']);
    return this.#encode({ to, opcode, body, ingress: nodeName(hostileId), trace: [nodeName(hostileId)] });
  }

  #encode(message: ControlMessage): Uint8Array {
    return encodeControlMessage(this.#writer, message).slice();
  }

  /** Keeps the link alive, as a neighbour would. */
  #hello(): void {
    this.#helloTimer = false;
    const control = this.#control;
    if (control === undefined) return;
    const body = new Map<string, ControlValue>([
      ['id', hostileId],
      ['pv', 1],
      ['area', '0'],
      ['instance', 1],
      ['seen', [this.#victim.id]],
    ]);
    const bytes = this.#encode({ to: helloAddress, opcode: 'HELLO', body, ingress: nodeName(hostileId), trace: [nodeName(hostileId)] });
    control.deliver(true, undefined).send(bytes, 0, bytes.length, false);
    this.touch();
    this.#helloSoon();
  }

  #helloSoon(): void {
    if (this.#helloTimer) return;
    this.#helloTimer = true;
    this.after(1000, () => this.#hello());
  }

  // ---- the peer's side of AMQP ----

  opened(connection: Connection): void {
    const session = connection.openSession();
    const incoming = session.attachIncoming('in', ...this.#termini());
    incoming.sink = this;
    incoming.grant(250);
    this.#control = session.attachOutgoing('out', ...this.#termini());
    this.#helloSoon();
  }

  #termini(): [Uint8Array, Uint8Array] {
    const writer = new ValueWriter(64);
    encodeTerminus(writer, Descriptor.source, null, 'qd.router');
    const source = writer.take();
    writer.reset();
    encodeTerminus(writer, Descriptor.target, null, 'qd.router');
    return [source, writer.take()];
  }

  linkOffered(_connection: Connection, link: IncomingLink | OutgoingLink): void {
    if (link.receiver) link.sink = this;
    link.session.accept(link);
  }

  relieved(): void {}

  closed(): void {}

  attached(): void {}

  detached(): void {}

  transfer(delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const pieces = this.#partial.get(delivery) ?? [];
    pieces.push(bytes.slice(start, end));
    this.#partial.set(delivery, pieces);
    if (more) return;
    this.#partial.delete(delivery);
    const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    if (this.#remembered.length >= maxRemembered) this.#remembered.shift();
    this.#remembered.push(whole);
    delivery.update(DeliveryState.accepted, true);
    delivery.link.replenish();
  }

  aborted(delivery: IncomingDelivery): void {
    this.#partial.delete(delivery);
    delivery.link.replenish();
  }

  senderSettled(): void {}
}
