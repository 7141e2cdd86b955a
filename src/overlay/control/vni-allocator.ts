import { WeatherError } from '../../base/errors.ts';

/** VNIs in use and those that rest, as plain data: whoever keeps it lets one writer at a time change it. */
export interface VniState {
  readonly used: readonly number[];
  /** Freed, and when on the keeper's clock; oldest first. */
  readonly resting: readonly (readonly [vni: number, freedMs: number])[];
  readonly last: number;
}

export const noVnis: VniState = { used: [], resting: [], last: 0 };

/** 24 bits on the wire; 0 is nobody's. */
const highestVni = 0xffffff;
/** VPCs of an overlay: as many as there can be subnets. */
const vnisLimit = 16_384;
const restingLimit = 65_536;

/**
 * A VNI that nobody has and that nobody had `restMs` ago (longer than the data path remembers a path), taken in turn so that each is used
 * again as late as can be. Throws WeatherError `vnis-exhausted`.
 */
export function allocateVni(state: VniState, nowMs: number, restMs: number): { readonly vni: number; readonly state: VniState } {
  const resting = state.resting.filter(([, freedMs]) => nowMs < freedMs + restMs);
  if (state.used.length >= vnisLimit) {
    throw new WeatherError('vnis-exhausted', `there are ${vnisLimit} VPCs already`, { remedy: 'delete a VPC' });
  }
  const taken = new Set([...state.used, ...resting.map(([vni]) => vni)]);
  let vni = state.last;
  do vni = vni >= highestVni ? 1 : vni + 1;
  while (taken.has(vni));
  return { vni, state: { used: [...state.used, vni], resting, last: vni } };
}

/** The VNI's VPC is gone. */
export function freeVni(state: VniState, vni: number, nowMs: number): VniState {
  if (!state.used.includes(vni)) return state;
  const resting = [...state.resting, [vni, nowMs] as const].slice(-restingLimit);
  return { ...state, used: state.used.filter((other) => other !== vni), resting };
}
