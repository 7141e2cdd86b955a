import type { Downstream, Upstream } from '../../forwarding/leg.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { bodyMarkBytes, encodeStreamStart, streamHead } from '../tcp/stream-message.ts';

/** Marks a message whose body is datagrams; its sections are those of a stream of octets (services/tcp). */
export const datagramsType = 'application/vnd.caravan.datagrams';

/** Octets of a message in front of its first record. */
export function headBytesOf(head: MessageHead): number {
  return head.bodyStart - head.annotationsEnd + bodyMarkBytes;
}

/** A message that has found its way, and the sections to send first. */
export interface StartedMessage {
  readonly downstream: Downstream;
  readonly start: Uint8Array;
}

/** Finds the way of a new message; undefined when there is none now. */
export function startMessage(
  forwarder: Forwarder,
  to: string,
  replyTo: string | null,
  correlationId: string | null,
  upstream: Upstream,
): StartedMessage | undefined {
  const start = encodeStreamStart(to, replyTo, correlationId, datagramsType);
  const downstream = forwarder.forward(streamHead(to, replyTo, correlationId, start, datagramsType), true, false, undefined, upstream);
  return typeof downstream === 'number' ? undefined : { downstream, start };
}
