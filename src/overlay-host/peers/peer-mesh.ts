import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, createServer, type Server, type TLSSocket } from 'node:tls';
import { WeatherError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { explainNetworkError } from '../../host/network-error.ts';
import { verifyPeer } from '../../host/peer-identity.ts';
import { readCredentials, type HostCredentials } from './credentials.ts';
import { PeerLink, type Hello } from './peer-link.ts';

/** Another host, as the configuration names it. */
export interface Peer {
  readonly hostId: number;
  /** The site name in its certificate. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export interface PeerMeshOptions {
  readonly hello: Hello;
  /** Where this host listens. */
  readonly address: string;
  readonly port: number;
  readonly peers: readonly Peer[];
  readonly trustFolder: string;
  /** Longest message, in octets. */
  readonly limitBytes: number;
  readonly log: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  readonly connected: (hello: Hello) => void;
  readonly disconnected: (hostId: number) => void;
  readonly received: (from: number, text: string) => void;
}

const protocolName = 'caravan-overlay';
const firstPauseMs = 100;
const longestPauseMs = 5000;
const handshakeTimeoutMs = 5000;
/**
 * Connections that are being made. All at once, those of a thousand hosts would keep each other from being done in time; one to a host that
 * does not answer takes its place for `handshakeTimeoutMs`.
 */
const dialsLimit = 128;
/** A renewed certificate is in use after so long at the latest. */
const reloadEveryMs = 60_000;
/** Connections that have not said who they are; each known host has at most one besides. */
const strangersLimit = 64;

/** Connections with all other hosts: one for each, dialled by the host with the lower id. */
export class PeerMesh implements AsyncDisposable {
  readonly #options: PeerMeshOptions;
  #peers: ReadonlyMap<number, Peer>;
  readonly #links = new Map<number, PeerLink>();
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Of `dialsLimit`, and calls that wait for a place, in their order: at most one for each peer. */
  #dials = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #server: Server;
  #credentials: HostCredentials;
  #isClosed = false;

  private constructor(options: PeerMeshOptions, credentials: HostCredentials) {
    this.#options = options;
    this.#credentials = credentials;
    this.#peers = new Map(options.peers.map((peer) => [peer.hostId, peer]));
    this.#server = createServer(
      {
        ...tlsOf(credentials),
        requestCert: true,
        rejectUnauthorized: false,
        ALPNProtocols: [protocolName],
        handshakeTimeout: handshakeTimeoutMs,
      },
      (socket) => this.#secured(socket, undefined),
    );
    this.#server.maxConnections = options.peers.length + strangersLimit;
    this.#server.on('connection', (socket) => this.#keep(socket));
    this.#server.on('tlsClientError', (error) => options.log.warn('a host could not connect', { reason: error.message }));
  }

  /** Listens, and begins to dial. Throws WeatherError `control-port` or those of the trust folder. */
  static async open(options: PeerMeshOptions): Promise<PeerMesh> {
    const { address, port, hello } = options;
    const mesh = new PeerMesh(options, await readCredentials(options.trustFolder));
    await new Promise<void>((resolve, reject) => {
      mesh.#server.once('error', (cause) =>
        reject(new WeatherError('control-port', explainNetworkError(cause, `${address}:${port}`), { cause })),
      );
      mesh.#server.listen(port, address, resolve);
    });
    mesh.#server.on('error', (error) => options.log.warn('accepting a host failed', { reason: error.message }));
    for (const peer of mesh.#peers.values()) if (hello.hostId < peer.hostId) mesh.#dial(peer, firstPauseMs);
    mesh.#later(reloadEveryMs, () => void mesh.#reload());
    return mesh;
  }

  get connectedHosts(): readonly number[] {
    return [...this.#links.keys()];
  }

  /** A message to a host that is not connected, or does not keep up, is lost: who waits for an answer repeats it. */
  send(to: number, text: string): void {
    this.#links.get(to)?.send(text);
  }

  /** Others than before: connections with those that are gone end, and those that have come are dialled. */
  setPeers(peers: readonly Peer[]): void {
    const before = this.#peers;
    const isSame = (one: Peer, other: Peer | undefined): boolean =>
      one.name === other?.name && one.address === other.address && one.port === other.port;
    this.#peers = new Map(
      peers.map((peer) => {
        const known = before.get(peer.hostId);
        return [peer.hostId, known !== undefined && isSame(peer, known) ? known : peer];
      }),
    );
    this.#server.maxConnections = peers.length + strangersLimit;
    for (const [hostId, peer] of before) {
      if (this.#peers.get(hostId) !== peer) this.#links.get(hostId)?.close('the list of hosts is another one');
    }
    for (const peer of this.#peers.values()) {
      if (before.get(peer.hostId) !== peer && this.#options.hello.hostId < peer.hostId) this.#dial(peer, firstPauseMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #dial(peer: Peer, pauseMs: number): void {
    if (this.#dials >= dialsLimit) this.#waiting.push(() => this.#dialNow(peer, pauseMs));
    else this.#dialNow(peer, pauseMs);
  }

  /** A connection has been made, or not: the next one's turn. */
  #dialled(): void {
    this.#dials--;
    while (this.#dials < dialsLimit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next();
    }
  }

  #dialNow(peer: Peer, pauseMs: number): void {
    if (this.#isClosed || this.#peers.get(peer.hostId) !== peer) return;
    this.#dials++;
    let isDialling = true;
    const dialled = (): void => {
      if (isDialling) this.#dialled();
      isDialling = false;
    };
    const { address, port, hostId } = peer;
    const startedMs = performance.now();
    const transport = connectTcp({ host: address, port, localAddress: this.#options.address });
    transport.on('error', () => transport.destroy());
    this.#keep(transport);
    const socket = connectTls({
      socket: transport,
      ...tlsOf(this.#credentials),
      // The name that counts is the one in the certificate's identity.
      checkServerIdentity: () => undefined,
      ALPNProtocols: [protocolName],
    });
    this.#keep(socket);
    socket.setTimeout(handshakeTimeoutMs, () => socket.destroy(new Error(`${address}:${port} does not answer`)));
    let reason = 'the peer closed the connection';
    socket.on('error', (error) => (reason = explainNetworkError(error, `${address}:${port}`)));
    socket.once('secureConnect', () => {
      this.#secured(socket, peer);
      dialled();
    });
    socket.once('close', () => {
      dialled();
      // One that lasted was good: the next attempt comes soon.
      const nextMs = performance.now() - startedMs > longestPauseMs ? firstPauseMs : Math.min(2 * pauseMs, longestPauseMs);
      if (!this.#isClosed) this.#options.log.debug('a host is not connected', { host: hostId, reason });
      this.#later(pauseMs * (0.5 + this.#options.random()), () => this.#dial(peer, nextMs));
    });
  }

  /** `dialled`: whom this host has called; undefined when the other has. */
  #secured(socket: TLSSocket, dialled: Peer | undefined): void {
    const { log, hello, limitBytes, received, connected, disconnected } = this.#options;
    socket.on('error', () => socket.destroy());
    const verdict = verifyPeer(socket, this.#credentials.networkId);
    const known = verdict.accepted ? [...this.#peers.values()].find(({ name }) => name === verdict.identity.siteName) : undefined;
    if (!verdict.accepted || known === undefined || (dialled !== undefined && dialled !== known)) {
      const reason = verdict.accepted ? `${verdict.identity.siteName} is not the host that is expected there` : verdict.reason;
      log.warn('a host was refused', { address: socket.remoteAddress, reason });
      socket.destroy();
      return;
    }
    const { hostId, name } = known;
    const link: PeerLink = new PeerLink({
      socket,
      limitBytes,
      hello,
      greeted: (greeting, said) => {
        if (said.hostId !== hostId) return false;
        this.#links.get(hostId)?.close('the host has connected anew');
        this.#links.set(hostId, greeting);
        log.info('a host is connected', { host: name, hostId, generation: said.generation });
        connected(said);
        return true;
      },
      received: (text) => received(hostId, text),
      closed: (reason) => {
        if (this.#links.get(hostId) !== link) return;
        this.#links.delete(hostId);
        disconnected(hostId);
        if (!this.#isClosed) log.warn('a host is not connected any more', { host: name, hostId, reason });
      },
    });
  }

  async #reload(): Promise<void> {
    const { trustFolder, log } = this.#options;
    try {
      const credentials = await readCredentials(trustFolder);
      if (credentials.cert !== this.#credentials.cert || credentials.ca !== this.#credentials.ca) {
        this.#credentials = credentials;
        this.#server.setSecureContext(tlsOf(credentials));
        log.info('the certificate was renewed');
      }
    } catch (error) {
      log.warn('the trust folder cannot be read', { reason: (error as Error).message });
    }
    this.#later(reloadEveryMs, () => void this.#reload());
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #later(delayMs: number, action: () => void): void {
    if (this.#isClosed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delayMs);
    this.#timers.add(timer);
  }
}

function tlsOf({ ca, cert, key }: HostCredentials): { ca: string; cert: string; key: string; minVersion: 'TLSv1.3' } {
  return { ca, cert, key, minVersion: 'TLSv1.3' };
}
