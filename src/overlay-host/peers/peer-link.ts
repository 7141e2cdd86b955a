import type { TLSSocket } from 'node:tls';
import { ProtocolViolation } from '../../base/errors.ts';
import { encodeFrame, FrameReader } from './frames.ts';

/*
 * The first text of each side is its hello, {"hello":1,"hostId":3,"generation":7}; all others are messages of the control, and `[]`, an
 * empty one, says that the sender is there.
 */

/** What a host says of itself when it connects. */
export interface Hello {
  readonly hostId: number;
  /** Of the host's data path: rises when that starts anew. */
  readonly generation: number;
}

export interface PeerLinkOptions {
  readonly socket: TLSSocket;
  /** Longest message, in octets. */
  readonly limitBytes: number;
  readonly hello: Hello;
  /** False refuses the peer. */
  readonly greeted: (link: PeerLink, hello: Hello) => boolean;
  readonly received: (text: string) => void;
  readonly closed: (reason: string) => void;
}

/** Octets that the peer has not taken: beyond it messages are dropped, and repeated by those who wait for answers. */
const unsentLimitBytes = 8 * 1024 * 1024;
const aliveEveryMs = 1000;
/** A peer that says nothing for so long is gone: several times `aliveEveryMs`. */
const silenceMs = 5000;
const protocolVersion = 1;

/** One connection with another host's daemon. */
export class PeerLink {
  readonly #options: PeerLinkOptions;
  readonly #reader: FrameReader;
  readonly #alive: NodeJS.Timeout;
  #hostId: number | undefined;
  #reason = 'the peer closed the connection';
  dropped = 0;

  constructor(options: PeerLinkOptions) {
    const { socket, limitBytes, hello, closed } = options;
    this.#options = options;
    this.#reader = new FrameReader(limitBytes);
    socket.setNoDelay(true);
    socket.setTimeout(silenceMs, () => this.close('the peer is silent'));
    socket.on('data', (bytes: Buffer) => this.#received(bytes));
    socket.on('error', (error) => this.close(error.message));
    socket.on('end', () => socket.destroy());
    socket.once('close', () => {
      clearInterval(this.#alive);
      closed(this.#reason);
    });
    socket.write(encodeFrame(JSON.stringify({ hello: protocolVersion, hostId: hello.hostId, generation: hello.generation })));
    this.#alive = setInterval(() => this.send('[]'), aliveEveryMs);
  }

  /** False when the peer does not keep up and the text was dropped. */
  send(text: string): boolean {
    const { socket } = this.#options;
    if (socket.destroyed || socket.writableLength > unsentLimitBytes) {
      this.dropped++;
      return false;
    }
    socket.write(encodeFrame(text));
    return true;
  }

  close(reason: string): void {
    const { socket } = this.#options;
    if (socket.destroyed) return;
    this.#reason = reason;
    socket.destroy();
  }

  #received(bytes: Uint8Array): void {
    try {
      for (const text of this.#reader.receive(bytes)) {
        if (this.#options.socket.destroyed) return;
        if (this.#hostId === undefined) this.#greeted(text);
        else if (text !== '[]') this.#options.received(text);
      }
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.close(error.message);
    }
  }

  #greeted(text: string): void {
    const hello = parseHello(text);
    if (hello === undefined) throw new ProtocolViolation('hello', 'the peer does not speak this protocol');
    this.#hostId = hello.hostId;
    if (!this.#options.greeted(this, hello)) throw new ProtocolViolation('hello', 'the peer is not the host that it says');
  }
}

function parseHello(text: string): Hello | undefined {
  let value: { readonly hello?: unknown; readonly hostId?: unknown; readonly generation?: unknown } | null;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return undefined;
  }
  const { hello, hostId, generation } = value ?? {};
  if (hello !== protocolVersion || !isId(hostId) || !isId(generation)) return undefined;
  return { hostId, generation };
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 0xffffffff;
}
