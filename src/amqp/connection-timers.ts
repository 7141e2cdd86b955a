/** After our CLOSE, the peer's is awaited this long. */
const closeTimeoutMs = 2000;
/** Shortest silence that a peer may demand to be broken; a shorter one could not be kept on a busy machine. */
export const minIdleTimeoutMs = 100;

/** What has become due. */
export type Due = 'handshake' | 'close' | 'idle' | 'heartbeat' | undefined;

/**
 * The deadlines of one connection, §2.4.5: the handshake, the peer's silence, our own silence, and the peer's CLOSE.
 *
 * Nothing is written down per frame: sending leaves a mark, and each tick of a third of the peer's time-out sends a heartbeat unless it
 * finds the mark. What was sent right after a tick is seen at the next, so that silence lasts two ticks at most.
 */
export class ConnectionTimers {
  /** When something last came, or was due. */
  nowMs = 0;
  #handshakeDeadlineMs = Infinity;
  #closeDeadlineMs = Infinity;
  #idleTimeoutMs = Infinity;
  #lastReceivedMs = 0;
  #heartbeatMs = Infinity;
  #lastTickMs = 0;
  #sentSinceTick = false;
  #heartbeatPending = false;

  start(nowMs: number, handshakeTimeoutMs: number): void {
    this.nowMs = nowMs;
    this.#handshakeDeadlineMs = nowMs + handshakeTimeoutMs;
  }

  /** Bytes arrived. */
  received(nowMs: number): void {
    this.nowMs = nowMs;
    this.#lastReceivedMs = nowMs;
  }

  get lastReceivedMs(): number {
    return this.#lastReceivedMs;
  }

  /** Bytes were given to the socket. A heartbeat is no reason to leave out the next one. */
  sent(): void {
    if (this.#heartbeatPending) this.#heartbeatPending = false;
    else this.#sentSinceTick = true;
  }

  /** OPEN has been exchanged: ours tolerates `idleTimeoutMs` of silence, the peer's `remoteIdleTimeoutMs`; 0 = any. */
  opened(idleTimeoutMs: number, remoteIdleTimeoutMs: number): void {
    this.#handshakeDeadlineMs = Infinity;
    if (idleTimeoutMs > 0) this.#idleTimeoutMs = idleTimeoutMs;
    if (remoteIdleTimeoutMs > 0) this.#heartbeatMs = Math.floor(remoteIdleTimeoutMs / 3);
    this.#lastTickMs = this.nowMs;
  }

  /** CLOSE was sent: only the peer's is awaited. */
  closing(): void {
    this.stop();
    this.#closeDeadlineMs = this.nowMs + closeTimeoutMs;
  }

  stop(): void {
    this.#handshakeDeadlineMs = Infinity;
    this.#closeDeadlineMs = Infinity;
    this.#idleTimeoutMs = Infinity;
    this.#heartbeatMs = Infinity;
  }

  nextDeadlineMs(): number {
    return Math.min(
      this.#handshakeDeadlineMs,
      this.#closeDeadlineMs,
      this.#lastReceivedMs + this.#idleTimeoutMs,
      this.#lastTickMs + this.#heartbeatMs,
    );
  }

  /** What is due at `nowMs`. */
  tick(nowMs: number): Due {
    this.nowMs = nowMs;
    if (nowMs >= this.#handshakeDeadlineMs) return 'handshake';
    if (nowMs >= this.#closeDeadlineMs) return 'close';
    if (nowMs >= this.#lastReceivedMs + this.#idleTimeoutMs) return 'idle';
    if (nowMs < this.#lastTickMs + this.#heartbeatMs) return undefined;
    this.#lastTickMs = nowMs;
    if (this.#sentSinceTick) {
      this.#sentSinceTick = false;
      return undefined;
    }
    this.#heartbeatPending = true;
    return 'heartbeat';
  }
}
