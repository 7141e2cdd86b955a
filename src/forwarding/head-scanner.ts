import { ProtocolViolation } from '../base/errors.ts';
import { Code, Condition, Descriptor } from '../amqp/constants.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import { startsWithAnnotations } from './router-annotations.ts';

/** Sections before the body; real ones are below 1 KiB. */
export const maxHeadBytes = 65_536;

/**
 * Finds the end of a message's head while its bytes come in pieces of any size: sections are skipped by their sizes, so that what has been
 * looked at is not looked at again, and a malformed head is known as soon as the first wrong byte is there.
 *
 *     section = 00 descriptor (53 code:1 | 80 code:8 | a3 size:1 symbol)  list or map (45 | c0,c1 size:1 ... | d0,d1 size:4 ...)
 */
export class HeadScanner {
  readonly #reader = new ValueReader();
  #position = 0;

  /**
   * `bytes` is everything that has arrived of the message. True when its body has begun. Throws ProtocolViolation when what is there
   * cannot be a head, or is one of more than `maxHeadBytes`.
   */
  reachesBody(bytes: Uint8Array): boolean {
    for (;;) {
      const start = this.#position;
      const value = afterDescriptor(bytes, start);
      if (value < 0) return false;
      if (start > 0 || !startsWithAnnotations(bytes)) {
        const section = this.#section(bytes, start);
        if (section === Descriptor.data || section === Descriptor.amqpSequence || section === Descriptor.amqpValue) return true;
      }
      const end = afterCompound(bytes, value);
      if (end < 0) return false;
      if (end > maxHeadBytes) throw violation(`sections of ${end} bytes before the body; at most ${maxHeadBytes} are accepted`);
      this.#position = end;
    }
  }

  #section(bytes: Uint8Array, start: number): number {
    this.#reader.reset(bytes, start, bytes.length);
    const section = this.#reader.readDescriptor();
    switch (section) {
      case Descriptor.header:
      case Descriptor.deliveryAnnotations:
      case Descriptor.messageAnnotations:
      case Descriptor.properties:
      case Descriptor.applicationProperties:
      case Descriptor.data:
      case Descriptor.amqpSequence:
      case Descriptor.amqpValue:
        return section;
      default:
        throw violation('a section of an unknown kind comes before the body');
    }
  }
}

/** Where the value behind the descriptor at `at` starts; -1 while the descriptor is not complete. */
function afterDescriptor(bytes: Uint8Array, at: number): number {
  if (at >= bytes.length) return -1;
  if (bytes[at] !== Code.described) throw violation('a section is expected');
  if (at + 1 >= bytes.length) return -1;
  let after: number;
  switch (bytes[at + 1]) {
    case Code.smallUlong:
      after = at + 3;
      break;
    case Code.ulong:
      after = at + 10;
      break;
    case Code.symbol8:
      if (at + 2 >= bytes.length) return -1;
      after = at + 3 + (bytes[at + 2] ?? 0);
      break;
    default:
      throw violation('the descriptor of a section is a ulong or a symbol');
  }
  return after <= bytes.length ? after : -1;
}

/** The end of the list or map at `at` by its own size (it may lie beyond the bytes); -1 while its size has not arrived. */
function afterCompound(bytes: Uint8Array, at: number): number {
  if (at >= bytes.length) return -1;
  switch (bytes[at]) {
    case Code.list0:
      return at + 1;
    case Code.list8:
    case Code.map8:
      return at + 1 < bytes.length ? at + 2 + (bytes[at + 1] ?? 0) : -1;
    case Code.list32:
    case Code.map32:
      if (at + 4 >= bytes.length) return -1;
      return at + 5 + (((bytes[at + 1] << 24) | (bytes[at + 2] << 16) | (bytes[at + 3] << 8) | bytes[at + 4]) >>> 0);
    default:
      throw violation('a section before the body is a list or a map');
  }
}

function violation(description: string): ProtocolViolation {
  return new ProtocolViolation(Condition.decodeError, description);
}
