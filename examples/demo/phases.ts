import { setTimeout as sleep } from 'node:timers/promises';

import { windowLength } from './load.ts';
import type { Load, LoadState } from './load.ts';

/** Share of the last 100 responses, 0 to 1, both bounds allowed. */
interface ShareRange {
  readonly minimum: number;
  readonly maximum: number;
}

/** One part of the demonstration: a load, something that happens meanwhile, and what must then be seen. */
export interface Phase {
  readonly name: string;
  readonly inFlight: number;
  /** Done with the load running, before settling. */
  readonly event?: () => Promise<void>;
  /** Settling lasts until this server answers; it begins when the load is set. */
  readonly awaitServer?: string;
  readonly shares: Readonly<Record<string, ShareRange>>;
  /** How many requests may fail while the network settles; afterwards none may. */
  readonly errorsAllowedWhileSettling: number;
}

/** What a phase showed. */
export interface PhaseResult {
  readonly phase: string;
  readonly inFlight: number;
  readonly responses: number;
  /** Of the last 100 responses. */
  readonly shares: Readonly<Record<string, number>>;
  readonly errorsWhileSettling: number;
  readonly errors: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly expected: string;
  readonly ok: boolean;
}

/** The queues of an earlier load are empty and the routers' counts of outstanding deliveries are the new load's. */
const settleMs = 2000;
const awaitServerTimeoutMs = 25_000;
/** 100 responses at 10 a second take 10 s. */
const measureTimeoutMs = 20_000;
const pollMs = 50;

const percent = (share: number): string => `${Math.round(share * 100)} %`;

function describe(phase: Phase): string {
  const shares = Object.entries(phase.shares).map(([server, { minimum, maximum }]) =>
    minimum === maximum ? `${server} ${percent(minimum)}` : `${server} ${percent(minimum)} to ${percent(maximum)}`,
  );
  return `${shares.join(', ')}; at most ${phase.errorsAllowedWhileSettling} errors while settling, then none`;
}

async function settle(phase: Phase, load: Load, signal: AbortSignal): Promise<void> {
  if (phase.awaitServer !== undefined) {
    const deadlineMs = performance.now() + awaitServerTimeoutMs;
    while (!load.state().lastServed.has(phase.awaitServer) && performance.now() < deadlineMs) await sleep(pollMs, undefined, { signal });
  }
  await sleep(settleMs, undefined, { signal });
}

/** Runs one phase: sets the load, lets it settle, then looks at the next 100 responses. */
export async function runPhase(phase: Phase, load: Load, signal: AbortSignal): Promise<PhaseResult> {
  load.mark();
  load.setInFlight(phase.inFlight);
  await phase.event?.();
  await settle(phase, load, signal);
  const errorsWhileSettling = load.state().errors;
  load.mark();
  const deadlineMs = performance.now() + measureTimeoutMs;
  let state: LoadState = load.state();
  while (state.responses < windowLength && performance.now() < deadlineMs) {
    await sleep(pollMs, undefined, { signal });
    state = load.state();
  }
  const seen = Math.min(state.responses, windowLength);
  const shares: Record<string, number> = {};
  for (const [server, count] of state.lastServed) shares[server] = count / seen;
  const expectedShares = Object.entries(phase.shares).every(([server, range]) => {
    const share = shares[server] ?? 0;
    return share >= range.minimum && share <= range.maximum;
  });
  return {
    phase: phase.name,
    inFlight: phase.inFlight,
    responses: state.responses,
    shares,
    errorsWhileSettling,
    errors: state.errors,
    latencyMs: { p50: Math.round(state.latencyP50Ms), p99: Math.round(state.latencyP99Ms) },
    expected: describe(phase),
    ok: seen === windowLength && expectedShares && state.errors === 0 && errorsWhileSettling <= phase.errorsAllowedWhileSettling,
  };
}
