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
}

/** OPEN, §2.7.1: what the peer announced. Absent fields have the defaults of the specification. */
export interface Open {
  readonly containerId: string;
  readonly hostname: string | null;
  readonly maxFrameSize: number;
  readonly channelMax: number;
  /** 0 = none. */
  readonly idleTimeoutMs: number;
  readonly offeredCapabilities: readonly string[];
  readonly desiredCapabilities: readonly string[];
  readonly properties: ReadonlyMap<string, AmqpValue>;
}

/** BEGIN, §2.7.2. */
export interface Begin {
  /** -1 when the peer begins the session. */
  readonly remoteChannel: number;
  readonly nextOutgoingId: number;
  readonly incomingWindow: number;
  readonly outgoingWindow: number;
  readonly handleMax: number;
}

/** Source or target, §3.5.3 and §3.5.4: the fields that routers look at, and the whole encoding, to be echoed. */
export interface Terminus {
  readonly present: boolean;
  readonly address: string | null;
  readonly dynamic: boolean;
  readonly coordinator: boolean;
  readonly capabilities: readonly string[];
  /** A copy of the encoded terminus (or of null). */
  readonly encoded: Uint8Array;
}

/** ATTACH, §2.7.3. */
export interface Attach {
  readonly name: string;
  readonly handle: number;
  /** True: the peer receives. */
  readonly receiver: boolean;
  readonly sendSettleMode: number;
  readonly receiveSettleMode: number;
  readonly source: Terminus;
  readonly target: Terminus;
  readonly initialDeliveryCount: number;
  readonly maxMessageSize: number;
}

/** FLOW, §2.7.4. -1 stands for an absent number. */
export interface Flow {
  readonly nextIncomingId: number;
  readonly incomingWindow: number;
  readonly nextOutgoingId: number;
  readonly outgoingWindow: number;
  readonly handle: number;
  readonly deliveryCount: number;
  readonly linkCredit: number;
  readonly available: number;
  readonly drain: boolean;
  readonly echo: boolean;
}

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

/** Enters a performative's list; `reader.endOfList` is where it ends. */
function fields(reader: ValueReader): number {
  return reader.enterList();
}

function missing(name: string, field: string): ProtocolViolation {
  return new ProtocolViolation(Condition.invalidField, `${name} has no ${field}`);
}

function readSymbols(reader: ValueReader): readonly string[] {
  const value = reader.readValue();
  if (value === null) return [];
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) throw new ProtocolViolation(Condition.invalidField, 'capabilities must be symbols');
  if (value.length > maxCapabilities) throw new ProtocolViolation(Condition.resourceLimitExceeded, 'too many capabilities');
  return (value as readonly AmqpValue[]).filter((symbol) => typeof symbol === 'string');
}

export function decodeOpen(reader: ValueReader): Open {
  const count = fields(reader);
  const end = reader.endOfList;
  let containerId: string | undefined;
  let hostname: string | null = null;
  let maxFrameSize = 0xffffffff;
  let channelMax = 65535;
  let idleTimeoutMs = 0;
  let offered: readonly string[] = [];
  let desired: readonly string[] = [];
  let properties: ReadonlyMap<string, AmqpValue> = new Map();
  for (let index = 0; index < count; index++) {
    if (reader.skipNull()) continue;
    switch (index) {
      case 0:
        containerId = reader.readText(maxNameLength);
        break;
      case 1:
        hostname = reader.readText(maxNameLength);
        break;
      case 2:
        maxFrameSize = reader.readUint();
        break;
      case 3:
        channelMax = reader.readUint();
        break;
      case 4:
        idleTimeoutMs = reader.readUint();
        break;
      case 7:
        offered = readSymbols(reader);
        break;
      case 8:
        desired = readSymbols(reader);
        break;
      case 9: {
        const value = reader.readValue();
        if (!(value instanceof Map)) throw new ProtocolViolation(Condition.invalidField, 'open properties must be a map');
        properties = value as ReadonlyMap<string, AmqpValue>;
        break;
      }
      default:
        reader.skip();
    }
  }
  endFields(reader, end, 'open');
  if (containerId === undefined || containerId === '') throw missing('open', 'container-id');
  if (maxFrameSize < 512) throw new ProtocolViolation(Condition.invalidField, 'max-frame-size is below 512');
  return {
    containerId,
    hostname,
    maxFrameSize,
    channelMax,
    idleTimeoutMs,
    offeredCapabilities: offered,
    desiredCapabilities: desired,
    properties,
  };
}

