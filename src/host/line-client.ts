import { connect } from 'node:net';
import { WeatherError } from '../base/errors.ts';
import type { LineReader } from './line-server.ts';

export interface LineExchangeOptions {
  /** Path of the unix socket. */
  readonly path: string;
  /** One line, its end included. */
  readonly line: string;
  /** Reads the answer. */
  readonly reader: LineReader;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Sends one line to a unix socket and gives the line that answers it. Throws WeatherError `not-running` when nobody
 * listens, `not-permitted`, `no-answer` after the timeout, `connection-lost` and `cancelled`; a peer that breaks the limits
 * of lines throws what the reader throws.
 */
export function exchangeLine(options: LineExchangeOptions): Promise<string> {
  const { path, line, reader, timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const finish = (result: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.destroy();
      result();
    };
    const fail = (error: unknown): void => finish(() => reject(error instanceof Error ? error : new Error(String(error))));
    const cancel = (): void => fail(new WeatherError('cancelled', 'cancelled'));
    const timer = setTimeout(
      () => fail(new WeatherError('no-answer', `no answer on ${path} within ${timeoutMs / 1000} s`, { remedy: 'try again' })),
      timeoutMs,
    );
    socket.once('connect', () => socket.write(line));
    socket.on('data', (bytes: Buffer) => {
      try {
        reader.receive(bytes);
        const answer = reader.nextLine();
        if (answer !== undefined) finish(() => resolve(answer));
      } catch (error) {
        fail(error);
      }
    });
    socket.once('error', (cause) => fail(connectionFailure(path, cause)));
    socket.once('close', () => fail(new WeatherError('connection-lost', `the connection to ${path} was closed before the answer`)));
    if (signal?.aborted === true) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
  });
}

export interface LineStreamOptions extends Omit<LineExchangeOptions, 'timeoutMs'> {
  /** Takes each line; false ends the exchange. Throwing ends it, too. */
  readonly take: (line: string) => boolean;
}

/**
 * Sends one line to a unix socket and takes the lines that come back, until `take` has enough, the signal ends it, or the other side does.
 * Throws WeatherError `not-running`, `not-permitted` and `connection-lost`, and what the reader and `take` throw.
 */
export function streamLines(options: LineStreamOptions): Promise<void> {
  const { path, line, reader, take, signal } = options;
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const end = (result: () => void): void => {
      signal?.removeEventListener('abort', stop);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.destroy();
      result();
    };
    const stop = (): void => end(resolve);
    const fail = (error: unknown): void => end(() => reject(error instanceof Error ? error : new Error(String(error))));
    socket.once('connect', () => socket.write(line));
    socket.on('data', (bytes: Buffer) => {
      try {
        reader.receive(bytes);
        for (let next = reader.nextLine(); next !== undefined; next = reader.nextLine()) {
          if (take(next)) continue;
          stop();
          return;
        }
      } catch (error) {
        fail(error);
      }
    });
    socket.once('error', (cause) => fail(connectionFailure(path, cause)));
    socket.once('close', stop);
    if (signal?.aborted === true) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

function connectionFailure(path: string, cause: NodeJS.ErrnoException): WeatherError {
  const { code } = cause;
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return new WeatherError('not-running', `nobody listens on ${path}`, { cause });
  if (code === 'EACCES' || code === 'EPERM') {
    return new WeatherError('not-permitted', `this user may not connect to ${path}`, {
      cause,
      remedy: 'run as the user that runs the site',
    });
  }
  return new WeatherError('connection-lost', `the connection to ${path} failed: ${code ?? cause.message}`, { cause });
}
