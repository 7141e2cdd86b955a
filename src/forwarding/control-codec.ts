import { ProtocolViolation } from '../base/errors.ts';
import { Condition, Descriptor } from '../amqp/constants.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import type { ValueWriter } from '../amqp/value-writer.ts';
import type { AmqpValue } from '../amqp/value.ts';
import type { ControlMap, ControlMessage, ControlValue } from '../routing/control-message.ts';
import { decodeHead } from './message-head.ts';
import { encodeAnnotations } from './router-annotations.ts';

/**
 * Routing messages as AMQP messages:
 *
 *     router-annotations [0, null, "0/<id>", ["0/<id>" ...]]
 *     header             [durable = false]
 *     properties         [null, null, to]
 *     application-props  {"opcode": string}
 *     amqp-value         map
 *
 * HELLO, RA, LSR and LSU have string keys and `int` numbers (long where 32 bits do not suffice); MAR and MAU have symbol keys and `long`
 * for pv, mobile_seq and have_seq. The records of REC are a list of binaries under `records`.
 */
export function decodeControlMessage(bytes: Uint8Array): ControlMessage {
  const reader = new ValueReader(bytes);
  const head = decodeHead(reader);
  if (head.to === null) throw new ProtocolViolation(Condition.preconditionFailed, 'routing message without an address');
  reader.reset(bytes, head.annotationsEnd, bytes.length);
  let opcode = '';
  let body: AmqpValue = null;
  while (!reader.atEnd) {
    const section = reader.readDescriptor();
    if (section < 0) throw new ProtocolViolation(Condition.decodeError, 'routing message has a section of an unknown kind');
    if (section === Descriptor.applicationProperties) {
      const properties = reader.readValue();
      const value = properties instanceof Map ? (properties.get('opcode') as AmqpValue) : null;
      if (typeof value === 'string') opcode = value;
    } else if (section === Descriptor.amqpValue) {
      body = reader.readValue();
    } else {
      reader.skip();
    }
  }
  const value = toControlValue(body, opcode === 'REC' || opcode === 'SUM');
  return {
    to: head.to,
    opcode,
    body: value instanceof Map ? (value as ControlMap) : new Map(),
    ingress: head.annotations.ingress,
    trace: head.annotations.trace,
    encoded: bytes.subarray(head.annotationsEnd),
  };
}

/** Routing's types: binary in REC and SUM only, no floats beyond numbers; what does not fit becomes null, which no field accepts. */
function toControlValue(value: AmqpValue, binary: boolean): ControlValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'string' || typeof value === 'number') return value;
  if (value instanceof Uint8Array) return binary ? value : null;
  if (Array.isArray(value)) return (value as readonly AmqpValue[]).map((element) => toControlValue(element, binary));
  if (value instanceof Map) {
    const map = new Map<string, ControlValue>();
    for (const [key, entry] of value as ReadonlyMap<unknown, AmqpValue>) {
      if (typeof key === 'string') map.set(key, toControlValue(entry, binary));
    }
    return map;
  }
  return null;
}

/** Encodes the message; one in transit goes on byte for byte behind its new router annotations. */
export function encodeControlMessage(writer: ValueWriter, message: ControlMessage): Uint8Array {
  writer.reset();
  encodeAnnotations(writer, { flags: 0, toOverride: null, ingress: message.ingress, trace: message.trace, ingressMesh: null });
  if (message.encoded !== undefined) {
    writer.raw(message.encoded);
    return writer.take();
  }
  writer.descriptor(Descriptor.header);
  writer.list();
  writer.boolean(false);
  writer.end(1);
  writer.descriptor(Descriptor.properties);
  writer.list();
  writer.null();
  writer.null();
  writer.string(message.to);
  writer.end(3);
  writer.descriptor(Descriptor.applicationProperties);
  writer.map();
  writer.string('opcode');
  writer.string(message.opcode);
  writer.end(2);
  writer.descriptor(Descriptor.amqpValue);
  const mobile = message.opcode === 'MAU' || message.opcode === 'MAR';
  writer.map();
  for (const [key, value] of message.body) {
    if (mobile) writer.symbol(key);
    else writer.string(key);
    if (mobile && typeof value === 'number') writer.long(value);
    else encodeControlValue(writer, value);
  }
  if (message.records !== undefined) {
    writer.string('records');
    writer.list();
    for (const { bytes } of message.records) writer.binary(bytes);
    writer.end(message.records.length);
  }
  writer.end((message.body.size + (message.records === undefined ? 0 : 1)) * 2);
  return writer.take();
}

function encodeControlValue(writer: ValueWriter, value: ControlValue): void {
  if (value === null) writer.null();
  else if (typeof value === 'boolean') writer.boolean(value);
  else if (typeof value === 'string') writer.string(value);
  else if (typeof value === 'number') {
    if (value >= -0x8000_0000 && value <= 0x7fff_ffff) writer.int(value);
    else writer.long(value);
  } else if (value instanceof Uint8Array) {
    writer.binary(value);
  } else if (Array.isArray(value)) {
    writer.list();
    for (const element of value as readonly ControlValue[]) encodeControlValue(writer, element);
    writer.end(value.length);
  } else {
    const map = value as ControlMap;
    writer.map();
    for (const [key, entry] of map) {
      writer.string(key);
      encodeControlValue(writer, entry);
    }
    writer.end(map.size * 2);
  }
}
