import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { nodeFlags } from '../../src/host/node-flags.ts';
import { startRouterPair } from './router-pair.ts';
import type { TargetKind } from './target.ts';

const commandLineFile: string = join(import.meta.dirname, '../../src/cli/main.ts');

/** Two Caravan routers, run from the sources. */
export const caravan: TargetKind = {
  name: 'caravan',
  describe: async () => `caravan from this checkout on Node ${process.versions.node}`,
  missing: () => (existsSync(commandLineFile) ? undefined : `${commandLineFile} does not exist`),
  start: async (context) => {
    const profile = (side: string): string[] =>
      context.profileDirectory === undefined
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${context.profileDirectory}`, `--cpu-prof-name=${side}-${process.hrtime.bigint()}.cpuprofile`];
    return await startRouterPair('caravan', context, (side, file) =>
      [process.execPath, nodeFlags, profile(side), commandLineFile, 'router', '--config', file].flat(),
    );
  },
};
