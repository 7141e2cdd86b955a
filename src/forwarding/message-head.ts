import { ProtocolViolation } from '../base/errors.ts';
import { Code, Condition, Descriptor } from '../amqp/constants.ts';
import type { ValueReader } from '../amqp/value-reader.ts';
import { decodeAnnotations } from './router-annotations.ts';
import type { KeptAnnotations, RouterAnnotations } from './router-annotations.ts';

/** Longest address or correlation-id that is read. */
const maxTextLength = 1024;

/**
 * What a router reads of a message: the sections before its body (§3.2), as far as they matter here.
 *
 *     router-annotations? header? delivery-annotations? message-annotations? properties? application-properties? body...
 */
export interface MessageHead {
  readonly annotations: RouterAnnotations;
  /** Where the router annotations end, from the start of the message: what follows is forwarded as it is. */
  readonly annotationsEnd: number;
  /** Header, §3.2.1: 0 to 9; 4 when absent. */
  readonly priority: number;
  readonly to: string | null;
  readonly replyTo: string | null;
  readonly correlationId: string | null;
  readonly contentType: string | null;
  /** Where the body's first section starts, likewise. */
  readonly bodyStart: number;
}

/**
 * Reads the sections up to the body. Throws ProtocolViolation when the bytes end before the body starts or are malformed; `HeadScanner`
 * tells which. `kept` spares reading annotations that come again. `isWhole`: nothing of the message follows, and it may be without a body,
 * as questions of some collectors of flow records are; its body then starts at its end.
 */
export function decodeHead(reader: ValueReader, kept?: KeptAnnotations, isWhole = false): MessageHead {
  const start = reader.position;
  const annotations = kept === undefined ? decodeAnnotations(reader) : kept.decode(reader);
  const annotationsEnd = reader.position - start;
  let priority = 4;
  let to: string | null = null;
  let replyTo: string | null = null;
  let correlationId: string | null = null;
  let contentType: string | null = null;
  for (;;) {
    const bodyStart = reader.position - start;
    if (isWhole && reader.position === reader.end && bodyStart > annotationsEnd) {
      return { annotations, annotationsEnd, priority, to, replyTo, correlationId, contentType, bodyStart };
    }
    const section = reader.readDescriptor();
    switch (section) {
      case Descriptor.header: {
        const count = reader.enterList();
        const end = reader.endOfList;
        if (count > 1) {
          if (!reader.skipNull()) reader.readBoolean();
          if (!reader.skipNull()) priority = Math.min(9, reader.readUint());
        }
        skipTo(reader, end);
        break;
      }
      case Descriptor.deliveryAnnotations:
      case Descriptor.messageAnnotations:
      case Descriptor.applicationProperties:
        skipMap(reader);
        break;
      case Descriptor.properties: {
        const count = reader.enterList();
        const end = reader.endOfList;
        if (end > reader.end) throw new ProtocolViolation(Condition.decodeError, 'properties are cut short');
        for (let index = 0; index < count && index < 7; index++) {
          if (reader.skipNull()) continue;
          if (index === 2) to = reader.readText(maxTextLength);
          else if (index === 4) replyTo = reader.readText(maxTextLength);
          else if (index === 5) {
            const value = reader.readValue();
            correlationId = typeof value === 'string' ? value : null;
          } else if (index === 6) contentType = reader.readText(maxTextLength);
          else reader.skip();
        }
        skipTo(reader, end);
        break;
      }
      case Descriptor.data:
      case Descriptor.amqpSequence:
      case Descriptor.amqpValue:
        return { annotations, annotationsEnd, priority, to, replyTo, correlationId, contentType, bodyStart };
      default:
        throw new ProtocolViolation(Condition.decodeError, 'message has no body section where one is expected');
    }
  }
}

function skipMap(reader: ValueReader): void {
  const code = reader.bytes[reader.position];
  if (code !== Code.map8 && code !== Code.map32) throw new ProtocolViolation(Condition.decodeError, 'a section of annotations is a map');
  reader.skip();
}

function skipTo(reader: ValueReader, end: number): void {
  if (end > reader.end) throw new ProtocolViolation(Condition.decodeError, 'section is cut short');
  reader.position = end;
}
