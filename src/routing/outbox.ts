import { BoundedQueue } from './bounded-queue.ts';
import {
  caravanAddress,
  helloAddress,
  linkStateAddress,
  linkStateFloodAddress,
  mobileAddressAddress,
  mobileAddressFloodAddress,
  nodeName,
} from './control-address.ts';
import type { ControlMap, ControlMessage } from './control-message.ts';
import { limits } from './limits.ts';
import type { SignedRecord } from './signed-record.ts';

/** A message and the links that it goes out on. */
export interface ControlTransmit {
  readonly links: readonly number[];
  readonly message: ControlMessage;
}

/** Messages waiting to be sent, complete with addresses and annotations of this router. */
export class Outbox {
  readonly #queue = new BoundedQueue<ControlTransmit>(limits.queuedMessages);
  readonly #self: string;

  constructor(selfId: string) {
    this.#self = nodeName(selfId);
  }

  /** Messages dropped because the owner did not take them. */
  get dropped(): number {
    return this.#queue.refused;
  }

  next(): ControlTransmit | undefined {
    return this.#queue.shift();
  }

  hello(link: number, body: ControlMap): void {
    this.#send([link], helloAddress, 'HELLO', body);
  }

  toRouter(link: number, routerId: string, opcode: 'LSR' | 'LSU' | 'MAR' | 'MAU', body: ControlMap): void {
    const mobile = opcode === 'MAR' || opcode === 'MAU';
    this.#send([link], mobile ? mobileAddressAddress(routerId) : linkStateAddress(routerId), opcode, body);
  }

  toAll(links: readonly number[], opcode: 'RA' | 'MAU', body: ControlMap): void {
    this.#send(links, opcode === 'MAU' ? mobileAddressFloodAddress : linkStateFloodAddress, opcode, body);
  }

  /** To neighbours that sign. */
  toSigners(links: readonly number[], opcode: 'REC' | 'SUM', body: ControlMap, records?: readonly SignedRecord[]): void {
    if (links.length === 0) return;
    const message = { to: caravanAddress, opcode, body, ingress: this.#self, trace: [this.#self] };
    this.#queue.push({ links, message: records === undefined ? message : { ...message, records } });
  }

  /** Passes on a message of another router: as it came, with this router added to the trace. */
  passOn(links: readonly number[], message: ControlMessage): void {
    if (links.length === 0) return;
    this.#queue.push({ links, message: { ...message, ingress: message.ingress ?? this.#self, trace: [...message.trace, this.#self] } });
  }

  #send(links: readonly number[], to: string, opcode: string, body: ControlMap): void {
    if (links.length === 0) return;
    this.#queue.push({ links, message: { to, opcode, body, ingress: this.#self, trace: [this.#self] } });
  }
}
