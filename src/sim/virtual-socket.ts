import type { StreamSocket, StreamSocketHandler } from '../base/stream-socket.ts';

/** Runs `work` later, at the same virtual time. */
export type Later = (work: () => void) => void;

const readBytes = 65_536;

/** A client or server at the other end of a virtual socket, driven by a test. */
export class Application {
  readonly chunks: Uint8Array[] = [];
  received = 0;
  /** The router has sent FIN. */
  ended = false;
  /** The connection is gone: `end` after FIN both ways or an orderly close, `reset` after RST. */
  gone: 'end' | 'reset' | undefined;
  /** Octets given by the application and taken by the router. */
  taken = 0;
  /** Called with each piece that arrives. */
  onData: ((bytes: Uint8Array) => void) | undefined;
  onEnd: (() => void) | undefined;
  /** Called when the connection is gone. */
  onGone: ((how: 'end' | 'reset') => void) | undefined;
  keepChunks = true;
  readonly #socket: VirtualSocket;
  #reading = true;

  constructor(socket: VirtualSocket) {
    this.#socket = socket;
  }

  get reading(): boolean {
    return this.#reading;
  }

  /** A program that does not read leaves what comes in the router. */
  set reading(reading: boolean) {
    this.#reading = reading;
    this.#socket.pump();
  }

  write(bytes: Uint8Array): void {
    this.#socket.fromApplication(bytes);
  }

  /** Sends FIN. */
  end(): void {
    this.#socket.endFromApplication();
  }

  reset(): void {
    this.#socket.resetFromApplication();
  }

  deliver(bytes: Uint8Array): void {
    this.received += bytes.length;
    if (this.keepChunks) this.chunks.push(bytes);
    this.onData?.(bytes);
  }

  get bytes(): Uint8Array {
    const all = new Uint8Array(this.chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }
}

/** The router's end of a connection that exists in memory only. */
export class VirtualSocket implements StreamSocket {
  handler: StreamSocketHandler | undefined;
  readonly application: Application;
  readonly #later: Later;
  #toRouter: Uint8Array[] = [];
  #finToRouter = false;
  #finTold = false;
  #toApplication: Uint8Array[] = [];
  #finToApplication = false;
  #paused = true;
  #pumping = false;
  #gone = false;
  pendingBytes = 0;
  /** Told when the socket is gone. */
  forget: (() => void) | undefined;

  constructor(later: Later) {
    this.#later = later;
    this.application = new Application(this);
  }

  // The router's side.

  write(bytes: Uint8Array, start: number, end: number): void {
    if (this.#gone) return;
    this.#toApplication.push(bytes.slice(start, end));
    this.pendingBytes += end - start;
    this.pump();
  }

  end(): void {
    this.#finToApplication = true;
    this.pump();
  }

  destroy(reset: boolean): void {
    if (this.#gone) return;
    if (!reset) this.#giveAll();
    this.#close(reset ? 'reset' : 'end', undefined);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.pump();
  }

  // The application's side.

  fromApplication(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += readBytes) this.#toRouter.push(bytes.subarray(at, at + readBytes));
    this.pump();
  }

  endFromApplication(): void {
    this.#finToRouter = true;
    this.pump();
  }

  resetFromApplication(): void {
    this.#close('reset', new Error('ECONNRESET'));
  }

  // What happens in between.

  pump(): void {
    if (this.#pumping || this.#gone) return;
    this.#pumping = true;
    this.#later(() => {
      this.#pumping = false;
      this.#move();
    });
  }

  #move(): void {
    if (this.#gone) return;
    const { application } = this;
    if (application.reading && this.#toApplication.length > 0) {
      this.#giveAll();
      this.handler?.written();
    }
    if (this.#finToApplication && this.#toApplication.length === 0 && !application.ended) {
      application.ended = true;
      application.onEnd?.();
    }
    if (!this.#paused) {
      const bytes = this.#toRouter.shift();
      if (bytes !== undefined) {
        application.taken += bytes.length;
        this.handler?.received(bytes);
      } else if (this.#finToRouter && !this.#finTold) {
        this.#finTold = true;
        this.handler?.endReceived();
      }
      if (this.#toRouter.length > 0 || (this.#finToRouter && !this.#finTold)) this.pump();
    }
    if (this.#finTold && application.ended) this.#close('end', undefined);
  }

  #giveAll(): void {
    const pieces = this.#toApplication;
    this.#toApplication = [];
    this.pendingBytes = 0;
    for (const piece of pieces) this.application.deliver(piece);
  }

  #close(how: 'end' | 'reset', error: Error | undefined): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#toRouter = [];
    this.#toApplication = [];
    this.#tellGone(how);
    this.#later(() => this.handler?.closed(error));
  }

  #tellGone(how: 'end' | 'reset'): void {
    this.forget?.();
    if (this.application.gone !== undefined) return;
    this.application.gone = how;
    this.application.onGone?.(how);
  }

  /** The router's process is gone, and what it had not passed on. */
  lose(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#toRouter = [];
    this.#toApplication = [];
    this.#tellGone('reset');
  }
}
