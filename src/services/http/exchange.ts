/**
 * What HTTP/1.1 and HTTP/2 have in common, so that each protocol is written once for each end:
 *
 *     client ── protocol, server's end ──► HttpHandler (network) ~~~~► HttpHandler (pool) ── protocol, client's end ── server
 *                     ▲                        │     deliveries    │           ▲
 *                     └────── Responder ◄──────┘                   └ Responder ┘
 *
 * A protocol that has read the head of a request calls a handler with it, feeds the body into the `RequestSink` it gets, and takes the
 * answer as the `Responder` it gave. Calls on both may come within each other; after its own end neither is called again.
 */

/**
 * Header fields as one block of octets, in order:
 *
 *     (u8 name length, u16 value length, name, value)*      lengths big-endian; the name in lower case
 *
 * Names are tokens and values hold no CR, LF or NUL, and neither begin nor end with blanks: whoever makes a block has checked that.
 * Fields that concern one connection only (connection, keep-alive, proxy-connection, transfer-encoding, te other than trailers,
 * upgrade, expect, and all that Connection names), and content-length and host, are not in it: the heads below have what they say.
 */
export type FieldBlock = Uint8Array;

/** Fields of one head altogether, as received. */
export const maxFieldBytes = 65_535;

export interface RequestHead {
  /** A token, e.g. `GET`. */
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Host and port as the client names them; empty when it names none (HTTP/1.0). */
  readonly authority: string;
  /** Origin form (`/path?query`) or `*`; empty for CONNECT without a protocol. Visible ASCII only. */
  readonly path: string;
  readonly fields: FieldBlock;
  /** Octets of the body; 0 = no body follows, unless `upgrade` is set; -1 = as many as come. */
  readonly contentLength: number;
  /** The client waits for 100 before it sends the body. */
  readonly expectContinue: boolean;
  /** Protocol that the connection shall change to (`websocket`), from Upgrade or `:protocol`; empty = none. */
  readonly upgrade: string;
  /** Who asks, for Forwarded fields: IP address without port; empty = unknown. */
  readonly client: string;
}

export interface ResponseHead {
  /** 200 to 599; 101 with `upgrade`, whatever number the protocol in use gives it. */
  readonly status: number;
  readonly fields: FieldBlock;
  /** As above. What an answer to HEAD and a 304 say of a body that does not follow. */
  readonly contentLength: number;
  /** False for answers that have no body whatever contentLength says: to HEAD, 204, 304. */
  readonly hasBody: boolean;
  /** The connection now carries octets of the asked protocol, both ways, until both ends have ended. */
  readonly upgrade: boolean;
}

/** Why an exchange ended before its time. */
export const ExchangeFailure = {
  /** The client is gone or gave up. */
  cancelled: 0,
  /** The request has certainly not been processed: it may go to another server whatever its method. */
  notProcessed: 1,
  /** The server or the way to it broke; the request may have been processed. */
  broken: 2,
  /** The other end broke its protocol; not worth another try at the same server. */
  protocolError: 3,
  /** It took too long. */
  timeout: 4,
  /** The server could not be connected to: as `notProcessed`, and says more of the server. */
  unreachable: 5,
} as const;
export type ExchangeFailure = (typeof ExchangeFailure)[keyof typeof ExchangeFailure];

/** Takes the body of a request. */
export interface RequestSink {
  /** Octets of the body, lent for good: they must not change afterwards. */
  data(bytes: Uint8Array, start: number, end: number): void;
  /** The body is complete. With `upgrade`, the client's direction has ended. */
  end(trailers: FieldBlock | undefined): void;
  /** The client gives up, or its protocol broke: no answer is wanted any more, and the responder is not called again. */
  abort(failure: ExchangeFailure): void;
  /** Octets of the answer that could not be taken at once have gone out: `Responder.pendingBytes` fell. */
  responseWritten(): void;
  /** True while the sink has as much as it wants. `Responder.requestRelieved` tells when that changes; a little more may still come. */
  readonly congested: boolean;
}

/** Takes the answer. */
export interface Responder {
  /** 100 to 199 except 101. */
  interim(status: number, fields: FieldBlock): void;
  /** Once. */
  head(head: ResponseHead): void;
  data(bytes: Uint8Array, start: number, end: number): void;
  end(trailers: FieldBlock | undefined): void;
  /**
   * No (further) answer comes. Before `head` the protocol's end sees to it that the client hears of it as `reason` says; afterwards it cuts
   * the answer off so that the client notices. The sink is not called again.
   */
  fail(failure: ExchangeFailure, reason: string): void;
  /** The sink is not congested any more. */
  requestRelieved(): void;
  /** The request had to wait for a connection to the server, and has one now. For measurements only. */
  connected?(): void;
  /** Octets of the answer that wait here. Who gives them stops at `maxPendingBytes`; `RequestSink.responseWritten` tells when they fall. */
  readonly pendingBytes: number;
}

/** Octets of one exchange that may wait at a protocol's end, per direction. */
export const maxPendingBytes = 262_144;

export interface HttpHandler {
  /** Takes a request. Neither `fail` nor any other call of the responder comes before this returns. */
  handle(head: RequestHead, responder: Responder): RequestSink;
}
