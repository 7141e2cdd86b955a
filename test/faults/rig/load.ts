import { join } from 'node:path';
import type { RequestRecord } from '../programs/load.ts';
import type { Lab } from './lab.ts';
import { LoadRecords } from './load-records.ts';
import type { Program } from './program.ts';

const programFolder = join(import.meta.dirname, '../programs');

/** Port of a backend, on a host of its own network. */
export const backendPort = 8080;

/** A server behind a service, as a process that knows which requests have reached it. */
export class Backend {
  readonly program: Program;

  private constructor(program: Program) {
    this.program = program;
  }

  static async start(lab: Lab, host: string, options: { name?: string; port?: number; delayMs?: number } = {}): Promise<Backend> {
    const { name = host, port = backendPort, delayMs = 0 } = options;
    const command = [process.execPath, join(programFolder, 'backend.ts'), name, String(port), String(delayMs)];
    const program = lab.start(host, `backend ${name}`, command, { answers: true });
    await program.logged(/listening/);
    return new Backend(program);
  }

  /** Ids of the requests that have reached it, as often as they did. */
  async ids(): Promise<readonly number[]> {
    return await this.program.ask<number[]>('ids');
  }
}

export interface LoadOptions {
  /** 127.0.0.1 of the host it runs on, unless told otherwise. */
  readonly target?: string;
  readonly ports: readonly number[];
  readonly ratePerSecond: number;
  /** A request without an answer fails after this time. */
  readonly timeoutMs?: number;
  /** Ids of several loads of one row must not overlap. */
  readonly firstId?: number;
}

/** Load as a process of its own. */
export class Load {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  static async start(lab: Lab, host: string, options: LoadOptions): Promise<Load> {
    const { target = '127.0.0.1', ports, ratePerSecond, timeoutMs = 10_000, firstId = 1 } = options;
    const parameters = [target, ports.join(','), ratePerSecond, firstId, timeoutMs].map(String);
    const program = lab.start(host, 'load', [process.execPath, join(programFolder, 'load.ts'), ...parameters], { answers: true });
    await program.logged(/running/);
    return new Load(program);
  }

  /** Ends the load and gives what became of each request. `backends` say which requests reached a server. */
  async stop(backends: readonly Backend[]): Promise<LoadRecords> {
    const records = await this.#program.ask<RequestRecord[]>('stop');
    const reached = new Map<number, number>();
    for (const backend of backends) for (const id of await backend.ids()) reached.set(id, (reached.get(id) ?? 0) + 1);
    await this.#program.stop();
    return new LoadRecords(records, reached);
  }
}
