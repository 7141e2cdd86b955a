import { fileURLToPath } from 'node:url';
import { obstacle } from '../../../examples/overlay/requirements.ts';
import { formatCycles, leftBehind, measureCycles } from './cycles.ts';
import { formatMemory, measureMemory } from './memory.ts';
import { formatProvisioning, measureProvisioning } from './provisioning.ts';

export interface FigureOptions {
  readonly pods: number;
  readonly cycles: number;
}

export interface FigureResult {
  /** Markdown. */
  readonly text: string;
  readonly data: unknown;
  /** What is not as it must be. */
  readonly misses: readonly string[];
}

/** Measured with real daemons; only when named, since each takes minutes. */
export interface Figure {
  readonly name: string;
  measure(options: FigureOptions, progress: (line: string) => void): Promise<FigureResult>;
}

const project = fileURLToPath(new URL('../../..', import.meta.url));
/** Beyond fixed tables. */
const mostBytesOfPod = 1024;
/** One to each owner of its address. */
const callsOfPod = 2;

/** Why they cannot be measured here; undefined: they can. */
export function figuresMissing(): string | undefined {
  return obstacle(project);
}

export const figures: readonly Figure[] = [
  {
    name: 'provisioning',
    async measure({ pods }, progress) {
      const data = await measureProvisioning(pods, progress);
      const wrong = data.filter((one) => one.callsOfPod !== callsOfPod);
      const misses = wrong.map((one) => `${one.hosts} hosts, ${one.standing} endpoints: ${one.callsOfPod} calls for a pod`);
      return { text: formatProvisioning(data), data, misses };
    },
  },
  {
    name: 'cycles',
    async measure({ cycles }, progress) {
      const data = await measureCycles(cycles, progress);
      const misses = leftBehind(data).map((name) => `left behind by ${cycles} pods: ${name}`);
      return { text: formatCycles(data), data: { ...data, before: [...data.before], after: [...data.after] }, misses };
    },
  },
  {
    name: 'memory',
    async measure({ pods }) {
      const data = await measureMemory(pods);
      const ofPod = (data.filledBytes - data.emptyBytes) / pods;
      const misses = ofPod > mostBytesOfPod ? [`a pod takes ${Math.round(ofPod)} octets of maps`] : [];
      return { text: formatMemory(data), data: { ...data, growth: [...data.growth] }, misses };
    },
  },
];
