import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inside } from '../network.ts';
import type { Path, Pod } from '../paths/path.ts';
import type { Processes, StartedProcess } from '../../processes.ts';

export interface LoadContext {
  readonly processes: Processes;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

export interface Metric {
  readonly key: string;
  /** Column heading, with the unit. */
  readonly title: string;
  readonly digits: number;
}

/** Numbers of one measurement, by `Metric.key`. */
export type Sample = Readonly<Record<string, number>>;

export interface Load {
  readonly name: string;
  readonly title: string;
  /** The first is the one that paths are compared by. */
  readonly metrics: readonly [Metric, ...Metric[]];
  measure(path: Path, context: LoadContext): Promise<Sample>;
}

/** Which pods speak: across the hosts, or on one. */
export type Distance = 'across' | 'same-host';

export function server(path: Path, distance: Distance): Pod {
  return distance === 'across' ? path.far : path.beside;
}

export const peerProgram: string = fileURLToPath(new URL('../pod-peer.ts', import.meta.url));

const startTimeoutMs = 10_000;
const pollMs = 20;

/** Starts a server in a pod and waits until it has written `ready`. */
export async function startServer(context: LoadContext, pod: Pod, command: readonly string[], ready: string): Promise<StartedProcess> {
  const started = await context.processes.start(`server in ${pod.place.name}`, [...inside(pod.place), ...command]);
  const deadlineMs = Date.now() + startTimeoutMs;
  while (!started.output().includes(ready)) {
    if (!started.running() || Date.now() > deadlineMs) throw new Error(`${started.name} did not start: ${started.output()}`);
    await sleep(pollMs, undefined, { signal: context.signal });
  }
  return started;
}
