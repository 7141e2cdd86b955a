/** Times of a host's daemon, in milliseconds. All hosts of an overlay have the same. */
export interface Durations {
  /** A lease of a block that was renewed. Long, since a host that cannot renew for so long cuts off the endpoints in it. */
  readonly leaseMs: number;
  /** A lease before both grantors have confirmed it: what one of them gave alone comes back soon. */
  readonly firstLeaseMs: number;
  readonly renewEveryMs: number;
  /** What a holder takes off a lease, as a share: clocks of two machines run at different speed, by far less than this. */
  readonly leaseMargin: number;
  /** An address rests so long before another endpoint gets it: longer than the data path remembers a path (30 s). */
  readonly reuseAfterMs: number;
  /** A block that nobody uses goes back after so long, when another one is spare. */
  readonly idleBlockMs: number;
  /** A deleted entry is remembered so long, against calls that come late: longer than paths and calls live. */
  readonly graveMs: number;
  /** A host that an endpoint left sends packets on for so long: longer than a path lives. */
  readonly tombstoneMs: number;
  readonly digestEveryMs: number;
  /** Between the knowledge of a new owner table and its use; and again until former owners forget. */
  readonly graceMs: number;
  /** The first repetition of a call that is not answered; each one waits twice as long as the one before. */
  readonly retryMs: number;
  readonly longestRetryMs: number;
  /** A call that nobody answers is given up. */
  readonly callTimeoutMs: number;
  /** An endpoint that one owner knows counts as placed after so long; the other one is told later. */
  readonly secondOwnerMs: number;
  /** An endpoint without an address or without any owner after so long is refused. */
  readonly placeTimeoutMs: number;
  /**
   * Backends at a host that does not answer keep their connections for so long, in which an overloaded host or a link that flaps comes back;
   * then the clients are told by resets, long before they would give up by themselves.
   */
  readonly deadHostResetAfterMs: number;
  /** A block that was refused is not asked for again for so long. */
  readonly refusedBlockMs: number;
}

export const usualDurations: Durations = {
  leaseMs: 86_400_000,
  firstLeaseMs: 30_000,
  renewEveryMs: 600_000,
  leaseMargin: 0.01,
  reuseAfterMs: 30_000,
  idleBlockMs: 300_000,
  graveMs: 60_000,
  tombstoneMs: 45_000,
  digestEveryMs: 10_000,
  graceMs: 2_000,
  retryMs: 200,
  longestRetryMs: 2_000,
  callTimeoutMs: 10_000,
  secondOwnerMs: 500,
  placeTimeoutMs: 5_000,
  deadHostResetAfterMs: 10_000,
  refusedBlockMs: 60_000,
};
