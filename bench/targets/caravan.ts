import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { nodeFlags } from '../../src/host/node-flags.ts';
import { freePorts } from '../network.ts';
import { startRouterPair } from './router-pair.ts';
import type { Service, Target, TargetContext, TargetKind } from './target.ts';

const commandLineFile: string = join(import.meta.dirname, '../../src/cli/main.ts');
const observerFile: string = join(import.meta.dirname, '../flow-observer.ts');
/** Routers tell of themselves within this. */
const observedMs = 20_000;

async function start(name: string, services: readonly Service[], context: TargetContext, clientPort?: number): Promise<Target> {
  const profile = (side: string): string[] =>
    context.profileDirectory === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${context.profileDirectory}`, `--cpu-prof-name=${name}-${side}-${process.pid}.cpuprofile`];
  const command = (side: string, file: string): readonly string[] =>
    [process.execPath, nodeFlags, profile(side), commandLineFile, 'router', '--config', file].flat();
  return await startRouterPair(name, services, context, command, clientPort);
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

/** Two more, whose flow records somebody collects all the while: what being observed costs. */
export const caravanObserved: TargetKind = {
  name: 'caravan-observed',
  services,
  byName: true,
  describe: async () => 'the same with an observer that takes all flow records, at 250 requests and connections a second one by one',
  missing,
  start: async (context) => {
    const [clientPort] = (await freePorts(1)) as [number];
    const target = await start('caravan-observed', services, context, clientPort);
    const observer = await context.processes.start('observer', [process.execPath, observerFile, String(clientPort)]);
    const endMs = performance.now() + observedMs;
    while (!observer.output().includes('observing')) {
      if (performance.now() > endMs) throw new Error(`no records came: ${observer.output()}`);
      await sleep(50);
    }
    return target;
  },
};
