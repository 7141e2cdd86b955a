import { Condition, Descriptor } from '../amqp/constants.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import { ValueWriter } from '../amqp/value-writer.ts';
import type { AmqpValue } from '../amqp/value.ts';
import { ProtocolViolation } from '../base/errors.ts';
import { flowAddresses } from './flow-addresses.ts';
import { decodeRecords, encodeRecords } from './record-codec.ts';
import type { RecordUpdate } from './record.ts';

/** Octets of a message that is read. What routers send is below 64 KiB. */
export const maxFlowMessageBytes = 1_048_576;
/** Records of a message that is sent, as skupper-router does. */
export const maxRecordsPerMessage = 50;
/** Version of the messages. */
const messageVersion = 1;
const maxAddress = 1024;

export type FlowSubject = 'BEACON' | 'HEARTBEAT' | 'RECORD' | 'FLUSH';

/** A message that is ready to be forwarded. */
export interface OutgoingFlowMessage {
  readonly to: string;
  readonly subject: FlowSubject;
  /** The whole message, from its first section on. */
  readonly octets: Uint8Array;
  /** Where the section of the body starts. */
  readonly bodyStart: number;
  /** The router that it is for; empty or absent when it is for all who listen, or that is not known. */
  readonly routerId?: string;
}

export interface Beacon {
  readonly subject: 'BEACON';
  readonly to: string;
  readonly id: string;
  /** ROUTER, CONTROLLER or another. */
  readonly sourceType: string;
  /** Where the source sends its records. */
  readonly address: string;
  /** Where the source takes FLUSH. */
  readonly direct: string;
}

export interface Heartbeat {
  readonly subject: 'HEARTBEAT';
  readonly to: string;
  readonly id: string;
  /** The source's clock; 0 when it does not tell. */
  readonly wallMicroseconds: number;
}

export interface RecordMessage {
  readonly subject: 'RECORD';
  readonly to: string;
  readonly records: readonly RecordUpdate[];
}

export interface Flush {
  readonly subject: 'FLUSH';
  readonly to: string;
}

/** A subject that is not known. */
export interface OtherMessage {
  readonly subject: '';
  readonly to: string;
}

export type FlowMessage = Beacon | Heartbeat | RecordMessage | Flush | OtherMessage;

type PropertyValue = string | { readonly uint: number } | { readonly ulong: number };

/**
 * Writes a message, as skupper-router does (AMQP 1.0 §3.2):
 *
 *     properties             [message-id long, null, to, subject]
 *     application-properties {symbol: value}                          BEACON and HEARTBEAT
 *     amqp-value             null, or the records
 */
function message(
  messageId: number,
  to: string,
  subject: FlowSubject,
  properties: readonly (readonly [string, PropertyValue])[],
  records: readonly RecordUpdate[] | undefined,
): OutgoingFlowMessage {
  const writer = new ValueWriter(256 + (records?.length ?? 0) * 256);
  writer.descriptor(Descriptor.properties);
  writer.list();
  writer.long(messageId);
  writer.null();
  writer.string(to);
  writer.string(subject);
  writer.end(4);
  if (properties.length > 0) {
    writer.descriptor(Descriptor.applicationProperties);
    writer.map();
    for (const [name, value] of properties) {
      writer.symbol(name);
      if (typeof value === 'string') writer.string(value);
      else if ('uint' in value) writer.uint(value.uint);
      else writer.ulong(value.ulong);
    }
    writer.end(2 * properties.length);
  }
  const bodyStart = writer.length;
  writer.descriptor(Descriptor.amqpValue);
  if (records === undefined) writer.null();
  else encodeRecords(writer, records);
  return { to, subject, octets: writer.take(), bodyStart };
}

/** Tells that a source is there, and where its records are. */
export function beaconMessage(messageId: number, source: { readonly id: string; readonly type: string }): OutgoingFlowMessage {
  const { id, beacons, records, direct } = flowAddresses(source.id);
  return message(
    messageId,
    beacons,
    'BEACON',
    [
      ['v', { uint: messageVersion }],
      ['sourceType', source.type],
      ['id', id],
      ['address', records],
      ['direct', direct],
    ],
    undefined,
  );
}

