import { ProtocolViolation } from '../base/errors.ts';
import { Condition, Descriptor } from './constants.ts';
import { endFields, maxNameLength, readSymbols } from './performative-fields.ts';
import type { ValueReader } from './value-reader.ts';
import type { ValueWriter } from './value-writer.ts';

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

/** The encoding of null: an absent source or target. */
export const nullEncoded: Uint8Array = Uint8Array.of(0x40);

export const absentTerminus: Terminus = {
  present: false,
  address: null,
  dynamic: false,
  coordinator: false,
  capabilities: [],
  encoded: nullEncoded,
};

/** Reads the fields by their place: address 0, dynamic 4, capabilities 10 of a source and 6 of a target. */
export function decodeTerminus(reader: ValueReader): Terminus {
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
