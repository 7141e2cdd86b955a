import { setTimeout as sleep } from 'node:timers/promises';

import { windowLength } from './load.ts';
import type { Load, LoadState } from './load.ts';
import type { ServiceName } from './topology.ts';

/** Share of the last 100 responses, 0 to 1, both bounds allowed. */
interface ShareRange {
  readonly minimum: number;
  readonly maximum: number;
}

/** What one service must show in a phase. */
export interface Expectation {
  readonly shares: Readonly<Record<string, ShareRange>>;
  /** How many requests may fail while the network settles; afterwards none may. */
  readonly errorsAllowedWhileSettling: number;
}

/** One part of the demonstration: a load, something that happens meanwhile, and what must then be seen. */
export interface Phase {
  readonly name: string;
  /** Of each service. */
  readonly inFlight: number;
  /** Done with the load running, before settling. */
  readonly event?: () => Promise<void>;
  /** Settling lasts until this server answers; it begins when the load is set. */
  readonly awaitServer?: string;
  readonly expected: Readonly<Record<ServiceName, Expectation>>;
}

/** What a phase showed of one service. */
export interface PhaseResult {
  readonly phase: string;
  readonly service: ServiceName;
  readonly inFlight: number;
  readonly responses: number;
  /** Of the last 100 responses. */
  readonly shares: Readonly<Record<string, number>>;
  /** Hundreds of responses that were looked at. */
  readonly windows: number;
  readonly errorsWhileSettling: number;
  readonly errors: number;
  readonly responsesPerSecond: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly expected: string;
  readonly ok: boolean;
}

/** A load for each service, in the order in which results are given. */
export type Loads = ReadonlyMap<ServiceName, Load>;

/** The queues of an earlier load are empty and the routers' counts of outstanding deliveries are the new load's. */
const settleMs = 2000;
const awaitServerTimeoutMs = 25_000;
/** 100 responses at 10 a second take 10 s. */
const measureTimeoutMs = 20_000;
const pollMs = 50;
/** A machine that stalls one of the servers for a moment shifts shares; they are then looked at again, so often in all. */
const maxWindows = 3;

const percent = (share: number): string => `${Math.round(share * 100)} %`;

function describe(expectation: Expectation): string {
  const shares = Object.entries(expectation.shares).map(([server, { minimum, maximum }]) =>
    minimum === maximum ? `${server} ${percent(minimum)}` : `${server} ${percent(minimum)} to ${percent(maximum)}`,
  );
  return `${shares.join(', ')}; at most ${expectation.errorsAllowedWhileSettling} errors while settling, then none`;
}

async function settle(phase: Phase, loads: Loads, signal: AbortSignal): Promise<void> {
  const { awaitServer } = phase;
  if (awaitServer !== undefined) {
    const deadlineMs = performance.now() + awaitServerTimeoutMs;
    const isAwaited = (): boolean => [...loads.values()].some((load) => !load.state().lastServed.has(awaitServer));
    while (isAwaited() && performance.now() < deadlineMs) await sleep(pollMs, undefined, { signal });
  }
  await sleep(settleMs, undefined, { signal });
}

/** The next 100 responses, or what there is of them when the time is over. */
async function measure(load: Load, signal: AbortSignal): Promise<LoadState> {
  const deadlineMs = performance.now() + measureTimeoutMs;
  for (;;) {
    const state = load.state();
    if (state.responses >= windowLength || performance.now() >= deadlineMs) return state;
    await sleep(pollMs, undefined, { signal });
  }
}

/** Runs one phase: sets the loads, lets them settle, then looks at the next 100 responses of each. */
export async function runPhase(phase: Phase, loads: Loads, signal: AbortSignal): Promise<PhaseResult[]> {
  for (const load of loads.values()) {
    load.mark();
    load.setInFlight(phase.inFlight);
  }
  await phase.event?.();
  await settle(phase, loads, signal);
  return await Promise.all(
    [...loads].map(async ([service, load]) => {
      const errorsWhileSettling = load.state().errors;
      for (let windows = 1; ; windows++) {
        load.mark();
        const result = judge(phase, service, errorsWhileSettling, windows, await measure(load, signal));
        if (result.ok || result.errors > 0 || windows === maxWindows) return result;
      }
    }),
  );
}

function judge(phase: Phase, service: ServiceName, errorsWhileSettling: number, windows: number, state: LoadState): PhaseResult {
  const expectation = phase.expected[service];
  const seen = Math.min(state.responses, windowLength);
  const shares: Record<string, number> = {};
  for (const [server, count] of state.lastServed) shares[server] = count / seen;
  const expectedShares = Object.entries(expectation.shares).every(([server, range]) => {
    const share = shares[server] ?? 0;
    return share >= range.minimum && share <= range.maximum;
  });
  const expectedErrors = state.errors === 0 && errorsWhileSettling <= expectation.errorsAllowedWhileSettling;
  return {
    phase: phase.name,
    service,
    inFlight: phase.inFlight,
    responses: state.responses,
    shares,
    windows,
    errorsWhileSettling,
    errors: state.errors,
    responsesPerSecond: Number(state.responsesPerSecond.toFixed(1)),
    latencyMs: { p50: Math.round(state.latencyP50Ms), p99: Math.round(state.latencyP99Ms) },
    expected: describe(expectation),
    ok: seen === windowLength && expectedShares && expectedErrors,
  };
}
