import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Frames of HTTP/2 as octets (RFC 9113 §6), for clients that do what no library does. */

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const flag = { endStream: 1, ack: 1, endHeaders: 4 } as const;

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const octets = Buffer.alloc(9 + payload.length);
  octets.writeUIntBE(payload.length, 0, 3);
  octets[3] = type;
  octets[4] = flags;
  octets.writeUInt32BE(stream, 5);
  octets.set(payload, 9);
  return octets;
}

export function settings(...entries: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(entries.length * 6);
  for (const [index, [id, value]] of entries.entries()) {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return frame(frameType.settings, 0, 0, payload);
}

export function uint32(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value);
  return octets;
}

/** A field without index and without Huffman code (RFC 7541 §6.2.2); names and values of fewer than 127 octets. */
export function field(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
}

/** GET of a path. */
export function requestBlock(path = '/', method = 'GET'): Buffer {
  return Buffer.concat([field(':method', method), field(':scheme', 'http'), field(':path', path), field(':authority', 'h')]);
}

/** A client that writes frames. */
export class FrameClient {
  readonly socket: Socket;
  /** What came, the latest last; kept short. */
  received: Buffer = Buffer.alloc(0);
  closed = false;
  writtenBytes = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => (this.received = Buffer.concat([this.received, bytes]).subarray(-1024)));
    socket.on('error', () => {});
    socket.on('close', () => (this.closed = true));
  }

  static async open(port: number, ...entries: readonly (readonly [number, number])[]): Promise<FrameClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new FrameClient(socket);
    socket.write(Buffer.concat([preface, settings(...entries), frame(frameType.settings, flag.ack, 0)]));
    return client;
  }

  /** Writes as fast as it goes until the time is over or the connection is cut; whether it was cut. */
  async flood(next: (round: number) => Buffer, untilMs: number, mostBytes = Infinity): Promise<boolean> {
    for (let round = 0; !this.closed && performance.now() < untilMs && this.writtenBytes < mostBytes; round++) {
      const octets = next(round);
      this.writtenBytes += octets.length;
      if (this.socket.write(octets)) {
        // Others of this process have their turn.
        await nextTurn();
        continue;
      }
      await Promise.race([once(this.socket, 'drain'), once(this.socket, 'close')]).catch(() => {});
    }
    return this.closed;
  }

  destroy(): void {
    this.socket.destroy();
  }
}
