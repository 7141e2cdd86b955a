import type { VirtualLink } from './virtual-link.ts';
import type { VirtualNetwork } from './virtual-network.ts';

/** Something with connections: the process of a router, or a stranger that somebody plays. */
export class VirtualNode {
  readonly network: VirtualNetwork;
  /** Among the nodes of its network. */
  readonly number: number;
  readonly links: Set<VirtualLink> = new Set();
  isAlive = true;
  /** A machine that is off does not even refuse connections. */
  isMachineOn = true;
  /** Where this process's monotonic clock started. */
  clockOffsetMs = 0;
  #paused = false;
  #waiting: (() => void)[] = [];
  #scheduled = false;
  #timerAtMs = Infinity;

  constructor(network: VirtualNetwork) {
    this.network = network;
    this.number = network.nodes.length;
    network.nodes.push(this);
  }

  nowMs(): number {
    return this.network.nowMs + this.clockOffsetMs;
  }

  /** A process that is stopped: nothing reaches it, and what it waits for comes late. */
  get isPaused(): boolean {
    return this.#paused;
  }

  set isPaused(paused: boolean) {
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const work of waiting) this.network.at(0, () => this.#run(work));
    for (const link of [...this.links]) for (const pipe of link.pipes) if (link.ends[pipe.toEnd] === this) pipe.drain();
  }

  /** Work of this process after a while. */
  after(delayMs: number, work: () => void): void {
    this.network.at(delayMs, () => this.#run(work));
  }

  #run(work: () => void): void {
    if (!this.isAlive) return;
    if (this.#paused) this.#waiting.push(work);
    else work();
  }

  /** Something happened: there will be an end of this turn. */
  touch(): void {
    if (this.#scheduled || !this.isAlive) return;
    this.#scheduled = true;
    this.after(0, () => {
      this.#scheduled = false;
      this.endOfTurn();
      this.#arm();
    });
  }

  /** Each connection once: what one connection's output causes in another waits for the next turn. */
  endOfTurn(): void {
    for (const link of [...this.links]) {
      for (const end of [0, 1] as const) {
        if (link.ends[end] !== this || !link.isOpen[end]) continue;
        link.flush(end);
        const machine = link.connections[end];
        if (machine.ended && !machine.hasTransmit) link.close(end);
      }
    }
  }

  /** Something of its own, beside its connections, is due then, on this node's clock. */
  ownDeadlineMs(): number {
    return Infinity;
  }

  handleTimeout(): void {}

  #nextDeadlineMs(): number {
    let deadlineMs = this.ownDeadlineMs();
    for (const link of this.links) {
      for (const end of [0, 1] as const) {
        if (link.ends[end] === this) deadlineMs = Math.min(deadlineMs, link.connections[end].nextDeadlineMs());
      }
    }
    return deadlineMs;
  }

  #arm(): void {
    const atMs = this.#nextDeadlineMs() - this.clockOffsetMs;
    if (atMs >= this.#timerAtMs) return;
    this.#timerAtMs = atMs;
    // As the timers of a process: whole milliseconds, at least one.
    this.after(Math.max(1, Math.ceil(atMs - this.network.nowMs)), () => {
      if (this.#timerAtMs !== atMs) return;
      this.#timerAtMs = Infinity;
      this.#handleTimeouts();
      this.#arm();
    });
  }

  #handleTimeouts(): void {
    const nowMs = this.nowMs();
    if (this.ownDeadlineMs() <= nowMs) this.handleTimeout();
    for (const link of [...this.links]) {
      for (const end of [0, 1] as const) {
        if (link.ends[end] !== this || link.connections[end].nextDeadlineMs() > nowMs) continue;
        link.connections[end].handleTimeout(nowMs);
        this.touch();
      }
    }
  }
}
