import { Descriptor } from '../../amqp/constants.ts';
import { ValueWriter } from '../../amqp/value-writer.ts';
import { AnnotationFlag } from '../../forwarding/router-annotations.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';

/** Marks a message whose body is the octets of a TCP connection. */
export const octetStream = 'application/octet-stream';

/**
 * The sections in front of a stream's octets:
 *
 *     properties             [null, null, to, null, reply-to?, correlation-id?, content-type]
 *     application-properties {"V": uint 1}
 *     amqp-value             null
 *     octets...              no sections, straight into further frames
 */
export function encodeStreamStart(
  to: string,
  replyTo: string | null,
  correlationId: string | null,
  contentType: string = octetStream,
): Uint8Array {
  const writer = new ValueWriter(192);
  writer.descriptor(Descriptor.properties);
  writer.list();
  writer.null();
  writer.null();
  writer.string(to);
  writer.null();
  if (replyTo === null) writer.null();
  else writer.string(replyTo);
  if (correlationId === null) writer.null();
  else writer.string(correlationId);
  writer.string(contentType);
  writer.end(7);
  writer.descriptor(Descriptor.applicationProperties);
  writer.map();
  writer.string('V');
  writer.uint(1);
  writer.end(2);
  writer.descriptor(Descriptor.amqpValue);
  writer.null();
  return writer.take();
}

/** `00 53 77 40`: the amqp-value null in front of the octets. */
export const bodyMarkBytes = 4;

/** The head of a stream that starts here with `start` (of `encodeStreamStart`, of the same content type), as forwarding wants it. */
export function streamHead(
  to: string,
  replyTo: string | null,
  correlationId: string | null,
  start: Uint8Array,
  contentType: string = octetStream,
): MessageHead {
  return {
    annotations: {
      flags: AnnotationFlag.streaming | AnnotationFlag.disableQ2,
      toOverride: null,
      ingress: null,
      trace: [],
      ingressMesh: null,
    },
    annotationsEnd: 0,
    priority: 4,
    to,
    replyTo,
    correlationId,
    contentType,
    bodyStart: start.length - bodyMarkBytes,
  };
}