/** Tells that a source is alive, and what its clock shows. */
export function heartbeatMessage(messageId: number, id: string, wallMicroseconds: number): OutgoingFlowMessage {
  return message(
    messageId,
    flowAddresses(id).records,
    'HEARTBEAT',
    [
      ['v', { uint: messageVersion }],
      ['now', { ulong: wallMicroseconds }],
      ['id', id],
    ],
    undefined,
  );
}

/** At most `maxRecordsPerMessage` records. */
export function recordMessage(messageId: number, to: string, records: readonly RecordUpdate[]): OutgoingFlowMessage {
  return message(messageId, to, 'RECORD', [], records);
}

/** Asks the source that calls itself `id` for all its records. */
export function flushMessage(messageId: number, id: string): OutgoingFlowMessage {
  return message(messageId, flowAddresses(id).direct, 'FLUSH', [], undefined);
}

/** What is read of a message before it is known what it says. */
interface Draft {
  to: string;
  subject: string;
  properties: ReadonlyMap<AmqpValue, AmqpValue>;
  records: readonly RecordUpdate[] | undefined;
}

const noProperties: ReadonlyMap<AmqpValue, AmqpValue> = new Map();

/** Reads a message from its first section on, whoever made it. Throws ProtocolViolation. */
export function readFlowMessage(octets: Uint8Array): FlowMessage {
  if (octets.length > maxFlowMessageBytes) {
    throw new ProtocolViolation(
      Condition.resourceLimitExceeded,
      `message of ${octets.length} bytes; at most ${maxFlowMessageBytes} are accepted`,
    );
  }
  const reader = new ValueReader(octets);
  const draft: Draft = { to: '', subject: '', properties: noProperties, records: undefined };
  while (!reader.atEnd) readSection(reader, draft);
  const { to, properties } = draft;
  switch (draft.subject) {
    case 'BEACON': {
      const { records, direct } = flowAddresses(required(properties, 'id'));
      return {
        subject: 'BEACON',
        to,
        id: required(properties, 'id'),
        sourceType: textOf(properties.get('sourceType')) ?? '',
        address: textOf(properties.get('address')) ?? records,
        direct: textOf(properties.get('direct')) ?? direct,
      };
    }
    case 'HEARTBEAT': {
      const now = properties.get('now');
      return { subject: 'HEARTBEAT', to, id: required(properties, 'id'), wallMicroseconds: typeof now === 'number' && now > 0 ? now : 0 };
    }
    case 'RECORD':
      if (draft.records === undefined) throw malformed('a message of records has no list of them');
      return { subject: 'RECORD', to, records: draft.records };
    case 'FLUSH':
      return { subject: 'FLUSH', to };
    default:
      return { subject: '', to };
  }
}

function readSection(reader: ValueReader, draft: Draft): void {
  switch (reader.readDescriptor()) {
    case Descriptor.properties: {
      const count = reader.enterList();
      const end = reader.endOfList;
      for (let index = 0; index < count && index < 4; index++) {
        if (reader.skipNull()) continue;
        if (index === 2) draft.to = reader.readText(maxAddress);
        else if (index === 3) draft.subject = reader.readText(maxAddress);
        else reader.skip();
      }
      if (reader.position > end) throw malformed('properties do not end where their size says');
      reader.position = end;
      return;
    }
    case Descriptor.applicationProperties: {
      const value = reader.readValue();
      if (!(value instanceof Map)) throw malformed('application properties are a map');
      draft.properties = value as ReadonlyMap<AmqpValue, AmqpValue>;
      return;
    }
    case Descriptor.amqpValue:
      // Properties come before the body: the subject is known.
      if (draft.subject === 'RECORD') draft.records = decodeRecords(reader);
      else reader.skip();
      return;
    case -1:
      throw malformed('a section is expected');
    default:
      reader.skip();
  }
}

function required(properties: ReadonlyMap<AmqpValue, AmqpValue>, name: string): string {
  const text = textOf(properties.get(name));
  if (text === undefined || text === '' || text.length > maxAddress) throw malformed(`the property ${name} is missing`);
  return text;
}

function textOf(value: AmqpValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function malformed(description: string): ProtocolViolation {
  return new ProtocolViolation(Condition.decodeError, description);
}
