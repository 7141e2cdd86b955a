import { isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls, createSecureContext, createServer as createTlsServer } from 'node:tls';
import type { SecureContextOptions, Server as TlsServer, TLSSocket } from 'node:tls';
import type { TlsProfile } from './tls-profiles.ts';

/** A client must have finished its handshake within this time. */
const handshakeTimeoutMs = 8_000;
/** Clients and servers of services are not ours to choose: TLS 1.2 is spoken with those that have nothing newer. */
const minVersion = 'TLSv1.2';

function contextOptions({ options }: TlsProfile): SecureContextOptions {
  return { ...options, minVersion };
}

export interface ClientTlsOptions {
  /** Clients without a certificate of the profile's authorities are refused. */
  readonly requireCertificate: boolean;
  /** Application protocols in order of preference; none = the client's wishes are not looked at. */
  readonly protocols: readonly string[];
  readonly secured: (socket: TLSSocket, transport: Socket) => void;
  /** The client is gone or its handshake failed; its socket is closed. */
  readonly failed: (reason: string, transport: Socket) => void;
}

/** TLS towards clients: takes accepted sockets through the handshake. New certificates are for handshakes to come. */
export class ClientTls {
  readonly #server: TlsServer;
  /** Sockets in their handshake, by their ends. As many as have been accepted: the owner bounds them. */
  readonly #shaking = new Map<string, Socket>();

  constructor(profile: TlsProfile, options: ClientTlsOptions) {
    const { requireCertificate, protocols, secured, failed } = options;
    this.#server = createTlsServer({
      ...contextOptions(profile),
      requestCert: requireCertificate,
      rejectUnauthorized: requireCertificate,
      handshakeTimeout: handshakeTimeoutMs,
      ...(protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] }),
    });
    this.#server.on('secureConnection', (socket) => {
      const ends = endsOf(socket);
      const transport = this.#shaking.get(ends);
      this.#shaking.delete(ends);
      if (transport === undefined) socket.destroy();
      else secured(socket, transport);
    });
    this.#server.on('tlsClientError', (error, socket) => {
      failed(error.message, socket);
      socket.destroy();
    });
  }

  take(transport: Socket): void {
    // Already gone again.
    if (transport.remoteAddress === undefined) {
      transport.destroy();
      return;
    }
    const ends = endsOf(transport);
    this.#shaking.set(ends, transport);
    // What goes wrong is told by the socket above it.
    transport.on('error', () => {});
    transport.once('close', () => {
      if (this.#shaking.get(ends) === transport) this.#shaking.delete(ends);
    });
    this.#server.emit('connection', transport);
  }

  renew(profile: TlsProfile): void {
    this.#server.setSecureContext(contextOptions(profile));
  }

  /** Ends handshakes under way. */
  stop(): void {
    for (const transport of this.#shaking.values()) transport.destroy();
  }
}

/** Remote and local address as one text. A TLS socket gives the same as the socket below it. */
function endsOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort} ${socket.localAddress}:${socket.localPort}`;
}

export interface ServerTlsOptions {
  readonly host: string;
  /** The certificate of the server must name the host. */
  readonly verifyHostname: boolean;
  /** Application protocols to ask for, in order of preference. */
  readonly protocols: readonly string[];
}

/** TLS towards a server. New certificates are for connections to come. */
export class ServerTls {
  readonly #options: ServerTlsOptions;
  #context: ReturnType<typeof createSecureContext>;

  constructor(profile: TlsProfile, options: ServerTlsOptions) {
    this.#options = options;
    this.#context = createSecureContext(contextOptions(profile));
  }

  renew(profile: TlsProfile): void {
    this.#context = createSecureContext(contextOptions(profile));
  }

  /** Begins the handshake over a connected socket; `secureConnect` or `error` of the result says how it ended. */
  wrap(transport: Socket): TLSSocket {
    const { host, verifyHostname, protocols } = this.#options;
    return connectTls({
      socket: transport,
      host,
      secureContext: this.#context,
      minVersion,
      ...(protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] }),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(verifyHostname ? {} : { checkServerIdentity: (): undefined => undefined }),
    });
  }
}
