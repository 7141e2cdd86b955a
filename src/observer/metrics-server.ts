import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { explainNetworkError } from '../host/network-error.ts';

/** A Prometheus server scrapes with one connection. */
const maxConnections = 16;
const requestTimeoutMs = 10_000;

export interface MetricsServer extends AsyncDisposable {
  readonly url: string;
}

/** Serves `/metrics` and nothing else, without login. Throws WeatherError when it cannot listen. */
export async function openMetricsServer(
  listen: { readonly host: string; readonly port: number },
  metrics: () => string,
  log: Logger,
): Promise<MetricsServer> {
  const server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs }, (request, response) => {
    const isMetrics = request.url === '/metrics' && (request.method === 'GET' || request.method === 'HEAD');
    const body = isMetrics ? metrics() : 'there is /metrics here, and nothing else\n';
    response.writeHead(isMetrics ? 200 : 404, {
      'content-type': isMetrics ? 'text/plain; version=0.0.4; charset=utf-8' : 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  server.maxConnections = maxConnections;
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const reason = explainNetworkError(cause, `${listen.host}:${listen.port}`);
      reject(
        new WeatherError('cannot-listen', `/metrics cannot be served: ${reason}`, { cause, remedy: 'choose another --metrics-listen' }),
      );
    });
    server.listen(listen.port, listen.host, resolve);
  });
  server.on('error', (error) => log.warn('accepting a connection failed', { reason: error.message }));
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${port}/metrics`,
    [Symbol.asyncDispose]: async (): Promise<void> => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
