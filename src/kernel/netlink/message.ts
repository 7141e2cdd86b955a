import { assert } from '../../base/errors.ts';
import { Attributes, viewOf } from './attributes.ts';
import { type NetlinkError, netlinkError, replyError } from './netlink-error.ts';

/*
 * struct nlmsghdr, host order, messages begin at multiples of 4 octets (netlink(7)):
 *
 *   u32 length (with this header) | u16 type | u16 flags | u32 sequence | u32 port | body
 *
 * NLMSG_ERROR (2), also the acknowledgement, whose error is 0:
 *
 *   i32 error (negative) | the request's header (and its body unless flag 0x100) | attributes if flag 0x200: 1 text, 2 offset
 *
 * NLMSG_DONE (3) ends a dump: i32 error or 0 | attributes if flag 0x200
 */

export const headerBytes = 16;

export const messageFlags = {
  request: 0x1,
  multipart: 0x2,
  acknowledge: 0x4,
  dumpInterrupted: 0x10,
  cappedError: 0x100,
  errorAttributes: 0x200,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
} as const;

export const messageTypes = { error: 2, done: 3 } as const;

const errorAttributes = { message: 1 } as const;

/** What is asked of the kernel. The socket adds the header. */
export interface NetlinkRequest {
  readonly type: number;
  /** Beyond `request` and `acknowledge`, which every request has. */
  readonly flags: number;
  readonly body: Uint8Array;
  /** What it does, for errors: `adding address 10.0.0.2/24 to link 5`. */
  readonly what: string;
}

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** A view of what was received. */
  readonly body: Uint8Array;
}

/** Requests as they are sent, one behind the other. The first has sequence number `firstSequence`, the others follow. */
export function encodeRequests(requests: readonly NetlinkRequest[], firstSequence: number, extraFlags: number): Uint8Array {
  let total = 0;
  for (const { body } of requests) total += headerBytes + ((body.length + 3) & ~3);
  const bytes = new Uint8Array(total);
  const view = viewOf(bytes);
  let at = 0;
  requests.forEach(({ type, flags, body }, index) => {
    view.setUint32(at, headerBytes + body.length, true);
    view.setUint16(at + 4, type, true);
    view.setUint16(at + 6, messageFlags.request | extraFlags | flags, true);
    view.setUint32(at + 8, firstSequence + index, true);
    bytes.set(body, at + headerBytes);
    at += headerBytes + ((body.length + 3) & ~3);
  });
  return bytes;
}

/** The messages of one datagram. Throws NetlinkError `netlink-reply` when a length does not fit. */
export function decodeMessages(bytes: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  const view = viewOf(bytes);
  let at = 0;
  while (at + headerBytes <= bytes.length) {
    const length = view.getUint32(at, true);
    if (length < headerBytes || length > bytes.length - at) throw replyError('netlink message', `length ${length} does not fit`);
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      body: bytes.subarray(at + headerBytes, at + length),
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

/** What an NLMSG_ERROR or NLMSG_DONE says; undefined for success. */
export function decodeError(message: NetlinkMessage, what: string): NetlinkError | undefined {
  assert(message.type === messageTypes.error || message.type === messageTypes.done, 'an error is read from another message');
  const { body, flags } = message;
  // A NLMSG_DONE of old kernels is empty.
  if (body.length < 4) return message.type === messageTypes.done ? undefined : replyError(what, 'an acknowledgement is too short');
  const view = viewOf(body);
  const errorNumber = -view.getInt32(0, true);
  if (errorNumber === 0) return undefined;
  return netlinkError(what, errorNumber, errorMessage(message.type, flags, body));
}

function errorMessage(type: number, flags: number, body: Uint8Array): string | undefined {
  if ((flags & messageFlags.errorAttributes) === 0) return undefined;
  let at = 4;
  if (type === messageTypes.error) {
    if (body.length < at + headerBytes) return undefined;
    const requestBytes = viewOf(body).getUint32(at, true);
    at += (flags & messageFlags.cappedError) === 0 ? (requestBytes + 3) & ~3 : headerBytes;
  }
  return at < body.length ? new Attributes(body.subarray(at)).text(errorAttributes.message) : undefined;
}
