import { ProtocolViolation } from '../../base/errors.ts';
import { Condition } from '../../amqp/constants.ts';
import type { DeliverySink, IncomingDelivery } from '../../amqp/delivery.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import { ValueReader } from '../../amqp/value-reader.ts';
import { GatheredBytes } from '../../forwarding/gathered-bytes.ts';
import { HeadScanner } from '../../forwarding/head-scanner.ts';
import type { Downstream, Upstream } from '../../forwarding/leg.ts';
import { decodeHead } from '../../forwarding/message-head.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { MulticastLeg } from '../../forwarding/multicast.ts';
import { AnnotationFlag, startsWithAnnotations } from '../../forwarding/router-annotations.ts';
import type { ClientProducer } from './client-producer.ts';
import { maxGatheredBytes, maxWholeBytes, silentConsumerMs, streamWindowBytes } from './limits.ts';
import type { Held, LinkOwner } from './link-owner.ts';

/**
 * A message that a client sends, from its first frame to its settlement. A short one goes on when it is complete. A long one goes on as it
 * comes: then no more than a window of it is under way that its consumer has not acknowledged, and the client stops when the way is full.
 */
export class ClientMessage implements DeliverySink, Upstream, Held {
  readonly #producer: ClientProducer;
  readonly #client: LinkOwner;
  readonly #delivery: IncomingDelivery;
  #downstream: Downstream | undefined;
  #gathered: GatheredBytes | undefined;
  #scanner: HeadScanner | undefined;
  #head: MessageHead | undefined;
  /** Settled, aborted, or routed to nowhere: what still comes is dropped. */
  #over = false;
  #complete = false;
  #replenished = false;
  #sentBytes = 0;
  #acknowledgedBytes = 0;
  /** False once its consumer has proven to be of a kind that does not acknowledge. */
  #isWindowed = true;
  /** Since when it is held; undefined = it is not. */
  #heldSinceMs: number | undefined;

  constructor(producer: ClientProducer, delivery: IncomingDelivery) {
    this.#producer = producer;
    this.#client = producer.client;
    this.#delivery = delivery;
  }

  transfer(delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.#sentBytes += end - start;
    this.#pass(bytes, start, end, more);
    if (more) {
      this.#pace();
      return;
    }
    this.#complete = true;
    this.#letGo();
    this.#producer.complete(this.#sentBytes);
    if (delivery.settled) this.#endWhenTaken();
  }

