/** Starts a server that is not running, e.g. by a call or a command; may be called again while it does. */
export type Activate = () => void;

/** For a server that runs only while it is needed: how to start it, and how long requests wait for it. */
export interface Activation {
  readonly activate: Activate;
  readonly timeoutMs: number;
}

/** While a server is being started, it is tried this often. */
const retryMs = 250;

/** A server that runs only while it is needed, as the pool of connections to it sees it: is it being started, and when is it tried again? */
export class ServerStart {
  readonly #activation: Activation | undefined;
  #sinceMs = Infinity;
  /** When a connection is to be tried again; Infinity = that is not waited for. */
  retryAtMs: number = Infinity;

  constructor(activation: Activation | undefined) {
    this.#activation = activation;
  }

  get isUnderWay(): boolean {
    return this.#sinceMs < Infinity;
  }

  /**
   * A connection that requests wait for could not be opened. `wait`: the server is being started, `retryAtMs` says when to try
   * again. `late`: it did not start in time. `never`: it is not for us to start it.
   */
  connectFailed(nowMs: number): 'wait' | 'late' | 'never' {
    const activation = this.#activation;
    if (activation === undefined) return 'never';
    if (this.#sinceMs === Infinity) {
      this.#sinceMs = nowMs;
      activation.activate();
    }
    if (nowMs - this.#sinceMs < activation.timeoutMs) {
      this.retryAtMs = nowMs + retryMs;
      return 'wait';
    }
    this.#sinceMs = Infinity;
    return 'late';
  }

  /** A connection is open, or nobody waits for one any more. */
  over(): void {
    this.#sinceMs = Infinity;
  }

  /** True when it is time to try again, once. */
  isDue(nowMs: number): boolean {
    if (this.retryAtMs > nowMs) return false;
    this.retryAtMs = Infinity;
    return true;
  }
}
