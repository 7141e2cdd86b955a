import { maxFieldBytes, maxPendingBytes } from '../http/exchange.ts';

/** Requests of one client connection at a time, as common servers allow. Each may cost a window of the body. */
export const maxConcurrentStreams = 128;
/**
 * Octets of one body that may come before they are taken on. No round number: Node's servers reset a stream whose body ends exactly where its
 * window does, in place of ending it.
 */
export const streamWindowBytes: number = maxPendingBytes + 1_021;
/** Octets of all bodies of a connection that may be under way: they are taken on as they come, so this is for speed over long ways only. */
export const connectionWindowBytes = 4_194_304;
/** Largest payload of a frame, in both directions: what every end must take (RFC 9113 §4.2). Larger ones would hold up other streams. */
export const maxFrameBytes = 16_384;
/** Windows go no further (§6.9.1). */
export const maxWindowBytes = 2_147_483_647;
/** Octets of answers that may wait for one client, over all its requests: a client that reads nothing costs no more. */
export const maxConnectionPendingBytes = 4_194_304;
/** Octets of bodies that are given to a socket before it has passed on others: the rest waits in its stream, so that streams take turns. */
export const maxSocketPendingBytes = 131_072;
/**
 * From so many octets on that a socket has not passed on, nothing is read from it: heads and acknowledgements are not subject to windows, and
 * who does not read them shall not ask for more.
 */
export const maxUnreadBytes = 1_048_576;
/** Fields of one head; each costs some work at every hop. */
export const maxFields = 256;
/** Lengths of names are 8 bits wide between routers. */
export const maxNameBytes = 255;
/** Registered methods have 17 letters at most. */
export const maxMethodBytes = 64;
/** Answers 1xx before the answer proper. */
export const maxInterimAnswers = 64;
/** Lengths stay exact as numbers. */
export const maxContentLength: number = Number.MAX_SAFE_INTEGER;
/** The table of fields of each direction (RFC 7541 §4.2): the value that both ends begin with. */
export const tableBytes = 4_096;
/** A head in its compressed form: one that is longer than heads may be is read to its end, for the table, and then refused; not more. */
export const maxBlockBytes: number = maxFieldBytes + maxFrameBytes;
/** Frames of one head. */
export const maxContinuations = 64;
/** Streams that ended lately and are remembered, because frames for them may still come. */
export const maxClosedStreams = 256;
/**
 * What must come of a body of known length in each header timeout (10 s as a rule) while it is waited for: about 100 octets a second, far below
 * any line. Bodies without a length may be live, and trickle.
 */
export const minBodyBytes = 1_024;

/** Connections to one server: each carries as many requests as the server allows, commonly 100 or more. */
export const maxSessionsPerServer = 64;
/**
 * Requests given up on one connection to a server, before no more are sent on it: servers take many for an attack and cut the connection, with
 * the requests of others. Some do at 500, some at 1000.
 */
export const maxResetsPerSession = 250;
/** Octets of a request that are kept until its answer begins, so that it can be sent again when the server has certainly not processed it. */
export const maxRepeatableBytes = 65_536;
/** How often that is done before somebody else decides. */
export const maxRepeats = 2;
/** A connection is given this long to begin: both ends say their settings first. */
export const openTimeoutMs = 5_000;
/** Silence while answers are waited for, after which the server is asked if it is there. Servers take frequent questions for an attack. */
export const silenceMs = 20_000;
/** From then on, while it is still silent. */
export const longSilenceMs = 300_000;
/** How long it may take to say so. */
export const pingTimeoutMs = 10_000;
