import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

/** Takes bytes and gives whole lines; throws when the peer breaks the limits. */
export interface LineReader {
  receive(bytes: Uint8Array): void;
  nextLine(): string | undefined;
}

/** The client that a line came from, for answers of more than one line. */
export interface LineStream {
  /** Sends text beside the answer: whole lines. False when the client is gone, or has not read so much that this is not sent any more. */
  send(text: string): boolean;
  /** Sends a last text in any case, and ends the connection behind it. */
  endWith(text: string): void;
  /** Aborted when the connection has ended. */
  readonly closed: AbortSignal;
}

export interface LineServerOptions {
  /** Path of the unix socket. */
  readonly path: string;
  /** A folder that is made when it is not there, and must be this user's own and closed to others. */
  readonly privateFolder?: string;
  /** A reader for one connection. */
  readonly newReader: () => LineReader;
  /** Answers one line with one line, its end included. Further lines may go to `client`. */
  readonly answer: (line: string, client: LineStream) => Promise<string>;
  /** Most lines of one connection that may be unanswered; beyond it the connection is not read. */
  readonly pendingLimit: number;
  readonly log: Logger;
  /** Ends the server as disposal does. */
  readonly signal?: AbortSignal;
}

/** Tools connect for one question and go; a console or a watcher may stay. */
const maxConnections = 64;
/** Answers that a client has not read. Beyond it no more of its requests are read. */
const maxUnreadBytes: number = 4 * 1024 * 1024;
/** Answers under way get this long at the end. */
const lingerMs = 500;
/** A live owner of a socket accepts at once; this is for a machine under load. */
const probeTimeoutMs = 1000;

/**
 * Serves lines on a unix socket of mode 0600. A socket file that nobody listens on any more is replaced. Throws
 * WeatherError `socket-in-use`, `socket-path` or `folder-not-private`.
 */
export async function openLineServer(options: LineServerOptions): Promise<AsyncDisposable> {
  const { path, privateFolder, log, signal } = options;
  const connections = new Set<LineConnection>();
  // A client may end its side behind its request and still wants the answer.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = new LineConnection(socket, options, () => connections.delete(connection));
    connections.add(connection);
  });
  server.maxConnections = maxConnections;
  await listenPrivately(server, path, privateFolder);
  server.on('error', (error) => log.warn('accepting a management connection failed', { reason: error.message }));
  const close = async (): Promise<void> => {
    signal?.removeEventListener('abort', abort);
    const closed = new Promise((resolve) => server.close(resolve));
    for (const connection of connections) connection.end();
    const timer = setTimeout(() => {
      for (const connection of connections) connection.destroy();
    }, lingerMs);
    await closed;
    clearTimeout(timer);
  };
  const abort = (): void => void close();
  if (signal?.aborted === true) await close();
  else signal?.addEventListener('abort', abort, { once: true });
  return { [Symbol.asyncDispose]: close };
}

/**
 * Has a server listen on a unix socket of mode 0600. A socket file that nobody listens on any more is replaced; `privateFolder` is made when
 * it is not there, and must be this user's own. Throws WeatherError `socket-in-use`, `socket-path` or `folder-not-private`.
 */
export async function listenPrivately(server: Server, path: string, privateFolder?: string): Promise<void> {
  if (privateFolder !== undefined) await preparePrivateFolder(privateFolder);
  await removeStaleSocket(path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new WeatherError('socket-path', `cannot listen on ${path}: ${cause.message}`, { cause, remedy: 'choose another path' })),
    );
    // The socket file is made inside `listen`; the mask closes the moment before the mode is set.
    const mask = process.umask(0o177);
    try {
      server.listen(path, resolve);
    } finally {
      process.umask(mask);
    }
  });
  await chmod(path, 0o600);
}

class LineConnection implements LineStream {
  readonly #closing = new AbortController();
  readonly #socket: Socket;
  readonly #options: LineServerOptions;
  readonly #reader: LineReader;
  #pending = 0;
  #ending = false;

  constructor(socket: Socket, options: LineServerOptions, closed: () => void) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = options.newReader();
    socket.on('data', (bytes: Buffer) => this.#received(bytes));
    socket.on('drain', () => this.#takeLines());
    socket.on('end', () => this.end());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#closing.abort();
      closed();
    });
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  send(text: string): boolean {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded || socket.writableLength > maxUnreadBytes) return false;
    socket.write(text);
    return true;
  }

  endWith(text: string): void {
    this.#ending = true;
    if (!this.#socket.writableEnded) this.#socket.end(text);
  }

  #received(bytes: Buffer): void {
    try {
      this.#reader.receive(bytes);
    } catch (error) {
      this.#options.log.warn('management connection closed', { reason: error });
      this.#socket.destroy();
      return;
    }
    this.#takeLines();
  }

  #takeLines(): void {
    while (!this.#isFull) {
      const line = this.#reader.nextLine();
      if (line === undefined) {
        if (!this.#ending) this.#socket.resume();
        return;
      }
      this.#pending++;
      this.#answer(line).catch(() => this.#socket.destroy());
    }
    this.#socket.pause();
  }

  get #isFull(): boolean {
    return this.#pending >= this.#options.pendingLimit || this.#socket.writableLength > maxUnreadBytes;
  }

  async #answer(line: string): Promise<void> {
    const text = await this.#options.answer(line, this);
    this.#pending--;
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    this.#socket.write(text);
    this.#takeLines();
    if (this.#ending && this.#pending === 0) this.#socket.end();
  }

  /** Closes after the answers under way. */
  end(): void {
    this.#ending = true;
    if (this.#pending === 0) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

async function preparePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  const owner = process.getuid?.();
  if (!found.isDirectory() || (owner !== undefined && found.uid !== owner) || (found.mode & 0o077) !== 0) {
    throw new WeatherError('folder-not-private', `${folder} is not a folder of this user alone`, {
      remedy: `chown it to this user and chmod 700 ${folder}`,
    });
  }
}

/** Removes a socket that its owner left behind. Refuses when the owner is alive, or when the file is no socket. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new WeatherError('socket-path', `${path} exists and is not a socket`, { remedy: 'move the file away or choose another path' });
  }
  if (await isAlive(path)) {
    throw new WeatherError('socket-in-use', `another process listens on ${path}`, { remedy: 'stop the other process first' });
  }
  await rm(path, { force: true });
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(probeTimeoutMs, () => end(true));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
