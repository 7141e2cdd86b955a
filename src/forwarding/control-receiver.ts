import { ProtocolViolation } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { Condition } from '../amqp/constants.ts';
import type { DeliverySink, IncomingDelivery } from '../amqp/delivery.ts';
import { DeliveryState } from '../amqp/performatives.ts';
import type { ControlMessage } from '../routing/control-message.ts';
import { decodeControlMessage } from './control-codec.ts';
import { GatheredBytes } from './gathered-bytes.ts';

/** Largest routing message: 10,000 addresses of 100 bytes, and the signed records that say the same once more as text. */
export const maxControlMessageBytes = 3_145_728;

/** Puts one routing message together. */
export class ControlReceiver implements DeliverySink {
  readonly #routerId: string;
  readonly #message: (message: ControlMessage) => void;
  readonly #log: Logger;
  readonly #bytes = new GatheredBytes();
  #over = false;

  constructor(routerId: string, message: (message: ControlMessage) => void, log: Logger) {
    this.#routerId = routerId;
    this.#message = message;
    this.#log = log;
  }

  transfer(delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.#over) return;
    if (this.#bytes.length + end - start > maxControlMessageBytes) {
      this.#reject(delivery, Condition.messageSizeExceeded, `routing message of more than ${maxControlMessageBytes} bytes`);
      return;
    }
    this.#bytes.add(bytes, start, end);
    if (more) return;
    let message: ControlMessage;
    try {
      message = decodeControlMessage(this.#bytes.bytes);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#reject(delivery, error.condition, error.message);
      return;
    }
    this.#end(delivery);
    delivery.update(DeliveryState.accepted, true);
    this.#message(message);
  }

  #reject(delivery: IncomingDelivery, condition: string, description: string): void {
    this.#log.warn('routing message refused', { router: this.#routerId, reason: description });
    this.#end(delivery);
    delivery.update(DeliveryState.rejected, true, 0, { condition, description });
  }

  #end(delivery: IncomingDelivery): void {
    this.#over = true;
    delivery.link.replenish();
  }

  aborted(delivery: IncomingDelivery): void {
    if (!this.#over) this.#end(delivery);
  }

  senderSettled(): void {}
}
