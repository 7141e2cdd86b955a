/** Bytes that may wait for a peer that does not read; beyond this the connection is closed. Sources stop at `congestedBytes` already. */
export const maxPendingBytes = 268_435_456;
/** Bytes that may wait in all links of a connection for credit or window. */
export const maxConnectionBacklogBytes = 134_217_728;
/** Links of one connection in all its sessions. A stream between routers takes two. */
export const maxLinks = 65_536;
/** Incoming deliveries of one connection that are not settled. */
export const maxUnsettled = 131_072;

interface BudgetLimits {
  readonly links?: number;
  readonly unsettled?: number;
  readonly backlogBytes?: number;
}

/** What the sessions of one connection may hold together. Each `reserve` gives false, and reserves nothing, when the bound is reached. */
export class ConnectionBudget {
  readonly #maxBacklogBytes: number;
  readonly #maxLinks: number;
  readonly #maxUnsettled: number;
  #backlogBytes = 0;
  #links = 0;
  #unsettled = 0;

  constructor(limits: BudgetLimits = {}) {
    this.#maxBacklogBytes = limits.backlogBytes ?? maxConnectionBacklogBytes;
    this.#maxLinks = limits.links ?? maxLinks;
    this.#maxUnsettled = limits.unsettled ?? maxUnsettled;
  }

  /** Bytes that wait in all links. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  reserveBacklog(bytes: number): boolean {
    if (this.#backlogBytes + bytes > this.#maxBacklogBytes) return false;
    this.#backlogBytes += bytes;
    return true;
  }

  releaseBacklog(bytes: number): void {
    this.#backlogBytes -= bytes;
  }

  reserveLink(): boolean {
    if (this.#links >= this.#maxLinks) return false;
    this.#links++;
    return true;
  }

  releaseLinks(count: number): void {
    this.#links -= count;
  }

  reserveUnsettled(): boolean {
    if (this.#unsettled >= this.#maxUnsettled) return false;
    this.#unsettled++;
    return true;
  }

  releaseUnsettled(): void {
    this.#unsettled--;
  }

  /** Whether everything has been given back: true for a connection that is over. */
  get empty(): boolean {
    return this.#backlogBytes === 0 && this.#links === 0 && this.#unsettled === 0;
  }
}
