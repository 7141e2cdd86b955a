import { ProtocolViolation } from '../base/errors.ts';
import { Condition, Descriptor } from './constants.ts';
import { decodeError, encodeError, endFields, maxNameLength, missing, readSymbols } from './performative-fields.ts';
import type { AmqpError } from './performative-fields.ts';
import { absentTerminus, decodeTerminus } from './terminus.ts';
import type { Terminus } from './terminus.ts';
import type { ValueReader } from './value-reader.ts';
import type { AmqpValue } from './value.ts';
import type { ValueWriter } from './value-writer.ts';

export type { AmqpError } from './performative-fields.ts';
export { DeliveryState } from './delivery-performatives.ts';
export { encodeTerminus } from './terminus.ts';
export type { Terminus } from './terminus.ts';

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

export function decodeOpen(reader: ValueReader): Open {
  const count = reader.enterList();
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
  if (containerId === undefined) throw missing('open', 'container-id');
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
  const count = reader.enterList();
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

export function decodeAttach(reader: ValueReader): Attach {
  const count = reader.enterList();
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

/** §2.8.2 and §2.8.3. Sender: 0 unsettled, 1 settled, 2 mixed. Receiver: 0 first, 1 second. */
export interface SettleModes {
  readonly sendSettleMode?: number;
  readonly receiveSettleMode?: number;
}

export interface AttachParameters extends SettleModes {
  readonly name: string;
  readonly handle: number;
  readonly receiver: boolean;
  /** Encoded source and target, see `encodeTerminus`. */
  readonly source: Uint8Array;
  readonly target: Uint8Array;
}

/** Settle modes that are not given are mixed (2) and first (0), as routers use them. */
export function encodeAttach(writer: ValueWriter, attach: AttachParameters): void {
  writer.descriptor(Descriptor.attach);
  writer.list();
  writer.string(attach.name);
  writer.uint(attach.handle);
  writer.boolean(attach.receiver);
  writer.ubyte(attach.sendSettleMode ?? 2);
  writer.ubyte(attach.receiveSettleMode ?? 0);
  writer.raw(attach.source);
  writer.raw(attach.target);
  writer.null();
  writer.null();
  if (attach.receiver) writer.null();
  else writer.uint(0);
  writer.ulong(0);
  writer.end(11);
}

export function decodeFlow(reader: ValueReader): Flow {
  const count = reader.enterList();
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

/** DETACH §2.7.7 (with handle and closed), END §2.7.8 and CLOSE §2.7.9: an optional error. */
export interface Ending {
  readonly handle: number;
  readonly closed: boolean;
  readonly error: AmqpError | undefined;
}

export function decodeDetach(reader: ValueReader): Ending {
  const count = reader.enterList();
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
  const count = reader.enterList();
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
