import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { Agent as SecureAgent, createServer as createSecureServer, request as httpsRequest } from 'node:https';
import type { AgentOptions, ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { until } from './until.ts';

const host = '127.0.0.1';

/** A server that the product knows nothing of: Node's. Disposing cuts its connections. */
export class HttpServer implements AsyncDisposable {
  readonly #server: Server;
  /** Connections that have been opened, and requests that have been read. */
  connections = 0;
  requests = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', () => this.connections++);
    server.on('request', () => this.requests++);
  }

  static async start(answer: RequestListener, tls?: ServerOptions): Promise<HttpServer> {
    const server = tls === undefined ? createServer(answer) : createSecureServer(tls, answer);
    const peer = new HttpServer(server);
    server.listen(0, host);
    await once(server, 'listening');
    return peer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** A client with kept-alive connections to one port. Disposing closes them. */
export class HttpClient implements Disposable {
  readonly #port: number;
  readonly #agent: Agent;
  readonly #isSecure: boolean;

  /** `tls`: speak TLS, with this. */
  constructor(port: number, maxSockets: number, tls?: AgentOptions) {
    this.#port = port;
    this.#isSecure = tls !== undefined;
    const options = { keepAlive: true, maxSockets };
    this.#agent = tls === undefined ? new Agent(options) : new SecureAgent({ ...options, ...tls });
  }

  async ask({ method = 'GET', path = '/', headers = {}, body }: Asked = {}): Promise<Answer> {
    const send = this.#isSecure ? httpsRequest : httpRequest;
    const request = send({ host, port: this.#port, agent: this.#agent, method, path, headers });
    request.end(body);
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    const pieces: Buffer[] = [];
    for await (const piece of answer as AsyncIterable<Buffer>) pieces.push(piece);
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(pieces) };
  }

  /** Waits until the port is open and a server answers. */
  async answering(): Promise<void> {
    await until('an answer', async () => {
      const answer = await this.ask().catch(() => undefined);
      return answer?.status === 200;
    });
  }

  /** Sends `body` piece by piece and reads the answer meanwhile; gives the length and hash of what came. */
  async exchange(path: string, body: AsyncIterable<Uint8Array>): Promise<{ status: number; bytes: number; hash: string }> {
    const send = this.#isSecure ? httpsRequest : httpRequest;
    const request = send({ host, port: this.#port, agent: this.#agent, method: 'POST', path });
    const sending = (async () => {
      for await (const piece of body) if (!request.write(piece)) await once(request, 'drain');
      request.end();
    })();
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    const { bytes, hash } = await hashed(answer);
    await sending;
    return { status: answer.statusCode ?? 0, bytes, hash };
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

export async function hashed(stream: AsyncIterable<Uint8Array>): Promise<{ bytes: number; hash: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of stream) {
    bytes += piece.length;
    hash.update(piece);
  }
  return { bytes, hash: hash.digest('hex') };
}
