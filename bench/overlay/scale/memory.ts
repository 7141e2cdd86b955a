/** Memory of maps that a pod takes beyond what the tables take when they are empty: the kernel's own figures. */
import { DaemonRig } from '../../../examples/overlay/daemon-rig.ts';
import { formatNumber, formatTable } from '../../report.ts';
import { mapHoldings } from './holdings.ts';
import { vpc, vpcs } from './subnets.ts';

export interface MemoryOfPods {
  readonly pods: number;
  readonly hosts: number;
  /** Of all maps of all hosts together: empty, and with the pods. */
  readonly emptyBytes: number;
  readonly filledBytes: number;
  /** Growth by map, in octets; maps that did not grow are left out. */
  readonly growth: ReadonlyMap<string, number>;
}

const hosts = 2;

export async function measureMemory(pods: number): Promise<MemoryOfPods> {
  await using rig = await DaemonRig.start({ prefix: 'cvmemory', hosts, vpcs });
  // The first pods of a VPC make its counters.
  const first = [await rig.add(1, vpc.name, 'many'), await rig.add(2, vpc.name, 'many')] as const;
  await rig.reaches(first[0], first[1].address);
  const sums = (): ReadonlyMap<string, number> => {
    const bytes = new Map<string, number>();
    for (const host of rig.hosts) {
      for (const [name, { memoryBytes }] of mapHoldings(host)) bytes.set(name, (bytes.get(name) ?? 0) + memoryBytes);
    }
    return bytes;
  };
  const before = sums();
  for (let number = 0; number < pods; number++) {
    const pod = await rig.add(1 + (number % hosts), vpc.name, 'many');
    if (!(await rig.reaches(pod, first[0].address))) throw new Error(`${pod.address} is not reached:\n${rig.logs()}`);
  }
  const after = sums();
  const growth = new Map(
    [...after].map(([name, bytes]) => [name, bytes - (before.get(name) ?? 0)] as const).filter(([, bytes]) => bytes !== 0),
  );
  const total = (of: ReadonlyMap<string, number>): number => [...of.values()].reduce((sum, bytes) => sum + bytes, 0);
  return { pods, hosts, emptyBytes: total(before), filledBytes: total(after), growth };
}

/** Markdown. */
export function formatMemory({ pods, emptyBytes, filledBytes, growth }: MemoryOfPods): string {
  const rows = [...growth].map(([name, bytes]) => [`\`${name}\``, formatNumber(bytes / pods, 0)]);
  const all = ['all maps of all hosts', formatNumber((filledBytes - emptyBytes) / pods, 0)];
  const table = formatTable([['map', 'octets for a pod'], ...rows, all]);
  return `### Memory of maps for a pod with one address, ${formatNumber(pods, 0)} pods (\`memory\`)\n\nFixed tables of all hosts: ${formatNumber(emptyBytes / 1_048_576, 1)} MiB.\n\n${table}`;
}
