import { ProtocolViolation } from '../../base/errors.ts';
import { Condition, Descriptor } from '../../amqp/constants.ts';
import { Described } from '../../amqp/value.ts';
import type { AmqpValue } from '../../amqp/value.ts';
import { ValueReader } from '../../amqp/value-reader.ts';
import { ValueWriter } from '../../amqp/value-writer.ts';

/** Octets of the body of a message that is published or taken here. With what comes around it, it fits a line of the management protocol. */
export const maxEventBodyBytes = 524_288;
/** Octets of a whole message: properties and headers have the rest. */
export const maxEventBytes: number = maxEventBodyBytes + 65_536;
/** Entries of a map that are shown: headers as people write them. */
const maxEntries = 64;

/** Where a consumer tells that it has taken the message, besides accepting it: a message annotation. Routers of all kinds pass it on. */
const receiptKey = 'x-opt-caravan-receipt-to';

/** A message as people publish and see it. */
export interface EventMessage {
  readonly to: string | null;
  readonly subject: string | null;
  readonly messageId: string | null;
  readonly correlationId: string | null;
  readonly replyTo: string | null;
  readonly contentType: string | null;
  /** Application properties; values that are no text are written as text. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** Who counts the consumers that take it; null for nobody. */
  readonly receiptTo: string | null;
}

/** A message without anything but what is said. */
export function eventMessage(message: Partial<EventMessage>): EventMessage {
  return {
    to: null,
    subject: null,
    messageId: null,
    correlationId: null,
    replyTo: null,
    contentType: null,
    headers: new Map(),
    body: new Uint8Array(0),
    receiptTo: null,
    ...message,
  };
}

export interface EncodedEvent {
  readonly bytes: Uint8Array;
  /** Where the section of the body starts. */
  readonly bodyStart: number;
}

/**
 * Writes a message (AMQP 1.0 §3.2):
 *
 *     message-annotations    {symbol "x-opt-caravan-receipt-to": string}       when somebody counts
 *     properties             [message-id, null, to, subject, reply-to, correlation-id, content-type]
 *     application-properties {string: string}                                  when there are headers
 *     data                   body
 */
export function encodeEvent(message: EventMessage): EncodedEvent {
  const { messageId, to, subject, replyTo, correlationId, contentType, headers, body, receiptTo } = message;
  const writer = new ValueWriter(256 + body.length);
  if (receiptTo !== null) {
    writer.descriptor(Descriptor.messageAnnotations);
    writer.map();
    writer.symbol(receiptKey);
    writer.string(receiptTo);
    writer.end(2);
  }
  writer.descriptor(Descriptor.properties);
  writer.list();
  for (const text of [messageId, null, to, subject, replyTo, correlationId]) {
    if (text === null) writer.null();
    else writer.string(text);
  }
  if (contentType === null) writer.null();
  else writer.symbol(contentType);
  writer.end(7);
  if (headers.size > 0) {
    writer.descriptor(Descriptor.applicationProperties);
    writer.map();
    for (const [key, value] of headers) {
      writer.string(key);
      writer.string(value);
    }
    writer.end(2 * headers.size);
  }
  const bodyStart = writer.written().length;
  writer.descriptor(Descriptor.data);
  writer.binary(body);
  return { bytes: writer.take(), bodyStart };
}

/** What is read of a message, section by section. */
interface Draft {
  properties: readonly AmqpValue[];
  headers: Map<string, string>;
  receiptTo: string | null;
  readonly body: Uint8Array[];
}

const encoder = new TextEncoder();

/**
 * Reads a message whoever made it, from its first section on. Data sections are joined; a body of another kind is shown as text: a string as it
 * is, other values as JSON. Throws ProtocolViolation.
 */
export function decodeEvent(bytes: Uint8Array): EventMessage {
  const reader = new ValueReader(bytes);
  const draft: Draft = { properties: [], headers: new Map(), receiptTo: null, body: [] };
  let hasBody = false;
  while (!reader.atEnd) {
    const section = reader.readDescriptor();
    const value = reader.readValue();
    if (takeSection(draft, section, value)) hasBody = true;
  }
  if (!hasBody) throw new ProtocolViolation(Condition.decodeError, 'message has no body');
  const text = (index: number): string | null => {
    const value = draft.properties[index] ?? null;
    return value === null ? null : textOf(value);
  };
  return {
    messageId: text(0),
    to: text(2),
    subject: text(3),
    replyTo: text(4),
    correlationId: text(5),
    contentType: text(6),
    headers: draft.headers,
    body: joined(draft.body),
    receiptTo: draft.receiptTo,
  };
}

/** True for a section of the body. */
function takeSection(draft: Draft, section: number, value: AmqpValue): boolean {
  switch (section) {
    case Descriptor.properties:
      if (!isList(value)) throw new ProtocolViolation(Condition.decodeError, 'properties are a list');
      draft.properties = value;
      return false;
    case Descriptor.applicationProperties:
      if (!(value instanceof Map)) throw new ProtocolViolation(Condition.decodeError, 'application properties are a map');
      for (const [key, entry] of value as ReadonlyMap<AmqpValue, AmqpValue>) {
        if (draft.headers.size >= maxEntries) break;
        draft.headers.set(textOf(key), textOf(entry));
      }
      return false;
    case Descriptor.messageAnnotations:
      if (value instanceof Map) {
        const receiptTo: unknown = value.get(receiptKey);
        if (typeof receiptTo === 'string') draft.receiptTo = receiptTo;
      }
      return false;
    case Descriptor.data:
      if (!(value instanceof Uint8Array)) throw new ProtocolViolation(Condition.decodeError, 'data is binary');
      draft.body.push(value);
      return true;
    case Descriptor.amqpValue:
    case Descriptor.amqpSequence:
      draft.body.push(value instanceof Uint8Array ? value : encoder.encode(textOf(value)));
      return true;
    default:
      return false;
  }
}

function isList(value: AmqpValue): value is readonly AmqpValue[] {
  return Array.isArray(value);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function textOf(value: AmqpValue): string {
  return typeof value === 'string' ? value : JSON.stringify(plain(value));
}

/** A value as JSON can say it. */
function plain(value: AmqpValue): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return [...value].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  if (value instanceof Described) return plain(value.value);
  if (isList(value)) return value.map(plain);
  if (value instanceof Map) {
    return Object.fromEntries([...(value as ReadonlyMap<AmqpValue, AmqpValue>)].map(([key, entry]) => [textOf(key), plain(entry)]));
  }
  return value;
}
