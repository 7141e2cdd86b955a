/** Packets and octets that a counter has counted. */
export interface Count {
  readonly packets: bigint;
  readonly bytes: bigint;
}

export interface Risen {
  readonly counted: readonly string[];
  readonly isShared: boolean;
}

const none: Count = { packets: 0n, bytes: 0n };

/**
 * Counters, by name, that one frame of `frameBytes` octets has raised between two readings. Others send in the same moment: a counter that
 * rose by exactly this frame is taken before one that rose by more, and `isShared` says that it cannot be told.
 */
export function risenCounters(before: ReadonlyMap<string, Count>, after: ReadonlyMap<string, Count>, frameBytes: number): Risen {
  const exact: string[] = [];
  const more: string[] = [];
  for (const [name, { packets, bytes }] of after) {
    const was = before.get(name) ?? none;
    const rose = packets - was.packets;
    if (rose === 1n && bytes - was.bytes === BigInt(frameBytes)) exact.push(name);
    else if (rose > 0n && bytes - was.bytes >= BigInt(frameBytes)) more.push(name);
  }
  return { counted: exact.length > 0 ? exact : more, isShared: exact.length === 0 && more.length > 0 };
}
