import { ProtocolViolation } from '../base/errors.ts';
import { Condition, Descriptor } from './constants.ts';
import { decodeError, encodeError, endFields, missing } from './performative-fields.ts';
import type { AmqpError } from './performative-fields.ts';
import type { ValueReader } from './value-reader.ts';
import type { ValueWriter } from './value-writer.ts';

/** Delivery states, §3.4, as small integers for the data path. */
export const DeliveryState = { none: 0, received: 1, accepted: 2, rejected: 3, released: 4, modified: 5 } as const;

export type DeliveryState = (typeof DeliveryState)[keyof typeof DeliveryState];

/** DISPOSITION, §2.7.6; reused by the decoder for each frame. */
export class Disposition {
  receiver = false;
  first = 0;
  last = 0;
  settled = false;
  state: DeliveryState = DeliveryState.none;
  sectionOffset = 0;
  error: AmqpError | undefined;
}

/**
 * `modified` has no field for an error. Why a message failed is told in its message-annotations, §3.4.5, under this key; peers that do not
 * know it skip it, as they do every annotation of this form.
 */
const conditionAnnotation = 'x-opt-caravan-condition';

/** TRANSFER, §2.7.5; reused by the decoder for each frame. */
export class Transfer {
  handle = 0;
  /** -1 when absent (a continuation). */
  deliveryId = -1;
  tagStart = 0;
  tagLength = 0;
  messageFormat = 0;
  settled = false;
  more = false;
  aborted = false;
}

/** Decodes the fields into `transfer`; the payload starts at the reader's position afterwards. */
export function decodeTransfer(reader: ValueReader, transfer: Transfer): void {
  const count = reader.enterList();
  const end = reader.endOfList;
  transfer.handle = -1;
  transfer.deliveryId = -1;
  transfer.tagLength = 0;
  transfer.messageFormat = 0;
  transfer.settled = false;
  transfer.more = false;
  transfer.aborted = false;
  for (let index = 0; index < count; index++) {
    if (reader.skipNull()) continue;
    switch (index) {
      case 0:
        transfer.handle = reader.readUint();
        break;
      case 1:
        transfer.deliveryId = reader.readUint();
        break;
      case 2:
        transfer.tagLength = reader.skipBinary();
        transfer.tagStart = reader.position - transfer.tagLength;
        break;
      case 3:
        transfer.messageFormat = reader.readUint();
        break;
      case 4:
        transfer.settled = reader.readBoolean();
        break;
      case 5:
        transfer.more = reader.readBoolean();
        break;
      case 9:
        transfer.aborted = reader.readBoolean();
        break;
      default:
        reader.skip();
    }
  }
  endFields(reader, end, 'transfer');
  if (transfer.handle < 0) throw missing('transfer', 'handle');
  if (transfer.tagLength > 32) throw new ProtocolViolation(Condition.invalidField, 'delivery-tag is longer than 32 bytes');
}

export function decodeDisposition(reader: ValueReader, disposition: Disposition): void {
  const count = reader.enterList();
  const end = reader.endOfList;
  let first = -1;
  let last = -1;
  let role: boolean | undefined;
  disposition.settled = false;
  disposition.state = DeliveryState.none;
  disposition.sectionOffset = 0;
  disposition.error = undefined;
  for (let index = 0; index < count; index++) {
    if (reader.skipNull()) continue;
    switch (index) {
      case 0:
        role = reader.readBoolean();
        break;
      case 1:
        first = reader.readUint();
        break;
      case 2:
        last = reader.readUint();
        break;
      case 3:
        disposition.settled = reader.readBoolean();
        break;
      case 4:
        decodeState(reader, disposition);
        break;
      default:
        reader.skip();
    }
  }
  endFields(reader, end, 'disposition');
  if (role === undefined) throw missing('disposition', 'role');
  if (first < 0) throw missing('disposition', 'first');
  disposition.receiver = role;
  disposition.first = first;
  disposition.last = last < 0 ? first : last;
}

