/** First line of a request: twice what common servers and clients keep to. */
export const maxRequestLineBytes = 8_192;
/** Registered methods have 17 letters at most. */
export const maxMethodBytes = 64;
/** Lengths of names are 8 bits wide between routers. */
export const maxNameBytes = 255;
/** Fields of one head. Each costs some work at every hop. */
export const maxFields = 256;
/** `host:port`: a name of DNS has 253 octets. */
export const maxAuthorityBytes = 260;
/** Line of a chunk's length with its extensions, which nobody reads. */
export const maxChunkLineBytes = 256;
/** Chunk lines of one body beyond one octet in eight: a body may not be mostly extensions. */
export const maxExtensionBytes = 16_384;
/** Lengths stay exact as numbers. */
export const maxContentLength: number = Number.MAX_SAFE_INTEGER;
/** Answers 1xx before the answer proper. */
export const maxInterimAnswers = 64;
/** Octets that a client may send ahead while its request is answered, before no more is read. */
export const maxAheadBytes = 16_384;
/** What is read and dropped of a request whose answer is complete, so that the connection can be kept. */
export const maxDrainedBytes = 65_536;
/** What is read and dropped after the last answer, so that a reset does not destroy it on its way. */
export const maxLingerBytes = 1_048_576;
/** How long that goes on. */
export const lingerTimeoutMs = 2_000;
/**
 * What must come of a body of known length in each header timeout (10 s as a rule) while it is waited for: about 100 octets a second, far below
 * any line. Bodies without a length may be live, and trickle.
 */
export const minBodyBytes = 1_024;
/** How often in an idle timeout it is looked whether an exchange moves: a client that stalls is found out a tenth late at most. */
export const progressChecks = 10;
