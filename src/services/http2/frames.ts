/**
 * Frames (RFC 9113 §4.1); numbers are big-endian:
 *
 *     u24 length   u8 type   u8 flags   u32 stream, its highest bit is nothing   length octets
 *
 *     DATA           [u8 padding length] octets [padding]
 *     HEADERS        [u8 padding length] [u32 dependency, u8 weight] fragment of a head [padding]
 *     PRIORITY       u32 dependency, u8 weight
 *     RST_STREAM     u32 error code
 *     SETTINGS       (u16 identifier, u32 value)*
 *     PUSH_PROMISE   not used: our settings say so
 *     PING           8 octets
 *     GOAWAY         u32 last stream, u32 error code, octets for people
 *     WINDOW_UPDATE  u32 increment
 *     CONTINUATION   fragment of a head
 */
export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FrameFlag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** RFC 9113 §6.5.2, and RFC 8441 §3. */
export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const;

export const frameHeaderBytes = 9;
/** Octets of one entry of SETTINGS. */
export const settingBytes = 6;
export const pingBytes = 8;
/** Octets of a dependency and a weight. */
export const priorityBytes = 5;
/** What windows have at first (§6.9.2). */
export const defaultWindowBytes = 65_535;

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** Without the highest bit, which is nothing. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return ((bytes[at] & 0x7f) << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}
