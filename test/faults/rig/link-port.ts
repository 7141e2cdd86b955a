import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { routerId } from '../../e2e/network.ts';
import { freePort } from '../../e2e/ports.ts';
import { RouterProcess } from '../../e2e/router-process.ts';
import type { Entity } from '../../e2e/router-process.ts';
import { until } from '../../e2e/until.ts';
import type { RouterKind } from './router-kind.ts';

const host = '127.0.0.1';

/** A router with one link port without TLS, where anybody may speak AMQP. */
export class OpenLinkPort implements AsyncDisposable {
  readonly router: RouterProcess;
  readonly port: number;

  private constructor(router: RouterProcess, port: number) {
    this.router = router;
    this.port = port;
  }

  static async start(kind: RouterKind, entities: readonly Entity[] = []): Promise<OpenLinkPort> {
    const port = await freePort();
    const listener: Entity = ['listener', { name: 'links', role: 'inter-router', host, port, saslMechanisms: 'ANONYMOUS' }];
    const { command, ready } = kind;
    const router = await RouterProcess.start({ id: routerId('public'), command, ready, entities: [listener, ...entities] });
    const opened = new OpenLinkPort(router, port);
    // A skupper-router says that it runs before its ports are open.
    (await until('the link port opens', async () => await opened.dial().catch(() => undefined))).destroy();
    return opened;
  }

  async dial(): Promise<Socket> {
    const socket = connect({ host, port: this.port, noDelay: true });
    socket.on('error', () => socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.router[Symbol.asyncDispose]();
  }
}
