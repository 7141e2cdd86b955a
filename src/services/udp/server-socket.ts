/** Hears of a socket towards a server. */
export interface ServerSocketHandler {
  /** Datagrams can be sent. */
  opened(): void;
  /** A datagram of the server, which is never written again. */
  received(datagram: Uint8Array): void;
  /** The server's host has answered that nobody is there, or the socket could not be opened. The socket is closed by whoever hears it. */
  failed(reason: string): void;
  /** A datagram was not sent. */
  dropped(): void;
}

/** A socket that sends to one server and hears that server only, from a port of its own. */
export interface ServerSocket {
  /** Sends a datagram, which must not change afterwards. Only when open. */
  send(bytes: Uint8Array, start: number, end: number): void;
  close(): void;
}

/** Opens a socket; undefined when the process has no files left. The handler is called later. */
export type OpenServerSocket = (handler: ServerSocketHandler) => ServerSocket | undefined;
