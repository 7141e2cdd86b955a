/**
 * One fault of a schedule: plain numbers, so that a schedule can be kept in a file, cut down and replayed. Indices count the plan's routers,
 * cables and offers; `direction` is 0, 1 or 2 for both.
 */
export type Fault =
  /** The connection over a cable breaks; of what is on its way, this share arrives. */
  | { readonly atMs: number; readonly kind: 'break'; readonly cable: number; readonly keep: number }
  /** Nothing passes for a while: short as in a congested network, long as behind a dead middlebox. */
  | { readonly atMs: number; readonly kind: 'block'; readonly cable: number; readonly direction: number; readonly forMs: number }
  /** No cable between the routers in `mask` and the others lets anything pass. */
  | { readonly atMs: number; readonly kind: 'partition'; readonly mask: number; readonly direction: number; readonly forMs: number }
  /** The process dies; `silent`: the machine loses its power, and nobody is told. */
  | { readonly atMs: number; readonly kind: 'crash'; readonly router: number; readonly silent: boolean; readonly forMs: number }
  /** The process is stopped and goes on later. */
  | { readonly atMs: number; readonly kind: 'pause'; readonly router: number; readonly forMs: number }
  /** The wall clock jumps. */
  | { readonly atMs: number; readonly kind: 'clock'; readonly router: number; readonly byMs: number }
  /** A bad line: longer delay, jitter, and a rate in octets per millisecond (0 = without limit). */
  | {
      readonly atMs: number;
      readonly kind: 'impair';
      readonly cable: number;
      readonly direction: number;
      readonly delayMs: number;
      readonly jitterMs: number;
      readonly rate: number;
      readonly forMs: number;
    }
  /** The connection breaks again and again. */
  | { readonly atMs: number; readonly kind: 'flap'; readonly cable: number; readonly everyMs: number; readonly times: number }
  /** A consumer goes away and comes back. */
  | { readonly atMs: number; readonly kind: 'withdraw'; readonly offer: number; readonly forMs: number }
  /** The hostile peer does something; `choice` says what, `salt` how. */
  | { readonly atMs: number; readonly kind: 'hostile'; readonly choice: number; readonly salt: number }
  /** A router of the core revokes another one, or the hostile one (null): at once, or as soon as it runs. */
  | { readonly atMs: number; readonly kind: 'revoke'; readonly router: number | null; readonly by: number }
  /**
   * All that is on a router's disk is copied to another machine, which runs it, too, with a cable of its own to `to`. `wins`: the copy's nonces
   * are the higher ones.
   */
  | {
      readonly atMs: number;
      readonly kind: 'clone';
      readonly router: number;
      readonly to: number;
      readonly delayMs: number;
      readonly wins: boolean;
    };

export type FaultKind = Fault['kind'];
