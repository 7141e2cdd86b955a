import { join } from 'node:path';
import type { Direction, Shape } from '../programs/shaper.ts';
import type { Lab } from './lab.ts';
import type { Program } from './program.ts';

const program = join(import.meta.dirname, '../programs/shaper.ts');

export interface ShaperEnds {
  /** Where the shaper runs and listens. */
  readonly host: string;
  readonly port: number;
  readonly targetHost: string;
  readonly targetPort: number;
}

/** A shaper as a process: bad lines for TCP connections, for what the kernel has no queueing discipline for. */
export class Shaper {
  readonly #program: Program;

  private constructor(started: Program) {
    this.#program = started;
  }

  static async start(lab: Lab, ends: ShaperEnds): Promise<Shaper> {
    const parameters = ['0.0.0.0', String(ends.port), ends.targetHost, String(ends.targetPort)];
    const started = lab.start(ends.host, `shaper ${ends.port}`, [process.execPath, program, ...parameters], { answers: true });
    await started.logged(/listening/);
    return new Shaper(started);
  }

  /** Sets both directions; what is not said is clear. `reset` cuts what stands. Gives the number of connections. */
  async set(shape: {
    readonly toTarget?: Partial<Direction>;
    readonly fromTarget?: Partial<Direction>;
    readonly reset?: boolean;
  }): Promise<number> {
    const clear: Direction = { delayMs: 0, jitterMs: 0, bytesPerSecond: 0, stalled: false };
    const question: Shape = {
      toTarget: { ...clear, ...shape.toTarget },
      fromTarget: { ...clear, ...shape.fromTarget },
      reset: shape.reset === true,
    };
    const { connections } = await this.#program.ask<{ connections: number }>(question);
    return connections;
  }
}
