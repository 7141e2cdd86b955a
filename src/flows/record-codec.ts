import { Code, Condition } from '../amqp/constants.ts';
import type { ValueReader } from '../amqp/value-reader.ts';
import type { ValueWriter } from '../amqp/value-writer.ts';
import { ProtocolViolation } from '../base/errors.ts';
import { Attribute } from './record-types.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';

/** Octets of one text in a record: a distribution of latencies with all its buckets takes 4 KiB, names and paths are cut before. */
export const maxRecordText = 8192;
/** Records of one message that is read. Routers send 50. */
export const maxDecodedRecords = 1000;
/** Attributes of one record: those known are below 110. */
const maxAttributes = 128;

// What a record costs in memory, by estimate: a map grows by doubling. Small messages must not become large objects.
const recordCost = 80;
const attributeCost = 56;
const textCost = 24;
const maxCostPerByte = 10;
const costBase = 49_152;

/**
 * Writes the body of a RECORD message:
 *
 *     body   = 00 53 77 list of record                        amqp-value
 *     record = map { attribute: value, ... }                  the record's type and identity come first
 *     attribute = uint
 *     value  = uint for attribute 0, else ulong | string
 */
export function encodeRecords(writer: ValueWriter, records: readonly RecordUpdate[]): void {
  writer.list();
  for (const record of records) {
    writer.map();
    for (const [attribute, value] of record) {
      writer.uint(attribute);
      if (typeof value === 'string') writer.string(value);
      else if (attribute === Attribute.recordType) writer.uint(value);
      else writer.ulong(value);
    }
    writer.end(2 * record.size);
  }
  writer.end(records.length);
}

/** A type is an uint on the wire; as ulong it could be told larger. */
const maxRecordType = 0xffff_ffff;

/**
 * Reads the list of records that is a message's body, whoever made it: numbers in any unsigned encoding, texts as strings or symbols.
 * Attributes with other values are skipped, and so are records without type or identity, and what stands in place of a record.
 * Throws ProtocolViolation for what is malformed or too much.
 */
export function decodeRecords(reader: ValueReader): RecordUpdate[] {
  const start = reader.position;
  const count = reader.enterList();
  const { endOfList } = reader;
  if (count > maxDecodedRecords) throw tooMuch(`${count} records in a message; at most ${maxDecodedRecords} are accepted`);
  const budget = new CostBudget(costBase + maxCostPerByte * (endOfList - start));
  const records: RecordUpdate[] = [];
  for (let index = 0; index < count; index++) {
    const record = decodeRecord(reader, budget);
    if (record !== undefined) records.push(record);
  }
  if (reader.position !== endOfList) throw malformed('list of records does not end where its size says');
  return records;
}

class CostBudget {
  #left: number;

  constructor(limit: number) {
    this.#left = limit;
  }

  charge(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0) throw tooMuch('records would need many times their encoded size in memory');
  }
}

function decodeRecord(reader: ValueReader, budget: CostBudget): RecordUpdate | undefined {
  const code = reader.bytes[reader.position];
  if (reader.atEnd || (code !== Code.map8 && code !== Code.map32)) {
    reader.skip();
    return undefined;
  }
  reader.readByte();
  const size = code === Code.map8 ? reader.readByte() : reader.readUint32();
  const end = reader.position + size;
  if (end > reader.end) throw malformed('record is longer than what holds it');
  const count = code === Code.map8 ? reader.readByte() : reader.readUint32();
  if (count % 2 !== 0) throw malformed('record has an attribute without a value');
  if (count > 2 * maxAttributes) throw tooMuch(`${count / 2} attributes in a record; at most ${maxAttributes} are accepted`);
  budget.charge(recordCost);
  const record = new Map<number, AttributeValue>();
  for (let index = 0; index < count; index += 2) {
    const attribute = readUnsigned(reader);
    const value = readAttribute(reader, budget);
    if (attribute === undefined || value === undefined) continue;
    budget.charge(attributeCost);
    record.set(attribute, value);
  }
  if (reader.position !== end) throw malformed('record does not end where its size says');
  const identity = record.get(Attribute.identity);
  const type = record.get(Attribute.recordType);
  const isWhole = typeof type === 'number' && type <= maxRecordType && typeof identity === 'string' && identity !== '';
  return isWhole ? record : undefined;
}

function readAttribute(reader: ValueReader, budget: CostBudget): AttributeValue | undefined {
  switch (reader.bytes[reader.position]) {
    case Code.string8:
    case Code.string32:
    case Code.symbol8:
    case Code.symbol32: {
      const text = reader.readText(maxRecordText);
      budget.charge(textCost + text.length);
      return text;
    }
    default:
      return readUnsigned(reader);
  }
}

/** Any unsigned integer below 2^53; undefined and skipped if the value is another. */
function readUnsigned(reader: ValueReader): number | undefined {
  const code = reader.bytes[reader.position];
  switch (code) {
    case Code.uint0:
    case Code.smallUint:
    case Code.uint:
    case Code.ubyte:
    case Code.ushort:
      return reader.readUint();
    case Code.ulong0:
      reader.readByte();
      return 0;
    case Code.smallUlong:
      reader.readByte();
      return reader.readByte();
    case Code.ulong: {
      reader.readByte();
      const high = reader.readUint32();
      const low = reader.readUint32();
      return high < 0x20_0000 ? high * 0x1_0000_0000 + low : undefined;
    }
    default:
      reader.skip();
      return undefined;
  }
}

function malformed(description: string): ProtocolViolation {
  return new ProtocolViolation(Condition.decodeError, description);
}

function tooMuch(description: string): ProtocolViolation {
  return new ProtocolViolation(Condition.resourceLimitExceeded, description);
}
