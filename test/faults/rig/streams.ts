import { join } from 'node:path';
import type { StreamReport } from '../programs/streams.ts';
import type { Lab } from './lab.ts';
import type { Program } from './program.ts';

const programFolder = join(import.meta.dirname, '../programs');

/** Port of the echo server on its host. */
export const echoPort = 8081;

export async function startEcho(lab: Lab, host: string): Promise<Program> {
  const program = lab.start(host, 'echo', [process.execPath, join(programFolder, 'echo.ts'), String(echoPort)]);
  await program.logged(/listening/);
  return program;
}

/** Long hashed connections to an echo service, as a process. */
export class Streams {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  static async start(lab: Lab, host: string, ports: readonly number[], count: number, bytesPerSecond: number): Promise<Streams> {
    const parameters = ['127.0.0.1', ports.join(','), count, bytesPerSecond].map(String);
    const program = lab.start(host, 'streams', [process.execPath, join(programFolder, 'streams.ts'), ...parameters], { answers: true });
    await program.logged(/running/);
    return new Streams(program);
  }

  /** Ends them in order and gives what became of each. */
  async stop(): Promise<readonly StreamReport[]> {
    const reports = await this.#program.ask<StreamReport[]>('stop');
    await this.#program.stop();
    return reports;
  }
}
