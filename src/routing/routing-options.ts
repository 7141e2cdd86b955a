import type { ControlMap } from './control-message.ts';
import type { RoutingTimers } from './limits.ts';
import type { PathScratch } from './path-scratch.ts';
import type { RouterIndex } from './router-index.ts';
import type { RoutingTrust } from './trust.ts';

export interface RoutingOptions {
  readonly routerId: string;
  /** Boot time in seconds since 1970: another value tells the other routers that this one has restarted. */
  readonly instance: number;
  /**
   * Where the sequences of link state and addresses start. Others ignore sequences they have passed, and cannot see a restart within
   * the second of `instance`: a start that grows with the time in the second lets such a router be heard.
   */
  readonly sequenceStart?: number;
  readonly timers?: Partial<RoutingTimers>;
  /** Data about the site, carried to every other router of this kind in the link state. Bounded by `siteData...` in limits. */
  readonly site?: ControlMap;
  /** Key and judgement for signed records. A router without it neither signs nor verifies. */
  readonly trust?: RoutingTrust;
  /** Routers that do not sign are not believed at all, and a neighbour that does not sign is refused. Only with `trust`. */
  readonly requireSigned?: boolean;
  /** Dense numbers of router ids; routers of one simulation share it. Made here when not given. */
  readonly routerIndex?: RouterIndex;
  /** Working memory for paths; routers of one process may share it. Made here when not given. */
  readonly pathScratch?: PathScratch;
}
