/** Pods that are made and deleted again and again: what is left of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DaemonRig } from '../../../examples/overlay/daemon-rig.ts';
import type { Pod } from '../../../examples/overlay/pod.ts';
import { formatNumber, formatTable } from '../../report.ts';
import { residue } from './holdings.ts';
import { vpc, vpcs } from './subnets.ts';

export interface Cycles {
  readonly cycles: number;
  readonly seconds: number;
  readonly before: ReadonlyMap<string, number>;
  readonly after: ReadonlyMap<string, number>;
}

const hosts = 2;
/** Calls of the plugin at a time. */
const workers = 4;
/** Before it is counted first: blocks of addresses, counters, descriptors that are opened once. */
const warmUp = 20;
/** Owners remember deletions for 60 s. */
const restMs = 75_000;
const restStepMs = 1000;

/** Ends early when nothing is left. */
export async function measureCycles(cycles: number, progress: (line: string) => void): Promise<Cycles> {
  await using rig = await DaemonRig.start({ prefix: 'cvcycles', hosts, vpcs });
  const stays = [await rig.add(1, vpc.name, 'chosen0'), await rig.add(2, vpc.name, 'chosen0')] as const;
  if (!(await rig.reaches(stays[0], stays[1].address))) throw new Error('the two hosts do not reach each other');
  const cycle = async (number: number): Promise<void> => {
    const pod: Pod = await rig.add(1 + (number % hosts), vpc.name, 'many');
    await rig.delete(pod);
  };
  for (let number = 0; number < warmUp; number++) await cycle(number);
  const before = await settled(rig);
  const startMs = performance.now();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let number = next++; number < cycles; number = next++) {
      await cycle(number);
      if (number > 0 && number % 1000 === 0) progress(`${number} of ${cycles} cycles`);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  const seconds = (performance.now() - startMs) / 1000;
  const after = await settled(rig);
  if (!(await rig.reaches(stays[0], stays[1].address))) throw new Error('the two hosts do not reach each other any more');
  return { cycles, seconds, before, after };
}

/** What there is when nothing is under way and no deletion is remembered. */
async function settled(rig: DaemonRig): Promise<ReadonlyMap<string, number>> {
  for (let waitedMs = 0; ; waitedMs += restStepMs) {
    const found = await residue(rig);
    const isQuiet = found.get('remembered deletions') === 0 && found.get('calls under way') === 0;
    if (isQuiet || waitedMs >= restMs) return found;
    await sleep(restStepMs);
  }
}

/** Names of what there is more of than before. */
export function leftBehind({ before, after }: Cycles): string[] {
  return [...after].filter(([name, count]) => count > (before.get(name) ?? 0)).map(([name]) => name);
}

/** Markdown. */
export function formatCycles(result: Cycles): string {
  const { cycles, seconds, before, after } = result;
  const rows = [...after].map(([name, count]) => [name, formatNumber(before.get(name) ?? 0, 0), formatNumber(count, 0)]);
  const left = leftBehind(result);
  const told = left.length === 0 ? 'Nothing is left.' : `LEFT BEHIND: ${left.join(', ')}.`;
  const table = formatTable([['at all hosts', 'before', 'after'], ...rows]);
  return `### ${formatNumber(cycles, 0)} pods made and deleted in ${formatNumber(seconds, 0)} s (\`cycles\`)\n\n${told}\n\n${table}`;
}
