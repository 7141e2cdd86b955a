import { Condition, Descriptor } from '../../amqp/constants.ts';
import type { AmqpMapKey, AmqpValue } from '../../amqp/value.ts';
import { ValueReader } from '../../amqp/value-reader.ts';
import { ValueWriter } from '../../amqp/value-writer.ts';
import { ProtocolViolation } from '../../base/errors.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { noAnnotations } from '../../forwarding/router-annotations.ts';

/** Octets of a question or an answer: an answer has the ids of the routers on a way, or what is known of one link. */
export const maxInquiryBytes = 65_536;

export type InquiryFields = ReadonlyMap<AmqpMapKey, AmqpValue>;

export const noFields: InquiryFields = new Map();

/** An answer that has this field is none: its text says why. */
export const refusedField = 'refused';

/** The answer to who may not ask that. */
export function refusal(reason: string): InquiryFields {
  return new Map([[refusedField, reason]]);
}

/** What a question or an answer says. */
export interface InquiryContent {
  /** Application properties. Only the management of a skupper-router wants some. */
  readonly properties: InquiryFields;
  readonly body: InquiryFields;
}

interface InquiryMessage extends InquiryContent {
  readonly to: string;
  readonly replyTo: string | null;
  readonly correlationId: string;
}

export interface EncodedInquiry {
  readonly head: MessageHead;
  readonly bytes: Uint8Array;
}

/**
 * Writes a message (AMQP 1.0 §3.2):
 *
 *     properties             [null, null, to, null, reply-to, correlation-id]
 *     application-properties {string: any}     when there are some
 *     amqp-value             {string: any}
 */
export function encodeInquiry({ to, replyTo, correlationId, properties, body }: InquiryMessage): EncodedInquiry {
  const writer = new ValueWriter(512);
  writer.descriptor(Descriptor.properties);
  writer.list();
  writer.null();
  writer.null();
  writer.string(to);
  writer.null();
  if (replyTo === null) writer.null();
  else writer.string(replyTo);
  writer.string(correlationId);
  writer.end(6);
  if (properties.size > 0) {
    writer.descriptor(Descriptor.applicationProperties);
    writeValue(writer, properties);
  }
  const bodyStart = writer.length;
  writer.descriptor(Descriptor.amqpValue);
  writeValue(writer, body);
  const head: MessageHead = {
    annotations: noAnnotations,
    annotationsEnd: 0,
    priority: 4,
    to,
    replyTo,
    correlationId,
    contentType: null,
    bodyStart,
  };
  return { head, bytes: writer.take() };
}

function writeValue(writer: ValueWriter, value: AmqpValue): void {
  if (value === null) writer.null();
  else if (typeof value === 'boolean') writer.boolean(value);
  else if (typeof value === 'string') writer.string(value);
  else if (typeof value === 'number') writeNumber(writer, value);
  else if (value instanceof Uint8Array) writer.binary(value);
  else if (value instanceof Map) {
    writer.map();
    for (const [key, entry] of value as InquiryFields) {
      writeValue(writer, key);
      writeValue(writer, entry);
    }
    writer.end(2 * value.size);
  } else if (isList(value)) {
    writer.list();
    for (const entry of value) writeValue(writer, entry);
    writer.end(value.length);
  } else throw new Error('bug: an inquiry has only plain values');
}

function writeNumber(writer: ValueWriter, value: number): void {
  if (!Number.isSafeInteger(value)) writer.double(value);
  else if (value < 0) writer.long(value);
  else writer.ulong(value);
}

function isList(value: AmqpValue): value is readonly AmqpValue[] {
  return Array.isArray(value);
}

/** Reads a message from its first section behind the router annotations on. Throws ProtocolViolation. */
export function decodeInquiry(bytes: Uint8Array): InquiryContent {
  const reader = new ValueReader(bytes);
  let properties: InquiryFields = noFields;
  let body: InquiryFields | undefined;
  while (!reader.atEnd) {
    const section = reader.readDescriptor();
    const value = reader.readValue();
    if (section === Descriptor.applicationProperties) properties = mapIn(value);
    if (section === Descriptor.amqpValue) body = mapIn(value);
  }
  if (body === undefined) throw new ProtocolViolation(Condition.decodeError, 'the message has no map in its body');
  return { properties, body };
}

function mapIn(value: AmqpValue): InquiryFields {
  if (value instanceof Map) return value as InquiryFields;
  throw new ProtocolViolation(Condition.decodeError, 'a map is expected');
}

// ---- fields: what comes from the network may be anything ----

/** A text of at most `maximumLength` UTF-16 units; undefined for anything else. */
export function textField(fields: InquiryFields, key: string, maximumLength = 256): string | undefined {
  const value = fields.get(key);
  return typeof value === 'string' && value.length <= maximumLength ? value : undefined;
}

/** A finite number; undefined for anything else. */
export function numberField(fields: InquiryFields, key: string): number | undefined {
  const value = fields.get(key);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Texts of a list, at most `maximumCount`; empty when there is no list. */
export function textsField(fields: InquiryFields, key: string, maximumCount: number): readonly string[] {
  const value = fields.get(key);
  if (value === undefined || !isList(value)) return [];
  return value.filter((text): text is string => typeof text === 'string' && text.length <= 256).slice(0, maximumCount);
}

/** Maps of a list, at most `maximumCount`; empty when there is no list. */
export function recordsField(fields: InquiryFields, key: string, maximumCount: number): readonly InquiryFields[] {
  const value = fields.get(key);
  if (value === undefined || !isList(value)) return [];
  return value.filter((entry): entry is InquiryFields => entry instanceof Map).slice(0, maximumCount);
}
