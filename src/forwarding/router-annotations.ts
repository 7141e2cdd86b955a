import { ProtocolViolation } from '../base/errors.ts';
import { Condition } from '../amqp/constants.ts';
import type { ValueWriter } from '../amqp/value-writer.ts';
import type { ValueReader } from '../amqp/value-reader.ts';

/** Flags of the first field; others pass through. */
export const AnnotationFlag = { streaming: 1, resendReleased: 2, disableQ2: 4 } as const;

/** Longest router id, address or mesh id, in bytes. */
const maxTextLength = 1024;
/** Routers a message may pass; a longer trace is a loop whatever the topology. */
export const maxTraceLength = 256;

/**
 * The section in front of every message between routers:
 *
 *     00 80 "SKPR--RA"  list [ flags:uint  to-override:string|null  ingress:string|null  trace:list of string  ingress-mesh:string? ]
 *
 * Names in ingress and trace have the form `0/<router id>`.
 */
export interface RouterAnnotations {
  readonly flags: number;
  readonly toOverride: string | null;
  readonly ingress: string | null;
  readonly trace: readonly string[];
  readonly ingressMesh: string | null;
}

export const noAnnotations: RouterAnnotations = { flags: 0, toOverride: null, ingress: null, trace: [], ingressMesh: null };

const descriptor = Uint8Array.of(0x00, 0x80, 0x53, 0x4b, 0x50, 0x52, 0x2d, 0x2d, 0x52, 0x41);

/** True when the whole descriptor of router annotations is at the start. */
export function startsWithAnnotations(bytes: Uint8Array): boolean {
  for (let index = 0; index < descriptor.length; index++) if (bytes[index] !== descriptor[index]) return false;
  return true;
}

/** Reads the section if it is there (only its 8-byte descriptor counts); otherwise nothing is read and there are no annotations. */
export function decodeAnnotations(reader: ValueReader): RouterAnnotations {
  const start = reader.position;
  const bytes = reader.bytes;
  for (let index = 0; index < descriptor.length; index++) {
    if (start + index >= reader.end && index > 1) throw invalid('router annotations are cut short');
    if (bytes[start + index] !== descriptor[index]) return noAnnotations;
  }
  reader.position = start + descriptor.length;
  const count = reader.enterList();
  const end = reader.endOfList;
  if (count < 4) throw invalid('router annotations have fewer than 4 fields');
  const flags = reader.readUint();
  const toOverride = reader.skipNull() ? null : reader.readText(maxTextLength);
  const ingress = reader.skipNull() ? null : reader.readText(maxTextLength);
  const trace: string[] = [];
  const traceCount = reader.enterList();
  const traceEnd = reader.endOfList;
  if (traceCount > maxTraceLength) throw invalid(`trace of ${traceCount} routers`);
  for (let index = 0; index < traceCount; index++) trace.push(reader.readText(maxTextLength));
  if (reader.position !== traceEnd) throw invalid('trace does not end where its size says');
  const ingressMesh = count > 4 ? reader.readText(maxTextLength) : null;
  if (reader.position > end) throw invalid('fields of router annotations go beyond their list');
  reader.position = end;
  return { flags, toOverride, ingress, trace, ingressMesh };
}

/** Longer sections are not kept. */
const maxKeptBytes = 512;

/**
 * The annotations that were read last, with their octets: message after message of a neighbour has the same ones, and to compare them costs
 * less than to read them.
 */
export class KeptAnnotations {
  #annotations: RouterAnnotations = noAnnotations;
  readonly #octets = new Uint8Array(maxKeptBytes);
  #length = 0;

  /** As `decodeAnnotations`. */
  decode(reader: ValueReader): RouterAnnotations {
    const { bytes, position } = reader;
    const octets = this.#octets;
    const length = this.#length;
    if (length > 0 && position + length <= reader.end) {
      let at = 0;
      while (at < length && octets[at] === bytes[position + at]) at++;
      if (at === length) {
        reader.position = position + length;
        return this.#annotations;
      }
    }
    const annotations = decodeAnnotations(reader);
    const read = reader.position - position;
    if (read > 0 && read <= maxKeptBytes) {
      for (let at = 0; at < read; at++) octets[at] = bytes[position + at];
      this.#length = read;
      this.#annotations = annotations;
    }
    return annotations;
  }
}

function invalid(description: string): ProtocolViolation {
  return new ProtocolViolation(Condition.invalidField, description);
}

/** Writes the section; `trace` must already contain the sender. */
export function encodeAnnotations(writer: ValueWriter, annotations: RouterAnnotations): void {
  writer.raw(descriptor);
  writer.list();
  writer.uint(annotations.flags);
  if (annotations.toOverride === null) writer.null();
  else writer.string(annotations.toOverride);
  if (annotations.ingress === null) writer.null();
  else writer.string(annotations.ingress);
  writer.list();
  for (const router of annotations.trace) writer.string(router);
  writer.end(annotations.trace.length);
  if (annotations.ingressMesh === null) {
    writer.end(4);
    return;
  }
  writer.string(annotations.ingressMesh);
  writer.end(5);
}
