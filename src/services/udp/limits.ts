/** Limits of UDP services. Datagrams are lost rather than late: nothing here waits for long. */

/** Flows of one listener, and of one connector: each costs some 12 KiB here and a link at every router on its way. */
export const maxFlows = 16_384;
/**
 * Ways that one listener or connector may begin per second, and at once. Each costs some 200 µs at all routers on the way together: a flood
 * of source addresses must leave time for everything else.
 */
export const newWaysPerSecond = 2000;
/** A datagram that could not be sent on within this time is dropped: whoever sent it has sent it again or does not want it any more. */
export const maxWaitMs = 100;
/** Datagrams that wait in one flow, in octets with their lengths: 100 ms of 60,000 datagrams of 200 octets a second. */
export const maxWaitingBytes = 2_097_152;
/** The same for all flows of a router. */
export const maxSharedWaitingBytes = 16_777_216;
/** One datagram of no octets costs as much memory as this many octets. */
export const datagramCostBytes = 128;
/** So many octets of datagrams go into one frame; one datagram that is longer has a frame of its own. */
export const batchBytes = 32_768;
/** Datagrams that a server has certainly not been given are kept for another server up to this many octets. */
export const maxRetainedBytes = 65_536;
/** Datagrams from a client that wait until the socket towards the server is open. */
export const maxEarlyBytes = 262_144;
/** Octets that wait in the system's queue of a socket: more shows that the network below does not take them. */
export const maxSocketQueueBytes = 262_144;
