/** A protocol machine that turns bytes and time into bytes and a deadline; the host drives it over a socket. */
export interface ByteMachine {
  start(nowMs: number): void;
  /** Bytes from the wire; they are never written again. */
  receive(bytes: Uint8Array, nowMs: number): void;
  handleTimeout(nowMs: number): void;
  /** Call `handleTimeout` then; Infinity = never. */
  nextDeadlineMs(): number;
  /** True when `nextTransmit` would give bytes. */
  readonly hasTransmit: boolean;
  /** Bytes for the wire, lent until `transmitted` is called, once for each, in order. */
  nextTransmit(): Uint8Array | undefined;
  transmitted(): void;
  /** No more is received or sent once what is pending has been transmitted. */
  readonly ended: boolean;
  /** The socket is gone. */
  lost(description: string): void;
}
