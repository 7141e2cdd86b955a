import { createServer, type Socket } from 'node:net';
import type { Logger } from '../../base/log.ts';
import { listenPrivately } from '../../host/line-server.ts';
import { encodeReply, RequestReader, type CniReply } from '../../overlay/cni/cni-request.ts';

export interface CniServerOptions {
  /** Path of the unix socket; its folder is there. */
  readonly path: string;
  /** Answers the text of one request. Must not reject. */
  readonly handle: (request: Uint8Array) => Promise<CniReply>;
  readonly log: Logger;
}

/** Calls at a time: several times the pods of a host. The plugin tries again when it is turned away. */
const maxConnections = 1024;
/** A plugin sends its request at once. */
const requestTimeoutMs = 10_000;
/** Calls under way get this long at the end: longer than any takes that still can succeed. */
const lingerMs = 5000;

/**
 * Serves the CNI plugin on a unix socket of mode 0600: one request and one reply for each connection. Disposal takes no new calls, and
 * lets those under way end. Throws WeatherError `socket-in-use` or `socket-path`.
 */
export async function openCniServer(options: CniServerOptions): Promise<AsyncDisposable> {
  const { path, log } = options;
  const calls = new Set<Call>();
  const server = createServer((socket) => {
    const call = new Call(socket, options, () => calls.delete(call));
    calls.add(call);
  });
  server.maxConnections = maxConnections;
  await listenPrivately(server, path);
  server.on('error', (error) => log.warn('accepting a CNI call failed', { reason: error.message }));
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const call of calls) call.drain();
      const timer = setTimeout(() => {
        for (const call of calls) call.destroy();
      }, lingerMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** One start of the plugin. It stays connected until it has its reply; when it goes before, what it asked for is done all the same. */
class Call {
  readonly #socket: Socket;
  readonly #reader = new RequestReader();
  #isAnswering = false;

  constructor(socket: Socket, options: CniServerOptions, closed: () => void) {
    this.#socket = socket;
    socket.setTimeout(requestTimeoutMs, () => {
      if (!this.#isAnswering) socket.destroy();
    });
    socket.on('data', (bytes: Buffer) => this.#received(bytes, options));
    socket.on('error', () => socket.destroy());
    socket.on('close', closed);
  }

  #received(bytes: Uint8Array, { handle, log }: CniServerOptions): void {
    // Nothing is expected behind the request.
    if (this.#isAnswering) return;
    let request: Uint8Array | undefined;
    try {
      request = this.#reader.receive(bytes);
    } catch (error) {
      log.warn('a CNI call is malformed', { reason: (error as Error).message });
      this.#socket.destroy();
      return;
    }
    if (request === undefined) return;
    this.#isAnswering = true;
    void this.#answer(handle(request));
  }

  async #answer(reply: Promise<CniReply>): Promise<void> {
    const bytes = encodeReply(await reply);
    if (!this.#socket.destroyed) this.#socket.end(bytes);
  }

  /** Ends a call whose request has not come yet: the plugin asks the daemon that comes next. */
  drain(): void {
    if (!this.#isAnswering) this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