function decodeState(reader: ValueReader, disposition: Disposition): void {
  const descriptor = reader.readDescriptor();
  switch (descriptor) {
    case Descriptor.received: {
      disposition.state = DeliveryState.received;
      const count = reader.enterList();
      const end = reader.endOfList;
      if (count < 2) throw missing('received', 'section-offset');
      reader.readUint();
      const offset = readUlong(reader);
      disposition.sectionOffset = offset;
      reader.position = end;
      return;
    }
    case Descriptor.accepted:
      disposition.state = DeliveryState.accepted;
      reader.skip();
      return;
    case Descriptor.released:
      disposition.state = DeliveryState.released;
      reader.skip();
      return;
    case Descriptor.modified:
      disposition.state = DeliveryState.modified;
      decodeModified(reader, disposition);
      return;
    case Descriptor.rejected: {
      disposition.state = DeliveryState.rejected;
      const count = reader.enterList();
      const end = reader.endOfList;
      if (count > 0 && !reader.skipNull()) disposition.error = decodeError(reader);
      reader.position = end;
      return;
    }
    default:
      // An extension or a transactional state: treated as no state.
      reader.skip();
  }
}

/** Fields: delivery-failed, undeliverable-here, message-annotations. Of the annotations only the reason is of use here. */
function decodeModified(reader: ValueReader, disposition: Disposition): void {
  const count = reader.enterList();
  const end = reader.endOfList;
  let deliveryFailed = false;
  let undeliverableHere = false;
  let condition = '';
  for (let index = 0; index < count; index++) {
    if (reader.skipNull()) continue;
    if (index === 0) deliveryFailed = reader.readBoolean();
    else if (index === 1) undeliverableHere = reader.readBoolean();
    else if (index === 2) {
      const annotations = reader.readValue();
      const told = annotations instanceof Map ? (annotations.get(conditionAnnotation) as unknown) : undefined;
      if (typeof told === 'string') condition = told;
    } else reader.skip();
  }
  if (condition !== '' && deliveryFailed && !undeliverableHere) disposition.error = { condition, description: '' };
  else if (condition !== '' || deliveryFailed || undeliverableHere) {
    disposition.error = { condition, description: '', deliveryFailed, undeliverableHere };
  }
  reader.position = end;
}

function readUlong(reader: ValueReader): number {
  const value = reader.readValue();
  if (typeof value !== 'number' || value < 0) throw new ProtocolViolation(Condition.invalidField, 'section-offset must be a number');
  return value;
}

export function encodeDisposition(
  writer: ValueWriter,
  receiver: boolean,
  first: number,
  last: number,
  settled: boolean,
  state: DeliveryState,
  sectionOffset: number,
  error: AmqpError | undefined,
): void {
  writer.descriptor(Descriptor.disposition);
  writer.list();
  writer.boolean(receiver);
  writer.uint(first);
  if (last === first) writer.null();
  else writer.uint(last);
  writer.boolean(settled);
  if (state === DeliveryState.none) {
    writer.end(4);
    return;
  }
  writer.descriptor(Descriptor.received + state - 1);
  if (state === DeliveryState.received) {
    writer.list();
    writer.uint(0);
    writer.ulong(sectionOffset);
    writer.end(2);
  } else if (state === DeliveryState.rejected && error !== undefined) {
    writer.list();
    encodeError(writer, error);
    writer.end(1);
  } else if (state === DeliveryState.modified && error !== undefined) {
    // The description stays here: it may name places that are nobody else's business.
    writer.list();
    writer.boolean(error.deliveryFailed ?? true);
    if (error.undeliverableHere === true) writer.boolean(true);
    else writer.null();
    if (error.condition === '') writer.null();
    else {
      writer.map();
      writer.symbol(conditionAnnotation);
      writer.symbol(error.condition);
      writer.end(2);
    }
    writer.end(3);
  } else {
    writer.byte(0x45);
  }
  writer.end(5);
}
