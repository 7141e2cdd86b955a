import { ProtocolViolation } from '../../base/errors.ts';
import { Condition } from '../../amqp/constants.ts';
import type { ServerView } from '../balancing/balanced-server.ts';
import { RecordKind } from './message-writer.ts';
import type { MessageWriter } from './message-writer.ts';

/**
 * Routers tell each other of their servers in messages to a router's address `services` and back to the reply address, one record each:
 *
 *     watch     the service address, UTF-8
 *     servers   u16 count   (u8 id length, u8 flags (1 ready), u16 priority, u32 others, u32 overflow, u32 max requests, id)*
 */
export const servicesName = 'services';

/** Longest service address. */
export const maxAddressBytes = 1_024;
/** Servers that one router tells of for one address. */
export const maxViewedServers = 1_024;
const maxIdLength = 64;
const fixedBytes = 16;
const readyFlag = 1;

const decoder = new TextDecoder('utf-8', { fatal: true });

export function encodeWatch(writer: MessageWriter, address: string): void {
  const start = writer.beginRecord(RecordKind.watch);
  writer.reserve(3 * address.length);
  writer.text(address);
  writer.endRecord(start);
}

/** The service address. Throws ProtocolViolation. */
export function decodeWatch(bytes: Uint8Array, start: number, end: number): string {
  if (end === start || end - start > maxAddressBytes) throw violation('an address has 1 to 1024 octets');
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    throw violation('an address is no UTF-8');
  }
}

/** At most `maxViewedServers`. */
export function encodeServers(writer: MessageWriter, servers: readonly ServerView[]): void {
  const start = writer.beginRecord(RecordKind.servers);
  writer.reserve(2);
  writer.uint16(servers.length);
  for (const { id, ready, priority, others, overflow, maxRequests } of servers) {
    writer.reserve(fixedBytes + 3 * id.length);
    writer.uint8(id.length);
    writer.uint8(ready ? readyFlag : 0);
    writer.uint16(priority);
    writer.uint32(others);
    writer.uint32(overflow);
    writer.uint32(maxRequests);
    writer.text(id);
  }
  writer.endRecord(start);
}

/** Throws ProtocolViolation. */
export function decodeServers(bytes: Uint8Array, start: number, end: number): ServerView[] {
  if (end - start < 2) throw violation('a list of servers is cut short');
  const count = (bytes[start] << 8) | bytes[start + 1];
  if (count > maxViewedServers) throw violation(`a list of ${count} servers; at most ${maxViewedServers} are accepted`);
  const servers: ServerView[] = [];
  let at = start + 2;
  for (let index = 0; index < count; index++) {
    const idStart = at + fixedBytes;
    const idEnd = idStart + (at < end ? bytes[at] : 0);
    if (idEnd > end) throw violation('a list of servers is cut short');
    servers.push({
      id: readId(bytes, idStart, idEnd),
      ready: (bytes[at + 1] & readyFlag) !== 0,
      priority: (bytes[at + 2] << 8) | bytes[at + 3],
      others: readUint32(bytes, at + 4),
      overflow: readUint32(bytes, at + 8),
      maxRequests: readUint32(bytes, at + 12),
    });
    at = idEnd;
  }
  if (at !== end) throw violation('a list of servers is longer than its count');
  return servers;
}

/** Becomes part of an address: nothing else may be in it than what servers are named with. */
function readId(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  let id = '';
  if (length <= maxIdLength) for (let at = start; at < end; at++) id += String.fromCharCode(bytes[at]);
  if (!/^[\w.+-]*[\w+-]$/.test(id)) throw violation('a server has an id that cannot be part of an address');
  return id;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

function violation(description: string): ProtocolViolation {
  return new ProtocolViolation(Condition.decodeError, description);
}
