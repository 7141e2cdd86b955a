import { findProgram } from '../tools.ts';
import { startRouterPair } from './router-pair.ts';
import type { TargetKind } from './target.ts';

/** Two skupper-routers with their defaults. */
export const skupperRouter: TargetKind = {
  name: 'skupper-router',
  services: ['tcp', 'bulk'],
  describe: async (processes) => {
    const version = await processes.run('skrouterd', [findProgram('skrouterd') as string, '--version'], { timeoutMs: 5000 });
    return `skrouterd ${version.trim()}; defaults: workerThreads 4, dataConnectionCount auto (several TLS connections make up the link)`;
  },
  missing: () => (findProgram('skrouterd') === undefined ? 'skrouterd is not on the PATH' : undefined),
  start: async (context) => {
    const program = findProgram('skrouterd') as string;
    return await startRouterPair('skupper-router', ['tcp', 'bulk'], context, (_side, file) => [program, '-c', file]);
  },
};
