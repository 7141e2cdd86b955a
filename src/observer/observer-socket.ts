import { createServer } from 'node:http';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { listenPrivately } from '../host/line-server.ts';
import type { ObserverEvents, RestHandler } from './rest-handler.ts';
import { failure, sendAnswer } from './web-answer.ts';
import { EventStreams, windowOf } from './web-event-streams.ts';

export interface ObserverSocketOptions {
  readonly path: string;
  /** Folder of the socket, when it is outside of the site's. */
  readonly privateFolder?: string;
  readonly rest: RestHandler;
  readonly events: ObserverEvents;
  /** Answers `/control/...`; absent without a console. */
  readonly control?: RestHandler;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Commands connect for one question; a few follow events. */
const maxConnections = 64;
const requestTimeoutMs = 10_000;

/**
 * Serves HTTP without login on a unix socket of mode 0600: for the commands of the user who runs the observer. Throws WeatherError
 * `socket-in-use`, `socket-path` or `folder-not-private`.
 */
export async function openObserverSocket(options: ObserverSocketOptions): Promise<AsyncDisposable> {
  const { path, privateFolder, rest, events, control, clock, log } = options;
  const streams = new EventStreams(events, clock);
  const ended = new AbortController();
  const server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs }, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://observer');
    const method = request.method ?? 'GET';
    if (pathname === '/api/v1/events' && method === 'GET') {
      const windowMs = windowOf(searchParams);
      if (typeof windowMs !== 'number') sendAnswer(request, response, windowMs, false);
      else if (streams.isFull) sendAnswer(request, response, failure(503, 'too-many-streams', 'too many read events'), false);
      else streams.open(response, windowMs, ended.signal, () => undefined);
      return;
    }
    const handler = pathname.startsWith('/control/') && control !== undefined ? control : rest;
    void handler.handle({ method, path: pathname, query: searchParams, user: null }).then(
      (answer) => sendAnswer(request, response, answer, false),
      (error: unknown) => {
        log.error('a question over the socket was not answered', { path: pathname, reason: error });
        response.destroy();
      },
    );
  });
  server.maxConnections = maxConnections;
  server.on('clientError', (_error, socket) => socket.destroy());
  try {
    await listenPrivately(server, path, privateFolder);
  } catch (error) {
    streams[Symbol.dispose]();
    throw error;
  }
  return {
    [Symbol.asyncDispose]: async (): Promise<void> => {
      const closed = new Promise((resolve) => server.close(resolve));
      ended.abort();
      streams[Symbol.dispose]();
      server.closeAllConnections();
      await closed;
    },
  };
}
