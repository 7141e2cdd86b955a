import { ProtocolViolation } from '../base/errors.ts';
import { Condition, Descriptor } from './constants.ts';
import type { ValueReader } from './value-reader.ts';
import type { AmqpValue } from './value.ts';
import type { ValueWriter } from './value-writer.ts';

/** Longest container-id, hostname, link name, address or symbol that is accepted, in bytes. Peers use less than 100. */
export const maxNameLength = 1024;

/** Longest error description kept from a peer. */
const maxDescriptionLength = 4096;

/** Capabilities kept of a terminus or an OPEN. */
const maxCapabilities = 64;

/** Error, §2.8.14. */
export interface AmqpError {
  readonly condition: string;
  readonly description: string;
  /** Of the outcome `modified` alone, §3.4.5. What it says has no condition of its own: then `condition` is empty. */
  readonly deliveryFailed?: boolean;
  readonly undeliverableHere?: boolean;
}

export function missing(name: string, field: string): ProtocolViolation {
  return new ProtocolViolation(Condition.invalidField, `${name} has no ${field}`);
}

export function readSymbols(reader: ValueReader): readonly string[] {
  const value = reader.readValue();
  if (value === null) return [];
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) throw new ProtocolViolation(Condition.invalidField, 'capabilities must be symbols');
  if (value.length > maxCapabilities) throw new ProtocolViolation(Condition.resourceLimitExceeded, 'too many capabilities');
  return (value as readonly AmqpValue[]).filter((symbol) => typeof symbol === 'string');
}

export function endFields(reader: ValueReader, end: number, name: string): void {
  if (reader.position !== end) throw new ProtocolViolation(Condition.decodeError, `${name} does not end where its size says`);
}

export function decodeError(reader: ValueReader): AmqpError {
  if (reader.readDescriptor() !== Descriptor.error) throw new ProtocolViolation(Condition.decodeError, 'an error is expected');
  const count = reader.enterList();
  const end = reader.endOfList;
  let condition = '';
  let description = '';
  for (let index = 0; index < count; index++) {
    if (reader.skipNull()) continue;
    if (index === 0) condition = reader.readText(maxNameLength);
    else if (index === 1) description = reader.readText(maxDescriptionLength);
    else reader.skip();
  }
  endFields(reader, end, 'error');
  return { condition, description };
}

export function encodeError(writer: ValueWriter, error: AmqpError): void {
  writer.descriptor(Descriptor.error);
  writer.list();
  writer.symbol(error.condition);
  writer.string(error.description);
  writer.end(2);
}

/** Descriptors, list and frame around an error. */
const errorOverhead = 128;

/**
 * The error with condition and description cut down so far that a frame of `maxFrameSize` can carry it, at 3 bytes of UTF-8 for each
 * UTF-16 unit.
 */
export function fitError(error: AmqpError, maxFrameSize: number): AmqpError {
  const room = Math.floor((maxFrameSize - errorOverhead) / 3);
  const { condition, description } = error;
  if (condition.length + description.length <= room) return error;
  const shortCondition = condition.slice(0, room >> 1);
  return { ...error, condition: shortCondition, description: description.slice(0, room - shortCondition.length) };
}
