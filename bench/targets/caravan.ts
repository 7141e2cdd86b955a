import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { nodeFlags } from '../../src/host/node-flags.ts';
import { startRouterPair } from './router-pair.ts';
import type { Service, Target, TargetContext, TargetKind } from './target.ts';

const commandLineFile: string = join(import.meta.dirname, '../../src/cli/main.ts');

async function start(name: string, services: readonly Service[], context: TargetContext): Promise<Target> {
  const profile = (side: string): string[] =>
    context.profileDirectory === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${context.profileDirectory}`, `--cpu-prof-name=${name}-${side}-${process.pid}.cpuprofile`];
  return await startRouterPair(name, services, context, (side, file) =>
    [process.execPath, nodeFlags, profile(side), commandLineFile, 'router', '--config', file].flat(),
  );
}

function missing(): string | undefined {
  return existsSync(commandLineFile) ? undefined : `${commandLineFile} does not exist`;
}

const services: readonly Service[] = ['tcp', 'bulk', 'http1', 'http2', 'datagrams'];

/** Two Caravan routers, run from the sources. */
export const caravan: TargetKind = {
  name: 'caravan',
  services,
  describe: async () => `caravan from this checkout on Node ${process.versions.node}`,
  missing,
  start: async (context) => await start('caravan', services, context),
};

/** Two more, that carry the connections of HTTP clients as they are: what it costs to look at the requests. */
export const caravanTcp: TargetKind = {
  name: 'caravan-tcp',
  services: ['http1', 'http2'],
  describe: async () => 'the same with TCP services instead of HTTP services',
  missing,
  start: async (context) => {
    const { ports, routers } = await start('caravan-tcp', ['tcp', 'bulk'], { ...context, bulkBackendPort: context.http2BackendPort });
    return { name: 'caravan-tcp', ports: { http1: ports.tcp as number, http2: ports.bulk as number }, routers };
  },
};
