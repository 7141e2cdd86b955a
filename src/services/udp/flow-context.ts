import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { EndOfTurn } from '../http/end-of-turn.ts';
import type { WaitingBudget } from './datagram-queue.ts';
import type { SharedWindow } from './flow-window.ts';

/** What the flows of one router share. */
export interface FlowBudget {
  readonly waiting: WaitingBudget;
  readonly window: SharedWindow;
}

export interface FlowContext {
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  readonly turns: EndOfTurn;
  readonly log: Logger;
  /** One for all UDP services of the router. */
  readonly budget: FlowBudget;
  /** Asks for a call of `sweep` at that time. */
  readonly sweepAt: (dueMs: number) => void;
}

export interface FlowOptions {
  readonly idleTimeoutMs: number;
  readonly maxDatagramBytes: number;
}

/** Flows are looked at this often: their idle times, what is left to acknowledge, and whether their ways are alive. */
export function sweepIntervalMs(idleTimeoutMs: number): number {
  return Math.max(100, Math.min(1000, idleTimeoutMs / 4));
}

/** A flow that was used within this time counts as one that the end of the router would cut off. */
export const activeMs = 1000;
