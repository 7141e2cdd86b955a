import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../../../bench/tools.ts';
import type { Lab } from './lab.ts';
import { backendPort } from './load.ts';
import type { Program } from './program.ts';

const servicePort = 8000;
const linkPort = 8100;

export function haproxyMissing(): string | undefined {
  return findProgram('haproxy') === undefined ? 'haproxy is not installed (Debian: apt install haproxy)' : undefined;
}

/** HAProxy at two sites in TCP mode, the one before the other, as masters with a worker each that is replaced at a reload. */
export class HaproxyPair {
  /** On host a. */
  readonly port: number = servicePort;
  readonly #masters: readonly Program[];

  private constructor(masters: readonly Program[]) {
    this.#masters = masters;
  }

  /** Between hosts a and b, which have a wire; the server is on b. */
  static async start(lab: Lab): Promise<HaproxyPair> {
    const start = async (host: string, bind: string, server: string): Promise<Program> => {
      const file = join(lab.folder, `haproxy-${host}.cfg`);
      await writeFile(
        file,
        [
          'global',
          '  maxconn 4000',
          'defaults',
          '  mode tcp',
          '  timeout connect 5s',
          '  timeout client 1m',
          '  timeout server 1m',
          'listen service',
          `  bind ${bind}`,
          `  server next ${server}`,
          '',
        ].join('\n'),
      );
      return lab.start(host, `haproxy ${host}`, [findProgram('haproxy') ?? 'haproxy', '-W', '-db', '-f', file]);
    };
    return new HaproxyPair([
      await start('a', `127.0.0.1:${servicePort}`, `${lab.address('b', 'a')}:${linkPort}`),
      await start('b', `${lab.address('b', 'a')}:${linkPort}`, `127.0.0.1:${backendPort}`),
    ]);
  }

  /** Replaces the worker of the first (0) or second (1) process; the old one finishes what it has. */
  reload(index: number): void {
    this.#masters[index].signal('SIGUSR2');
  }
}
