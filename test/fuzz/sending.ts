import type { Connection } from '../../src/amqp/connection.ts';
import type { OutgoingDelivery } from '../../src/amqp/delivery.ts';
import type { IncomingLink, OutgoingLink, OutgoingLinkHandler } from '../../src/amqp/link.ts';
import type { AmqpError, DeliveryState, Flow } from '../../src/amqp/performatives.ts';
import type { Session } from '../../src/amqp/session.ts';
import { ConnectionPair, termini } from './connection-pair.ts';

/** Notes what becomes of deliveries. */
export class Outcomes implements OutgoingLinkHandler {
  readonly states: (DeliveryState | 'lost')[] = [];
  readonly offsets: number[] = [];
  readonly errors: (AmqpError | undefined)[] = [];
  readonly flows: number[] = [];
  readonly detachErrors: (AmqpError | undefined)[] = [];
  onFlow: (link: OutgoingLink) => void = () => {};
  disposition(_delivery: OutgoingDelivery, state: DeliveryState, settled: boolean, offset: number, error: AmqpError | undefined): void {
    if (settled) this.states.push(state);
    else this.offsets.push(offset);
    this.errors.push(error);
  }
  lost(): void {
    this.states.push('lost');
  }
  attached(): void {}
  detached(_link: IncomingLink | OutgoingLink, error: AmqpError | undefined): void {
    this.detachErrors.push(error);
  }
  flow(link: OutgoingLink): void {
    this.flows.push(link.credit);
    this.onFlow(link);
  }
}

export interface Sending {
  readonly pair: ConnectionPair;
  readonly session: Session;
  readonly link: OutgoingLink;
  readonly outcomes: Outcomes;
}

/** A client that sends to a server. `window` is the number of frames the server accepts at a time. */
export function sending(credit = 100, serverMaxFrameSize = 16_384): Sending {
  const pair = new ConnectionPair({}, { maxFrameSize: serverMaxFrameSize });
  pair.serverHandler.credit = credit;
  pair.pump();
  const session = pair.client.openSession();
  const link = session.attachOutgoing('l', ...termini());
  const outcomes = new Outcomes();
  link.handler = outcomes;
  pair.pump();
  return { pair, session, link, outcomes };
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function send(link: OutgoingLink, outcomes: Outcomes | undefined, value: string | Uint8Array, more = false): OutgoingDelivery {
  const bytes = typeof value === 'string' ? text(value) : value;
  const delivery = link.deliver(false, outcomes);
  delivery.send(bytes, 0, bytes.length, more);
  return delivery;
}

export function received(pair: ConnectionPair): readonly string[] {
  return pair.serverHandler.messages.map((message) => new TextDecoder().decode(message));
}

/** Writes a performative by hand from one side. */
export function by(connection: Connection, channel: number, write: () => void): void {
  write();
  connection.writeFrame(channel);
}

export const emptyFlow: Flow = {
  nextIncomingId: 0,
  incomingWindow: 0,
  nextOutgoingId: 0,
  outgoingWindow: 0,
  handle: -1,
  deliveryCount: 0,
  linkCredit: 0,
  available: 0,
  drain: false,
  echo: false,
};
