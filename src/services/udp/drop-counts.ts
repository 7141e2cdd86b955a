/**
 * Why datagrams did not arrive, as far as routers know:
 *
 * - `tooLong`: longer than the service takes
 * - `noWay`: no server was reachable while it could wait
 * - `congestion`: the way to the other end took no more, or took too long
 * - `waitingLimit`: too much waited already
 * - `newFlowLimit`: too many flows began at once
 * - `noSocket`: there was no socket for the server, or it did not open
 * - `socketFull`: the system's queue of the socket was full
 * - `refused`: the host of the server, or of the client, answered that nobody is there, or that it cannot be reached
 * - `flowEnded`: its flow ended while it waited
 */
export const dropReasons = [
  'tooLong',
  'noWay',
  'congestion',
  'waitingLimit',
  'newFlowLimit',
  'noSocket',
  'socketFull',
  'refused',
  'flowEnded',
] as const;
export type DropReason = (typeof dropReasons)[number];

/** Datagrams that were dropped, by reason. */
export class DropCounts {
  readonly #counts = new Map<DropReason, number>();
  total = 0;

  add(reason: DropReason, datagrams = 1): void {
    if (datagrams === 0) return;
    this.total += datagrams;
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + datagrams);
  }

  /** Those reasons that there have been. */
  counts(): Readonly<Partial<Record<DropReason, number>>> {
    return Object.fromEntries(this.#counts);
  }
}
