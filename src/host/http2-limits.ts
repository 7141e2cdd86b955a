import type { SessionOptions, Settings } from 'node:http2';
import { maxPendingBytes } from '../services/http/exchange.ts';

/** Requests of one client connection at a time, as common servers allow. Each may cost a window of the body. */
export const maxConcurrentStreams = 128;
/** Octets of one body that may come before they are taken on. */
export const streamWindowBytes: number = maxPendingBytes;
/** Octets of all bodies of a connection that may be under way. Node takes them as they come, so this is for speed over long ways only. */
export const connectionWindowBytes = 4_194_304;
/** Octets of answers that may wait for one client, over all its requests: a client that reads nothing costs no more. */
export const maxSessionPendingBytes = 4_194_304;
/** Fields of one head; each costs some work at every hop. */
export const maxFields = 256;
/** Lengths of names are 8 bits wide between routers. */
export const maxNameBytes = 255;
/** Registered methods have 17 letters at most. */
export const maxMethodBytes = 64;
/** Answers 1xx before the answer proper. */
export const maxInterimAnswers = 64;
/**
 * What one connection of HTTP/2 may hold in Node itself, in MB: tables of fields, and bodies that wait to go out. Towards a server that stalls
 * those are `maxPendingBytes` for each of 128 requests.
 */
const maxSessionMemoryMegabytes = 64;
/** Entries of one SETTINGS frame: there are seven. */
const maxSettingsEntries = 32;
/** Frames that are wrong but harmless, e.g. for a stream that has just ended. */
const maxInvalidFrames = 100;
/** Requests beyond `maxConcurrentStreams` before the client counts as hostile. */
const maxRejectedStreams = 100;

/** RFC 9113 §7. */
export const errorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  refusedStream: 7,
  cancel: 8,
  enhanceYourCalm: 11,
} as const;

/** What both ends ask of Node. */
export const sessionOptions: SessionOptions & {
  maxSessionInvalidFrames: number;
  maxSessionRejectedStreams: number;
  strictSingleValueFields: boolean;
} = {
  maxSessionMemory: maxSessionMemoryMegabytes,
  maxSettings: maxSettingsEntries,
  maxHeaderListPairs: maxFields,
  maxSessionInvalidFrames: maxInvalidFrames,
  maxSessionRejectedStreams: maxRejectedStreams,
  // Blocks of fields have what other ends said; which of it may be said twice is for those to judge who read it.
  strictSingleValueFields: false,
};

/** What both ends tell the other about themselves. */
export function localSettings(maxHeaderBytes: number): Settings {
  return { enablePush: false, initialWindowSize: streamWindowBytes, maxHeaderListSize: maxHeaderBytes };
}

/** Connections to one server: each carries as many requests as the server allows, commonly 100 or more. */
export const maxSessionsPerServer = 64;
/** Requests that wait for a connection; more are refused. */
export const maxWaitingRequests = 1_024;
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
