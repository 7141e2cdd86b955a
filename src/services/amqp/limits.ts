import type { ConnectionLimits } from '../../amqp/connection-options.ts';

/**
 * What one client may have at a time. A session's window lets it send 32 frames of 64 KiB, which a link between routers has room for behind a full window; the window is not renewed while a message of its
 * waits for its way, so that no more than that and what the way holds is kept for it. What waits for a client that does not take its messages is
 * bounded by the backlogs: a message beyond them is given back to its sender.
 */
export const clientLimits: ConnectionLimits = {
  sessions: 64,
  links: 1024,
  unsettled: 16_384,
  incomingWindowBytes: 2_097_152,
  linkBacklogBytes: 16_777_216,
  backlogBytes: 33_554_432,
};

/** A link has less credit when its messages are large: octets that it should have under way, and messages it may send in any case. */
export const linkWindowBytes = 4_194_304;
export const leastLinkWindow = 8;

/** A message that is not complete by then is a stream: it is sent on as it comes, on a link of its own. As between routers. */
export const maxWholeBytes = 262_144;
/** Octets of unfinished messages of one client that wait to be complete: sixteen of the largest. */
export const maxGatheredBytes = 4_194_304;

/** Octets of a stream that its consumer has not acknowledged: as for TCP services. */
export const streamWindowBytes = 983_040;
/**
 * Octets of a stream that are put together for a client before they are sent: some give room for a number of frames, and no more before a
 * message is complete, and octets come in pieces of any size.
 */
export const gatheredFrameBytes = 131_072;
/** A consumer of a stream tells how far it is each time it is this much further. */
export const acknowledgeStepBytes = 65_536;
/** Routers of another kind do not acknowledge: a stream that has heard nothing for this long goes on without. */
export const silentConsumerMs = 1000;
