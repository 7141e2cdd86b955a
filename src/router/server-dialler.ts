import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { explainNetworkError } from '../host/network-error.ts';
import { explainTlsFailure } from '../host/peer-identity.ts';
import { logRefusal } from './service.ts';
import type { ServiceContext } from './service.ts';
import { ServerTls } from './service-tls.ts';
import type { TlsProfile } from './tls-profiles.ts';

/** The attributes of servers that connections are made to. */
export interface ServerEntity {
  readonly type: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly sslProfile?: string;
  readonly verifyHostname?: boolean;
}

export interface ServerDiallerOptions {
  /** A server that has not accepted within this time, TLS included, counts as failed. */
  readonly timeoutMs: number;
  /** Application protocols to ask for with TLS, in order of preference. */
  readonly protocols: readonly string[];
}

/** Opens connections to one server, within the budget of sockets. */
export class ServerDialler {
  readonly #context: ServiceContext;
  readonly #entity: ServerEntity;
  readonly #timeoutMs: number;
  readonly #tls: ServerTls | undefined;

  constructor(context: ServiceContext, entity: ServerEntity, { timeoutMs, protocols }: ServerDiallerOptions) {
    this.#context = context;
    this.#entity = entity;
    this.#timeoutMs = timeoutMs;
    const { sslProfile, host, verifyHostname = true } = entity;
    if (sslProfile !== undefined) this.#tls = new ServerTls(context.tlsProfile(sslProfile), { host, verifyHostname, protocols });
  }

  /**
   * Connects; exactly one of the callbacks is called, later. `transport` is what lies below TLS, or the same socket; both are half-open.
   * The returned function gives up.
   */
  dial(connected: (socket: Socket, transport: Socket) => void, failed: (error: Error) => void): () => void {
    const { sockets, turns } = this.#context;
    if (!sockets.take()) {
      logRefusal(this.#context, this.#entity);
      const refusal = setImmediate(() => {
        failed(new Error('no file descriptors are left'));
        turns.touch();
      });
      return () => clearImmediate(refusal);
    }
    const { host, port } = this.#entity;
    const transport = connect({ host, port, allowHalfOpen: true, noDelay: true });
    transport.once('close', () => sockets.release());
    let done = false;
    const fail = (error: Error): void => {
      if (done) return;
      done = true;
      transport.destroy();
      failed(new Error(explainDialFailure(error, `${host}:${port}`), { cause: error }));
      turns.touch();
    };
    const succeed = (socket: Socket): void => {
      transport.setTimeout(0);
      // Below TLS nobody else listens.
      socket.off('error', fail);
      if (done) return;
      done = true;
      connected(socket, transport);
      turns.touch();
    };
    transport.setTimeout(this.#timeoutMs, () => fail(new Error(`no answer within ${this.#timeoutMs} ms`)));
    transport.on('error', fail);
    transport.once('connect', () => {
      if (done) return;
      const tls = this.#tls?.wrap(transport);
      if (tls === undefined) {
        succeed(transport);
        return;
      }
      tls.once('secureConnect', () => succeed(tls));
      tls.on('error', fail);
      tls.once('close', () => fail(new Error('the connection was closed')));
    });
    return () => {
      done = true;
      transport.on('error', () => {});
      transport.destroy();
    };
  }

  /** New certificates for connections to come. */
  renew(profile: TlsProfile): void {
    this.#tls?.renew(profile);
  }
}

/** Codes of OpenSSL's verification, as Node gives them. */
const verificationCode = /^(?:CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_(?:PURPOSE|CA)|PATH_LENGTH|UNSPECIFIED)/;

/** Why it failed: the certificate of the server, or what the network said. */
function explainDialFailure(error: Error, place: string): string {
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && verificationCode.test(code)
    ? `${place}: ${explainTlsFailure(code, 'by an authority of the sslProfile')}`
    : explainNetworkError(error, place);
}
