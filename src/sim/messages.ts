import type { AmqpError, DeliveryState } from '../amqp/performatives.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import type { TreatmentRule } from '../forwarding/forwarder.ts';
import type { Consumer, Downstream, Upstream } from '../forwarding/leg.ts';
import { decodeHead } from '../forwarding/message-head.ts';
import type { MessageHead } from '../forwarding/message-head.ts';
import type { Treatment } from '../routing/route-table.ts';
import { encodeStreamStart } from '../services/tcp/stream-message.ts';
import { VirtualNetwork } from './virtual-network.ts';
import type { VirtualRouter } from './virtual-router.ts';

/** A message that a test sends, and what becomes of it. */
export class Producer implements Upstream {
  readonly outcomes: DeliveryState[] = [];
  acknowledged = 0;
  relievedCount = 0;
  downstream: Downstream | undefined;
  update(state: DeliveryState, settled: boolean, sectionOffset: number): void {
    if (settled) this.outcomes.push(state);
    else this.acknowledged = sectionOffset;
  }
  relieved(): void {
    this.relievedCount++;
  }
}

/** A message that a consumer has got. */
export class Taken implements Downstream {
  readonly head: MessageHead;
  readonly upstream: Upstream;
  bytes = 0;
  complete = false;
  aborted = false;
  forgotten = false;
  readonly congested = false;
  readonly overloaded = false;
  constructor(head: MessageHead, upstream: Upstream) {
    this.head = head;
    this.upstream = upstream;
  }
  send(_bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.bytes += end - start;
    if (!more) this.complete = true;
  }
  abort(): void {
    this.aborted = true;
  }
  forget(): void {
    this.forgotten = true;
  }
  settle(state: DeliveryState, error?: AmqpError): void {
    this.upstream.update(state, true, 0, error);
  }
}

export class Recorder implements Consumer {
  readonly taken: Taken[] = [];
  readonly outstanding = 0;
  deliver(head: MessageHead, upstream: Upstream): Downstream {
    const taken = new Taken(head, upstream);
    this.taken.push(taken);
    return taken;
  }
}

export function consume(router: VirtualRouter, address: string): Recorder {
  const recorder = new Recorder();
  router.control.forwarder.addConsumer(address, recorder);
  return recorder;
}

/** Sends a message of `size` octets, as a whole or as the beginning of a stream. */
export function produce(router: VirtualRouter, address: string, size: number, more = false, preSettled = false): Producer {
  const producer = new Producer();
  const start = encodeStreamStart(address, null, null);
  const bytes = new Uint8Array(start.length + size);
  bytes.set(start);
  const plain = decodeHead(new ValueReader(start));
  const head = { ...plain, annotations: { ...plain.annotations, flags: more ? 5 : 0 } };
  const routed = router.control.forwarder.forward(head, more, preSettled, undefined, producer);
  if (typeof routed === 'number') producer.outcomes.push(routed);
  else {
    producer.downstream = routed;
    routed.send(bytes, 0, bytes.length, more);
  }
  router.touch();
  return producer;
}

export function ruled(treatment: Treatment, priority?: number): TreatmentRule {
  return () => ({ treatment, priority });
}

export function outstanding(router: VirtualRouter, address: string): number {
  return [...router.control.forwarder.outstanding(address).values()].reduce((sum, count) => sum + count, 0);
}

export function line(rule?: TreatmentRule): { network: VirtualNetwork; alpha: VirtualRouter; beta: VirtualRouter; gamma: VirtualRouter } {
  const network = new VirtualNetwork();
  const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map((id) => network.router(id, rule));
  network.link(alpha, beta);
  network.link(beta, gamma);
  return { network, alpha, beta, gamma };
}