  /** Nobody waits for the outcome: the client may send the next as soon as this one is no burden. Slow receivers of a multicast lose theirs. */
  #endWhenTaken(): void {
    const downstream = this.#downstream;
    if (downstream === undefined || downstream instanceof MulticastLeg || !downstream.congested) this.#end();
  }

  #pass(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const downstream = this.#downstream;
    if (downstream !== undefined) {
      downstream.send(bytes, start, end, more);
      return;
    }
    if (this.#over) return;
    const gathered = this.#gathered;
    if (gathered === undefined) {
      // Most messages come in one frame: then nothing is copied.
      if (this.#route(bytes.subarray(start, end), more) || !this.#mayGather(end - start)) return;
      this.#gathered = new GatheredBytes();
      this.#gathered.add(bytes, start, end);
    } else if (this.#mayGather(end - start)) {
      gathered.add(bytes, start, end);
      if (this.#route(gathered.bytes, more)) this.#dropGathered();
    }
  }

  #mayGather(bytes: number): boolean {
    if (this.#client.gatheredBytes + bytes <= maxGatheredBytes) {
      this.#client.gatheredBytes += bytes;
      return true;
    }
    this.#refuse(DeliveryState.rejected, {
      condition: Condition.resourceLimitExceeded,
      description: `unfinished messages of more than ${maxGatheredBytes} bytes`,
    });
    return false;
  }

  #dropGathered(): void {
    this.#client.gatheredBytes -= this.#gathered?.length ?? 0;
    this.#gathered = undefined;
    this.#scanner = undefined;
  }

  /** Sends on what has arrived, if that is enough. True when it need not be gathered. */
  #route(arrived: Uint8Array, more: boolean): boolean {
    if (more && arrived.length < maxWholeBytes) return false;
    const head = (this.#head ??= this.#readHead(arrived, more));
    if (head === undefined) return this.#over;
    const { address } = this.#producer;
    const { to } = head;
    if (address === null) {
      const error = to === null ? noAddress : this.#client.judgeTo(to);
      if (error !== undefined) {
        this.#refuse(DeliveryState.rejected, error);
        return true;
      }
    }
    const annotations = {
      flags: more ? AnnotationFlag.streaming : 0,
      toOverride: address === to ? null : address,
      ingress: null,
      trace: [],
      ingressMesh: null,
    };
    const routed = this.#client.port.forwarder.forward({ ...head, annotations }, more, this.#delivery.settled, undefined, this);
    if (typeof routed === 'number') {
      this.#refuse(routed, routed === DeliveryState.rejected ? notGranted : undefined);
      return true;
    }
    this.#downstream = routed;
    routed.send(arrived, 0, arrived.length, more);
    return true;
  }

  #readHead(arrived: Uint8Array, more: boolean): MessageHead | undefined {
    try {
      // A client is no router: what routers write for each other is not for it to write.
      if (startsWithAnnotations(arrived)) throw new ProtocolViolation(Condition.decodeError, 'the message begins with an unknown section');
      if (more && !(this.#scanner ??= new HeadScanner()).reachesBody(arrived)) return undefined;
      return decodeHead(new ValueReader(arrived), undefined, !more);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#refuse(DeliveryState.rejected, { condition: error.condition, description: error.message });
      return undefined;
    }
  }

  #refuse(state: DeliveryState, error: AmqpError | undefined): void {
    this.#delivery.update(state, true, 0, error);
    this.#end();
  }

  /** Nothing more happens to it, but that the rest of it may come. */
  #end(): void {
    this.#over = true;
    this.#downstream = undefined;
    this.#dropGathered();
    this.#letGo();
    if (this.#replenished) return;
    this.#replenished = true;
    this.#delivery.link.replenish();
  }

  // ---- the pace of a stream ----

  /** Stops the client when the way is full, or when the consumer is too far behind. */
  #pace(): void {
    const downstream = this.#downstream;
    if (downstream === undefined) return;
    const isBehind = this.#isWindowed && this.#sentBytes - this.#acknowledgedBytes > streamWindowBytes;
    if (!downstream.congested && !isBehind) {
      this.#letGo();
      return;
    }
    if (this.#heldSinceMs !== undefined) return;
    this.#heldSinceMs = this.#client.port.clock.nowMs();
    this.#client.hold(this);
  }

  #letGo(): void {
    if (this.#heldSinceMs === undefined) return;
    this.#heldSinceMs = undefined;
    this.#client.release(this);
  }

  sweep(nowMs: number): void {
    if (this.#acknowledgedBytes > 0 || this.#heldSinceMs === undefined || nowMs - this.#heldSinceMs < silentConsumerMs) return;
    this.#isWindowed = false;
    this.#pace();
  }

  // ---- from the consumer ----

  update(state: DeliveryState, settled: boolean, sectionOffset: number, error: AmqpError | undefined): void {
    if (this.#over) return;
    if (state === DeliveryState.received && !settled) {
      this.#acknowledgedBytes = Math.max(this.#acknowledgedBytes, sectionOffset);
      if (!this.#complete) this.#pace();
      return;
    }
    this.#delivery.update(state, settled, 0, error);
    if (settled) this.#end();
  }

  relieved(): void {
    if (!this.#complete) this.#pace();
    else if (this.#delivery.settled && !this.#over) this.#endWhenTaken();
  }

  // ---- from the client ----

  aborted(): void {
    const downstream = this.#downstream;
    this.#end();
    downstream?.abort();
  }

  senderSettled(): void {
    const downstream = this.#downstream;
    downstream?.forget();
    if (this.#complete) this.#endWhenTaken();
  }
}

const noAddress: AmqpError = {
  condition: Condition.preconditionFailed,
  description: 'neither the link nor the message says where the message goes',
};

const notGranted: AmqpError = {
  condition: Condition.unauthorizedAccess,
  description: 'the site may not send to this address',
};