function endFields(reader: ValueReader, end: number, name: string): void {
  if (reader.position !== end) throw new ProtocolViolation(Condition.decodeError, `${name} does not end where its size says`);
}

export interface OpenParameters {
  readonly containerId: string;
  readonly hostname: string | null;
  readonly maxFrameSize: number;
  readonly channelMax: number;
  readonly idleTimeoutMs: number;
  readonly capabilities: readonly string[];
  /** Writes the properties map; undefined sends none. */
  readonly writeProperties?: (writer: ValueWriter) => void;
}

export function encodeOpen(writer: ValueWriter, open: OpenParameters): void {
  writer.descriptor(Descriptor.open);
  writer.list();
  writer.string(open.containerId);
  if (open.hostname === null) writer.null();
  else writer.string(open.hostname);
  writer.uint(open.maxFrameSize);
  writer.ushort(open.channelMax);
  if (open.idleTimeoutMs === 0) writer.null();
  else writer.uint(open.idleTimeoutMs);
  writer.null();
  writer.null();
  writer.symbolArray(open.capabilities);
  writer.symbolArray(open.capabilities);
  if (open.writeProperties === undefined) writer.null();
  else open.writeProperties(writer);
  writer.end(10);
}

export function decodeBegin(reader: ValueReader): Begin {
  const count = fields(reader);
  const end = reader.endOfList;
  let remoteChannel = -1;
  let nextOutgoingId = -1;
  let incomingWindow = -1;
  let outgoingWindow = -1;
  let handleMax = 0xffffffff;
  for (let index = 0; index < count; index++) {
    if (reader.skipNull()) continue;
    switch (index) {
      case 0:
        remoteChannel = reader.readUint();
        break;
      case 1:
        nextOutgoingId = reader.readUint();
        break;
      case 2:
        incomingWindow = reader.readUint();
        break;
      case 3:
        outgoingWindow = reader.readUint();
        break;
      case 4:
        handleMax = reader.readUint();
        break;
      default:
        reader.skip();
    }
  }
  endFields(reader, end, 'begin');
  if (nextOutgoingId < 0) throw missing('begin', 'next-outgoing-id');
  if (incomingWindow < 0) throw missing('begin', 'incoming-window');
  if (outgoingWindow < 0) throw missing('begin', 'outgoing-window');
  return { remoteChannel, nextOutgoingId, incomingWindow, outgoingWindow, handleMax };
}

export function encodeBegin(writer: ValueWriter, begin: Begin): void {
  writer.descriptor(Descriptor.begin);
  writer.list();
  if (begin.remoteChannel < 0) writer.null();
  else writer.ushort(begin.remoteChannel);
  writer.uint(begin.nextOutgoingId);
  writer.uint(begin.incomingWindow);
  writer.uint(begin.outgoingWindow);
  writer.uint(begin.handleMax);
  writer.end(5);
}

const nullEncoded = Uint8Array.of(0x40);
const absentTerminus: Terminus = {
  present: false,
  address: null,
  dynamic: false,
  coordinator: false,
  capabilities: [],
  encoded: nullEncoded,
};

/** Reads the fields by their place: address 0, dynamic 4, capabilities 10 of a source and 6 of a target. */
function decodeTerminus(reader: ValueReader): Terminus {
  const start = reader.position;
  const descriptor = reader.readDescriptor();
  if (descriptor !== Descriptor.source && descriptor !== Descriptor.target && descriptor !== Descriptor.coordinator) {
    throw new ProtocolViolation(Condition.invalidField, 'source or target is of an unknown kind');
  }
  const count = reader.enterList();
  const end = reader.endOfList;
  let address: string | null = null;
  let dynamic = false;
  let capabilities: readonly string[] = [];
  const capabilitiesIndex = descriptor === Descriptor.source ? 10 : 6;
  for (let index = 0; index < count; index++) {
    if (reader.skipNull()) continue;
    if (descriptor === Descriptor.coordinator) reader.skip();
    else if (index === 0) address = reader.readText(maxNameLength);
    else if (index === 4) dynamic = reader.readBoolean();
    else if (index === capabilitiesIndex) capabilities = readSymbols(reader);
    else reader.skip();
  }
  endFields(reader, end, 'source or target');
  return {
    present: true,
    address,
    dynamic,
    coordinator: descriptor === Descriptor.coordinator,
    capabilities,
    encoded: reader.bytes.slice(start, reader.position),
  };
}

