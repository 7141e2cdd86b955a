import type { DeliverySource, OutgoingDelivery } from '../../amqp/delivery.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import { GatheredBytes } from '../../forwarding/gathered-bytes.ts';
import type { Downstream, Upstream } from '../../forwarding/leg.ts';
import type { ClientConsumer } from './client-consumer.ts';
import { acknowledgeStepBytes, gatheredFrameBytes } from './limits.ts';

/**
 * A message on its way to a client. Of one that comes as a stream the producer is told how far it has been written: at its first octets, so
 * that it knows that it will be told, and then in steps.
 */
export class ClientLeg implements Downstream, DeliverySource {
  readonly #consumer: ClientConsumer;
  readonly #upstream: Upstream;
  readonly #delivery: OutgoingDelivery;
  /** The producer waits for no outcome. */
  #isForgotten: boolean;
  #bytes = 0;
  #acknowledgedBytes = 0;
  #gathered: GatheredBytes | undefined;
  #complete = false;
  #over = false;

  constructor(consumer: ClientConsumer, upstream: Upstream, settled: boolean, isForgotten: boolean) {
    this.#consumer = consumer;
    this.#upstream = upstream;
    this.#isForgotten = isForgotten;
    this.#delivery = consumer.link.deliver(settled, this);
  }

  get congested(): boolean {
    if (this.#over || !this.#consumer.congested) return false;
    this.#consumer.wait(this);
    return true;
  }

  /** What waits here is bounded by the limits of the client: its way to here need not stop for it. */
  get overloaded(): boolean {
    return false;
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.#over) return;
    this.#bytes += end - start;
    this.#complete = !more;
    this.#consumer.client.port.counters.bytesOut += end - start;
    this.#write(bytes, start, end, more);
    if (more) {
      if (this.congested) {
        if (this.#acknowledgedBytes === 0) this.#acknowledge(1);
      } else if (this.#acknowledgedBytes === 0 || this.#bytes - this.#acknowledgedBytes >= acknowledgeStepBytes)
        this.#acknowledge(this.#bytes);
      return;
    }
    if (!this.#delivery.settled) return;
    if (this.#delivery.pending !== undefined) this.#consumer.wait(this);
    else this.#written();
  }

  /** Pieces of a stream are gathered. */
  #write(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const gathered = this.#gathered;
    if (!more && gathered === undefined) {
      this.#delivery.send(bytes, start, end, false);
      return;
    }
    const into = (this.#gathered ??= new GatheredBytes());
    into.add(bytes, start, end);
    if (more && into.length < gatheredFrameBytes) return;
    this.#gathered = undefined;
    this.#delivery.send(into.bytes, 0, into.length, more);
  }

  /** All of it is on its way to a client that sends no outcome: that it went out is what its producer hears. */
  #written(): void {
    this.#end();
    if (!this.#isForgotten) this.#upstream.update(DeliveryState.accepted, true, 0, undefined);
  }

  #acknowledge(bytes: number): void {
    if (bytes <= this.#acknowledgedBytes || this.#isForgotten) return;
    this.#acknowledgedBytes = bytes;
    this.#upstream.update(DeliveryState.received, false, bytes, undefined);
  }

  /** What has come has been written. */
  relieved(): void {
    if (this.#over) return;
    if (!this.#complete) this.#acknowledge(this.#bytes);
    else if (this.#delivery.settled) this.#written();
    this.#upstream.relieved();
  }

  abort(): void {
    if (this.#over) return;
    this.#end();
    // What has not been written is taken back.
    if (this.#complete && this.#delivery.pending === undefined) this.#delivery.forget();
    else this.#delivery.abort();
  }

  forget(): void {
    if (this.#over) return;
    this.#isForgotten = true;
    this.#delivery.forget();
    if (this.#complete && this.#delivery.pending === undefined) this.#end();
    else if (this.#complete) this.#consumer.wait(this);
  }

  disposition(_delivery: OutgoingDelivery, state: DeliveryState, settled: boolean, _offset: number, error: AmqpError | undefined): void {
    if (this.#over) return;
    const isOutcome = state !== DeliveryState.none && state !== DeliveryState.received;
    if (!settled && !isOutcome) return;
    // A client that waits for its outcome to be settled (mode `second`) has that here: it is as far as a network can vouch for it.
    if (!settled) this.#delivery.forget();
    this.#end();
    if (!this.#complete) this.#delivery.abort();
    if (!this.#isForgotten) this.#upstream.update(isOutcome ? state : DeliveryState.accepted, true, 0, error);
  }

  lost(delivery: OutgoingDelivery): void {
    if (this.#over) return;
    this.#end();
    // Released: the client cannot have seen it. Modified: it may have.
    if (!this.#isForgotten) this.#upstream.update(delivery.id < 0 ? DeliveryState.released : DeliveryState.modified, true, 0, undefined);
  }

  #end(): void {
    this.#over = true;
    this.#gathered = undefined;
    this.#consumer.over(this);
  }
}
