/** Hears a byte-stream socket. Calls come from the event loop, never from within a call of the socket. */
export interface StreamSocketHandler {
  /** Bytes arrived; they belong to the handler and are never written again. */
  received(bytes: Uint8Array): void;
  /** The peer will send no more (FIN). */
  endReceived(): void;
  /** Bytes were passed to the kernel: `pendingBytes` fell. */
  written(): void;
  /** The socket is gone, after both ends closed or because of `error`. Called once. */
  closed(error: Error | undefined): void;
}

/** A connected byte-stream socket, as protocol layers see it; starts paused. The host implements it. */
export interface StreamSocket {
  handler: StreamSocketHandler | undefined;
  /** Bytes given to `write` that the kernel has not taken. */
  readonly pendingBytes: number;
  /** Sends `bytes[start, end)`, at the end of the turn. The bytes must not change afterwards. */
  write(bytes: Uint8Array, start: number, end: number): void;
  /** Sends FIN behind what has been written; receiving goes on. */
  end(): void;
  /** Closes both directions now; with `reset` the peer sees a reset (RST) in place of an end. */
  destroy(reset: boolean): void;
  pause(): void;
  resume(): void;
}
