/**
 * Frames of RFC 6455 as a client sends them, right or wrong:
 *
 *     FIN RSV1-3 opcode(4) | MASK length(7) | length(16 or 64) | masking key(32) | payload
 */

export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  /** False: more fragments follow. */
  readonly isLast?: boolean;
  /** The three reserved bits, as a number. */
  readonly reserved?: number;
  /** False: unmasked, which clients must not be. */
  readonly isMasked?: boolean;
}

const maskingKey = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

function lengthOctets(length: number, mask: number): Buffer {
  if (length < 126) return Buffer.from([mask | length]);
  if (length < 65_536) return Buffer.from([mask | 126, length >>> 8, length & 255]);
  const octets = Buffer.alloc(9);
  octets[0] = mask | 127;
  octets.writeBigUInt64BE(BigInt(length), 1);
  return octets;
}

/** One frame. */
export function frame(opcode: number, payload: Uint8Array | string = '', options: FrameOptions = {}): Buffer {
  const { isLast = true, reserved = 0, isMasked = true } = options;
  const content = Buffer.from(payload);
  const first = Buffer.from([(isLast ? 0x80 : 0) | (reserved << 4) | opcode]);
  if (!isMasked) return Buffer.concat([first, lengthOctets(content.length, 0), content]);
  for (let index = 0; index < content.length; index++) content[index] ^= maskingKey[index % 4];
  return Buffer.concat([first, lengthOctets(content.length, 0x80), maskingKey, content]);
}

/** A message in fragments. */
export function fragments(opcode: number, parts: readonly (Uint8Array | string)[]): Buffer {
  const last = parts.length - 1;
  return Buffer.concat(parts.map((part, index) => frame(index === 0 ? opcode : Opcode.continuation, part, { isLast: index === last })));
}

/** A close frame with a code and a reason. */
export function close(code = 1000, reason: Uint8Array | string = ''): Buffer {
  return frame(Opcode.close, Buffer.concat([Buffer.from([code >>> 8, code & 255]), Buffer.from(reason)]));
}

/** A frame as a server sends it. */
export interface ServerFrame {
  readonly opcode: number;
  readonly isLast: boolean;
  readonly payload: Buffer;
}

/** Reads what a server has sent. Throws when it is not whole frames without mask. */
export function readFrames(octets: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = [];
  for (let at = 0; at < octets.length;) {
    const [first, second] = [octets[at], octets[at + 1]];
    at += 2;
    let length = second & 0x7f;
    if (length === 126) {
      length = octets.readUInt16BE(at);
      at += 2;
    } else if (length === 127) {
      length = Number(octets.readBigUInt64BE(at));
      at += 8;
    }
    if ((second & 0x80) !== 0 || (first & 0x70) !== 0 || at + length > octets.length) throw new Error('not a whole frame of a server');
    frames.push({ opcode: first & 15, isLast: first >= 0x80, payload: octets.subarray(at, at + length) });
    at += length;
  }
  return frames;
}