export function decodeAttach(reader: ValueReader): Attach {
  const count = fields(reader);
  const end = reader.endOfList;
  let name: string | undefined;
  let handle = -1;
  let receiver: boolean | undefined;
  let sendSettleMode = 2;
  let receiveSettleMode = 0;
  let source = absentTerminus;
  let target = absentTerminus;
  let initialDeliveryCount = 0;
  let maxMessageSize = 0;
  for (let index = 0; index < count; index++) {
    if (reader.skipNull()) continue;
    switch (index) {
      case 0:
        name = reader.readText(maxNameLength);
        break;
      case 1:
        handle = reader.readUint();
        break;
      case 2:
        receiver = reader.readBoolean();
        break;
      case 3:
        sendSettleMode = reader.readUint();
        break;
      case 4:
        receiveSettleMode = reader.readUint();
        break;
      case 5:
        source = decodeTerminus(reader);
        break;
      case 6:
        target = decodeTerminus(reader);
        break;
      case 9:
        initialDeliveryCount = reader.readUint();
        break;
      case 10: {
        const size = reader.readValue();
        if (typeof size === 'number') maxMessageSize = size;
        break;
      }
      default:
        reader.skip();
    }
  }
  endFields(reader, end, 'attach');
  if (name === undefined) throw missing('attach', 'name');
  if (handle < 0) throw missing('attach', 'handle');
  if (receiver === undefined) throw missing('attach', 'role');
  return { name, handle, receiver, sendSettleMode, receiveSettleMode, source, target, initialDeliveryCount, maxMessageSize };
}

export interface AttachParameters {
  readonly name: string;
  readonly handle: number;
  readonly receiver: boolean;
  /** Encoded source and target, see `encodeTerminus`. */
  readonly source: Uint8Array;
  readonly target: Uint8Array;
}

/** Settle modes are always mixed (2) and first (0), as routers use them. */
export function encodeAttach(writer: ValueWriter, attach: AttachParameters): void {
  writer.descriptor(Descriptor.attach);
  writer.list();
  writer.string(attach.name);
  writer.uint(attach.handle);
  writer.boolean(attach.receiver);
  writer.ubyte(2);
  writer.ubyte(0);
  writer.raw(attach.source);
  writer.raw(attach.target);
  writer.null();
  writer.null();
  if (attach.receiver) writer.null();
  else writer.uint(0);
  writer.ulong(0);
  writer.end(11);
}

/** A source or target with an address and one capability, both optional. */
export function encodeTerminus(
  writer: ValueWriter,
  descriptor: typeof Descriptor.source | typeof Descriptor.target,
  address: string | null,
  capability: string | null,
  dynamic = false,
): void {
  writer.descriptor(descriptor);
  writer.list();
  if (address === null) writer.null();
  else writer.string(address);
  writer.uint(0);
  writer.symbol('link-detach');
  writer.uint(0);
  writer.boolean(dynamic);
  writer.null();
  if (descriptor === Descriptor.source) {
    for (let index = 6; index < 10; index++) writer.null();
  }
  if (capability === null) writer.null();
  else writer.symbol(capability);
  writer.end(descriptor === Descriptor.source ? 11 : 7);
}

export function decodeFlow(reader: ValueReader): Flow {
  const count = fields(reader);
  const end = reader.endOfList;
  const numbers = [-1, -1, -1, -1, -1, -1, -1, -1];
  let drain = false;
  let echo = false;
  for (let index = 0; index < count; index++) {
    if (reader.skipNull()) continue;
    if (index < 8) numbers[index] = reader.readUint();
    else if (index === 8) drain = reader.readBoolean();
    else if (index === 9) echo = reader.readBoolean();
    else reader.skip();
  }
  endFields(reader, end, 'flow');
  if (numbers[1] < 0) throw missing('flow', 'incoming-window');
  return {
    nextIncomingId: numbers[0],
    incomingWindow: numbers[1],
    nextOutgoingId: numbers[2],
    outgoingWindow: numbers[3],
    handle: numbers[4],
    deliveryCount: numbers[5],
    linkCredit: numbers[6],
    available: numbers[7],
    drain,
    echo,
  };
}

