/** Everybody who may send here has heard after this long: a round trip around the world, and time for a busy machine. */
const newsMs = 500;
/** As long as connections still come to servers of this site, somebody has not heard; but not for ever. */
const latecomerMs = 250;
const latestNewsMs = 3_000;
/** Routers that are kept from computing paths by many changes do it this late at most: who sends through here after it has no other way. */
const otherWaysMs = 6_000;
/** A stream that began this recently shows that there are more to come. */
const recentMs = 1_000;
/** Nothing may be under way for this long before the links are closed: what another router sent last has arrived by then. */
const quietMs = 200;
/** Open connections are counted this often. */
const pollMs = 20;

/** A router on its way out. */
export interface Leaving {
  nowMs(): number;
  pause(durationMs: number): Promise<void>;
  /** Tells the network that the servers of this site are gone and that nothing should pass through; both are served as before. */
  announce(): void;
  /** Takes no new connections from clients, for servers, or from other routers. */
  stopAccepting(): void;
  hasLinks(): boolean;
  /** Connections of clients and servers that are open here. */
  openConnections(): number;
  /** Connections that the servers of this site have been given since the start. */
  connectionsTaken(): number;
  /** Messages on their way over links that begin or end here or pass through, and how many there have ever been. */
  streams(): number;
  streamsBegun(): number;
}

/**
 * Leaves the network without loss: first the network is told, and everything is served until the news has been around; then nothing
 * new is taken, and what is open may end, until `deadlineMs` from now.
 */
export async function drain(leaving: Leaving, deadlineMs: number): Promise<void> {
  const startMs = leaving.nowMs();
  const endMs = startMs + deadlineMs;
  leaving.announce();
  if (leaving.hasLinks()) await whileNewsSpreads(leaving, startMs, endMs);
  leaving.stopAccepting();
  const acceptedUntilMs = leaving.nowMs();
  let streamsBegun = leaving.streamsBegun();
  let beganAtMs = acceptedUntilMs;
  let busyAtMs = leaving.hasLinks() ? acceptedUntilMs : -Infinity;
  for (let nowMs = acceptedUntilMs; nowMs < endMs; nowMs = leaving.nowMs()) {
    if (leaving.streamsBegun() !== streamsBegun) beganAtMs = nowMs;
    streamsBegun = leaving.streamsBegun();
    const endless = nowMs - acceptedUntilMs >= otherWaysMs && nowMs - beganAtMs < recentMs;
    if (leaving.openConnections() > 0 || (leaving.streams() > 0 && !endless)) busyAtMs = nowMs;
    else if (endless || nowMs - busyAtMs >= quietMs) return;
    await leaving.pause(Math.min(pollMs, Math.max(1, endMs - nowMs)));
  }
}

async function whileNewsSpreads(leaving: Leaving, startMs: number, endMs: number): Promise<void> {
  let connectionsTaken = leaving.connectionsTaken();
  let takenAtMs = startMs;
  for (let nowMs = startMs; nowMs < endMs; nowMs = leaving.nowMs()) {
    if (leaving.connectionsTaken() !== connectionsTaken) takenAtMs = nowMs;
    connectionsTaken = leaving.connectionsTaken();
    const sinceMs = nowMs - startMs;
    if (sinceMs >= latestNewsMs || (sinceMs >= newsMs && nowMs - takenAtMs >= latecomerMs)) return;
    await leaving.pause(Math.min(pollMs, endMs - nowMs));
  }
}
