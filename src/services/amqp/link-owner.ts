import type { Connection } from '../../amqp/connection.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Clock } from '../../base/clock.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { ClientConsumer } from './client-consumer.ts';
import type { ClientCounters } from './client-port.ts';
import type { ClientProducer } from './client-producer.ts';

/** A message for which the peer must stop sending. */
export interface Held {
  /** Looked at once in a while: a stream whose consumer says nothing goes on. */
  sweep(nowMs: number): void;
}

/** What links need of the port or connector that their connection belongs to. */
export interface LinkPort {
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  readonly counters: ClientCounters;
  /** Messages that a peer may have under way on one link. */
  readonly linkWindow: number;
}

/** The connection that links of producers and consumers are on, whoever dialled it. */
export interface LinkOwner {
  readonly port: LinkPort;
  readonly connection: Connection;
  /** Octets of messages that are not complete and not sent on. */
  gatheredBytes: number;
  /** A message without link address: why it may not go where its `to` says. */
  judgeTo(address: string): AmqpError | undefined;
  /** The peer has answered that the link is attached. */
  consumerAttached(consumer: ClientConsumer): void;
  producerAttached(producer: ClientProducer): void;
  producerGone(producer: ClientProducer, error: AmqpError | undefined): void;
  consumerGone(consumer: ClientConsumer, error: AmqpError | undefined): void;
  /** The peer may send no more until `release`. */
  hold(message: Held): void;
  release(message: Held): void;
}
