import { join } from 'node:path';
import { findProgram } from '../../../bench/tools.ts';
import type { RequestRecord } from '../programs/load.ts';
import type { Lab } from './lab.ts';
import { LoadRecords } from './load-records.ts';
import type { Program } from './program.ts';

const programFolder = join(import.meta.dirname, '../programs');
const clientPort = 4222;
const routePort = 6222;

export function natsMissing(): string | undefined {
  return findProgram('nats-server') === undefined ? 'nats-server is not installed (Debian: apt install nats-server)' : undefined;
}

/** One server of a cluster: the second of a host has the next ports. */
export interface NatsPlace {
  readonly host: string;
  readonly index: number;
}

/** A cluster of NATS servers in which each has a route to every other that its host is wired to. */
export class NatsCluster {
  readonly #lab: Lab;
  readonly #places: readonly NatsPlace[];
  readonly #servers: Program[] = [];

  private constructor(lab: Lab, places: readonly NatsPlace[]) {
    this.#lab = lab;
    this.#places = places;
  }

  static async start(lab: Lab, places: readonly NatsPlace[]): Promise<NatsCluster> {
    const cluster = new NatsCluster(lab, places);
    for (const index of places.keys()) await cluster.startServer(index);
    return cluster;
  }

  /** Client port of a server, on 127.0.0.1 of its host. */
  port(index: number): number {
    return clientPort + this.#places[index].index;
  }

  /** Starts a server, again after `kill`. */
  async startServer(index: number): Promise<void> {
    const { host, index: ofHost } = this.#places[index];
    const others = this.#places.filter((_, other) => other !== index);
    const routes = others.map((other) => {
      const address = other.host === host ? '127.0.0.1' : this.#lab.address(other.host, host);
      return `nats://${address}:${routePort + other.index}`;
    });
    const cluster = ['--cluster_name', 'rig', '--cluster', `nats://0.0.0.0:${routePort + ofHost}`, '--no_advertise'];
    const command = ['nats-server', '-a', '127.0.0.1', '-p', String(clientPort + ofHost), ...cluster, '--routes', routes.join(',')];
    const server = this.#lab.start(host, `nats-server ${index}`, [findProgram('nats-server') ?? '', ...command.slice(1)]);
    this.#servers[index] = server;
    await server.logged(/Server is ready/);
  }

  async kill(index: number): Promise<void> {
    await this.#servers[index].kill();
  }

  /** A client that answers requests, connected to one of the servers. */
  async respond(host: string, indexes: readonly number[]): Promise<NatsResponder> {
    const ports = indexes.map((index) => this.port(index)).join(',');
    const program = this.#lab.start(host, 'nats responder', [process.execPath, join(programFolder, 'nats-responder.ts'), host, ports], {
      answers: true,
    });
    await program.logged(/listening/);
    return new NatsResponder(program);
  }

  async load(host: string, indexes: readonly number[], ratePerSecond: number, timeoutMs = 10_000): Promise<NatsLoad> {
    const parameters = [indexes.map((index) => this.port(index)).join(','), ratePerSecond, 1, timeoutMs].map(String);
    const program = this.#lab.start(host, 'nats load', [process.execPath, join(programFolder, 'nats-load.ts'), ...parameters], {
      answers: true,
    });
    await program.logged(/running/);
    return new NatsLoad(program);
  }
}

/** The server of NATS requests, which knows those that have reached it. */
export class NatsResponder {
  readonly #program: Program;

  constructor(program: Program) {
    this.#program = program;
  }

  async ids(): Promise<readonly number[]> {
    return await this.#program.ask<number[]>('ids');
  }
}

/** The load of `Load` as NATS requests. */
export class NatsLoad {
  readonly #program: Program;

  constructor(program: Program) {
    this.#program = program;
  }

  async stop(responders: readonly NatsResponder[]): Promise<LoadRecords> {
    const records = await this.#program.ask<RequestRecord[]>('stop');
    const reached = new Map<number, number>();
    for (const responder of responders) for (const id of await responder.ids()) reached.set(id, (reached.get(id) ?? 0) + 1);
    return new LoadRecords(records, reached);
  }
}