/** `handle` -1: a flow of the session alone. */
export function encodeFlow(writer: ValueWriter, flow: Flow): void {
  writer.descriptor(Descriptor.flow);
  writer.list();
  if (flow.nextIncomingId < 0) writer.null();
  else writer.uint(flow.nextIncomingId);
  writer.uint(flow.incomingWindow);
  writer.uint(flow.nextOutgoingId);
  writer.uint(flow.outgoingWindow);
  if (flow.handle < 0) {
    writer.end(4);
    return;
  }
  writer.uint(flow.handle);
  writer.uint(flow.deliveryCount);
  writer.uint(flow.linkCredit);
  writer.uint(0);
  writer.boolean(flow.drain);
  writer.end(9);
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
  const count = fields(reader);
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
      reader.skip();
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

function readUlong(reader: ValueReader): number {
  const value = reader.readValue();
  if (typeof value !== 'number' || value < 0) throw new ProtocolViolation(Condition.invalidField, 'section-offset must be a number');
  return value;
}

export function encodeDisposition(
  writer: ValueWriter,
  receiver: boolean,
  deliveryId: number,
  settled: boolean,
  state: DeliveryState,
  sectionOffset: number,
  error: AmqpError | undefined,
): void {
  writer.descriptor(Descriptor.disposition);
  writer.list();
  writer.boolean(receiver);
  writer.uint(deliveryId);
  writer.null();
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
  } else {
    writer.byte(0x45);
  }
  writer.end(5);
}

/** DETACH §2.7.7 (with handle and closed), END §2.7.8 and CLOSE §2.7.9: an optional error. */
export interface Ending {
  readonly handle: number;
  readonly closed: boolean;
  readonly error: AmqpError | undefined;
}

export function decodeDetach(reader: ValueReader): Ending {
  const count = fields(reader);
  const end = reader.endOfList;
  let handle = -1;
  let closed = false;
  let error: AmqpError | undefined;
  for (let index = 0; index < count; index++) {
    if (reader.skipNull()) continue;
    if (index === 0) handle = reader.readUint();
    else if (index === 1) closed = reader.readBoolean();
    else if (index === 2) error = decodeError(reader);
    else reader.skip();
  }
  endFields(reader, end, 'detach');
  if (handle < 0) throw missing('detach', 'handle');
  return { handle, closed, error };
}

export function encodeDetach(writer: ValueWriter, handle: number, closed: boolean, error: AmqpError | undefined): void {
  writer.descriptor(Descriptor.detach);
  writer.list();
  writer.uint(handle);
  writer.boolean(closed);
  if (error === undefined) {
    writer.end(2);
    return;
  }
  encodeError(writer, error);
  writer.end(3);
}

/** The error of END or CLOSE. */
export function decodeEnding(reader: ValueReader, name: string): AmqpError | undefined {
  const count = fields(reader);
  const end = reader.endOfList;
  let error: AmqpError | undefined;
  for (let index = 0; index < count; index++) {
    if (reader.skipNull()) continue;
    if (index === 0) error = decodeError(reader);
    else reader.skip();
  }
  endFields(reader, end, name);
  return error;
}

export function encodeEnding(
  writer: ValueWriter,
  descriptor: typeof Descriptor.end | typeof Descriptor.close,
  error: AmqpError | undefined,
): void {
  writer.descriptor(descriptor);
  if (error === undefined) {
    writer.byte(0x45);
    return;
  }
  writer.list();
  encodeError(writer, error);
  writer.end(1);
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

function encodeError(writer: ValueWriter, error: AmqpError): void {
  writer.descriptor(Descriptor.error);
  writer.list();
  writer.symbol(error.condition);
  writer.string(error.description);
  writer.end(2);
}
