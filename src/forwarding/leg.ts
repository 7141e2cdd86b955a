import type { AmqpError, DeliveryState } from '../amqp/performatives.ts';
import type { MessageHead } from './message-head.ts';

/**
 * A message on its way is a chain of two ends that know only each other:
 *
 *     producer ── Upstream ◄── outcomes, acknowledged offsets ──┐
 *        └────── bytes ──► Downstream ── consumer ──────────────┘
 *
 * A producer is a local service endpoint or a delivery that arrived from a neighbour; a consumer is a local service endpoint or a
 * delivery to a neighbour.
 */
export interface Downstream {
  /**
   * The next bytes of the message, which starts behind the router annotations; `more` false completes it. The bytes must not change
   * afterwards: the consumer may keep a view.
   */
  send(bytes: Uint8Array, start: number, end: number, more: boolean): void;
  /** The message will not be completed, or is not wanted any more. No outcome follows. */
  abort(): void;
  /** The producer settled: it wants no outcome. Bytes may still follow if the message is not complete. */
  forget(): void;
  /**
   * True while the way is full. The producer should stop, and is told by `Upstream.relieved` when it may go on. (What comes all the same
   * is kept, to a limit.)
   */
  readonly congested: boolean;
  /**
   * True while so much waits on the way that even a producer shared by many messages must stop; `Upstream.relieved` tells when it may go
   * on. Streams that keep to their windows do not get there: stopping a shared producer slows all that it carries.
   */
  readonly overloaded: boolean;
  /** True while the neighbour that this way begins with does not answer, though its connection still stands: nothing may come of it. */
  readonly severed?: boolean;
}

/** The producer's end of a message. */
export interface Upstream {
  /**
   * The consumer's state: `received` with an offset, or an outcome. `settled` ends the message. With `mayWait` nobody waits for the
   * outcome: it travels with what is sent next, or some milliseconds later.
   */
  update(state: DeliveryState, settled: boolean, sectionOffset: number, error: AmqpError | undefined, mayWait?: boolean): void;
  /** The way was congested and is no more. */
  relieved(): void;
}

/** Takes messages of an address at this router. */
export interface Consumer {
  /** Messages given to this consumer and not settled: its backlog, by which balancing chooses. */
  readonly outstanding: number;
  /** False while it has asked for no more: others come first, and what it gets all the same waits. Absent = always true. */
  readonly ready?: boolean;
  /**
   * Takes a message. Its bytes follow, starting behind the router annotations (`head.annotationsEnd`); the outcome goes to `upstream`,
   * never before this returns. `origin` is the router that the message comes from; `preSettled`: nobody waits for the outcome.
   */
  deliver(head: MessageHead, upstream: Upstream, origin: string, preSettled: boolean): Downstream;
}

/** Takes messages of an address of this router alone, which every router of the network may send to. */
export interface LocalConsumer {
  /** As `Consumer.deliver`. */
  deliver(head: MessageHead, upstream: Upstream, origin: string, preSettled: boolean): Downstream;
}
