import { connect } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { explainNetworkError } from '../host/network-error.ts';
import { serviceConnectors } from '../management/entities.ts';
import type { RouterConfiguration } from '../management/entities.ts';
import type { ServiceConnectorEntity } from '../management/service-entities.ts';
import { maxTriedServers } from '../services/inquiry/server-view.ts';
import type { TriedServer } from '../services/inquiry/server-view.ts';
import type { SocketBudget } from './socket-budget.ts';

/** A server that has not accepted a connection by then counts as failed. */
const connectTimeoutMs = 2_000;
/** Connections that are being tried at a time; beyond it servers are not tried. */
const maxTrials = 16;

/** Opens a connection to a server and closes it again, to see whether it accepts any. */
export class ServerTrial {
  readonly #configuration: () => RouterConfiguration;
  readonly #sockets: SocketBudget;
  readonly #clock: Clock;
  #trials = 0;

  constructor(configuration: () => RouterConfiguration, sockets: SocketBudget, clock: Clock) {
    this.#configuration = configuration;
    this.#sockets = sockets;
    this.#clock = clock;
  }

  /** Tries the servers that this router offers under an address. */
  tryServers(address: string): Promise<readonly TriedServer[]> {
    const entities = serviceConnectors(this.#configuration()).filter((entity) => entity.address === address);
    return Promise.all(entities.slice(0, maxTriedServers).map((entity) => this.#tryServer(entity)));
  }

  async #tryServer(entity: ServiceConnectorEntity): Promise<TriedServer> {
    const { type } = entity;
    const untold = { type, connectMs: undefined, failure: undefined };
    const isStarted = 'activationUrl' in entity && (entity.activationUrl !== undefined || entity.activationCommand !== undefined);
    if (type === 'udpConnector' || isStarted || this.#trials >= maxTrials || !this.#sockets.take()) return untold;
    this.#trials++;
    try {
      const startedMs = this.#clock.nowMs();
      const failure = await this.#connect(entity.host, entity.port);
      return failure === undefined ? { ...untold, connectMs: this.#clock.nowMs() - startedMs } : { ...untold, failure };
    } finally {
      this.#trials--;
    }
  }

  /** Why no connection came about; undefined when one did. Where the server is, is its site's affair. */
  #connect(host: string, port: number): Promise<string | undefined> {
    return new Promise((resolve) => {
      const socket = connect({ host, port });
      socket.once('close', () => this.#sockets.release());
      const end = (failure: string | undefined): void => {
        resolve(failure);
        socket.destroy();
      };
      socket.setTimeout(connectTimeoutMs, () => end(`the server did not answer within ${connectTimeoutMs / 1000} s`));
      socket.once('connect', () => end(undefined));
      socket.on('error', (error) => end(explainNetworkError(error, 'the server')));
    });
  }
}
