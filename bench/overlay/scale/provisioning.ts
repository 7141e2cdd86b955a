/** From the start of the CNI plugin to the first answered ping, with few and many hosts and endpoints. */
import { DaemonRig } from '../../../examples/overlay/daemon-rig.ts';
import { formatNumber, formatTable } from '../../report.ts';
import { percentile } from '../../statistics.ts';
import { CrowdRun, crowdHosts } from './crowd-run.ts';
import { chosenAddress, subnetSpecs, vpc, vpcs } from './subnets.ts';

interface Case {
  /** With daemons and a data path. */
  readonly real: number;
  /** Hosts in all. */
  readonly hosts: number;
  /** Endpoints of others that each real host knows as an owner, at least about. */
  readonly standing: number;
}

const cases: readonly Case[] = [
  { real: 2, hosts: 2, standing: 0 },
  { real: 3, hosts: 4, standing: 0 },
  { real: 3, hosts: 4, standing: 100_000 },
  { real: 3, hosts: 1000, standing: 0 },
];
const answerTimeoutMs = 10_000;
/** 1,000 hosts make certificates and connections. */
const crowdTimeoutMs = 300_000;
/** Shares of owners differ: with so many more the smallest is as large as it should be. */
const spread = 1.25;
/** Owners of an address. */
const copies = 2;

export interface Provisioning extends Case {
  readonly pods: number;
  /** In the map `endpoints` of the first host, before. */
  readonly entries: number;
  /** Of the CNI call alone, and to the first answer: in ms. */
  readonly added: readonly number[];
  readonly answered: readonly number[];
  readonly callsOfPod: number;
}

/** Throws when a pod is not reached. */
export async function measureProvisioning(pods: number, progress: (line: string) => void): Promise<Provisioning[]> {
  const results: Provisioning[] = [];
  for (const one of cases) {
    progress(`${one.hosts} hosts, ${one.standing} endpoints at each`);
    const startMs = performance.now();
    const result = await measureCase(one, pods);
    results.push(result);
    progress(`${cellsOf(result).slice(1).join(' | ')}; measured in ${Math.round((performance.now() - startMs) / 1000)} s`);
  }
  return results;
}

async function measureCase(one: Case, pods: number): Promise<Provisioning> {
  const { real, hosts, standing } = one;
  const others = crowdHosts(real + 1, hosts - real);
  const count = Math.round((standing * hosts * spread) / copies);
  using started = new DisposableStack();
  let crowd: CrowdRun | undefined;
  const prepare = async (starting: DaemonRig): Promise<void> => {
    if (others.length === 0) return;
    crowd = started.use(await CrowdRun.start({ rig: starting, crowd: others, subnets: subnetSpecs, standing: { vni: vpc.vni, count } }));
  };
  await using rig = await DaemonRig.start({ prefix: 'cvscale', hosts: real, vpcs, others, prepare, startTimeoutMs: crowdTimeoutMs });
  await rig.connected(crowdTimeoutMs);
  await crowd?.told(crowdTimeoutMs);
  const members = Array.from({ length: hosts }, (_, at) => at + 1);
  const reals = rig.hosts.map(({ hostId }) => hostId);
  const chosen = chosenAddress(reals, members);
  const target = await rig.add(2, vpc.name, chosen.subnet, chosen.address);
  // Each host has a block of the subnet before it is counted: that is asked for once in 16 pods, ahead of time.
  for (const host of rig.hosts) await rig.add(host.hostId, vpc.name, 'many');
  const calls = async (): Promise<number> => {
    const statuses = await Promise.all(rig.hosts.map((host) => host.status()));
    return statuses.reduce((sum, status) => sum + (status.calls['put'] ?? 0), 0);
  };
  const { directory, endpoints } = (await rig.host(1).status()).sizes;
  const before = await calls();
  const added: number[] = [];
  const answered: number[] = [];
  for (let number = 0; number < pods; number++) {
    const pod = await rig.add(1 + (number % real), vpc.name, 'many');
    added.push(performance.now() - rig.lastAddMs);
    const pinger = await rig.pinger(pod, target.address);
    if (!(await pinger.reach(answerTimeoutMs))) throw new Error(`${pod.address} does not reach ${target.address}:\n${rig.logs()}`);
    answered.push(performance.now() - rig.lastAddMs);
  }
  return { ...one, pods, entries: directory + endpoints, added, answered, callsOfPod: ((await calls()) - before) / pods };
}

/** One row for each case. Markdown. */
export function formatProvisioning(results: readonly Provisioning[]): string {
  const header = [
    'hosts',
    'endpoints at each real host',
    'pods',
    'ADD p50 ms',
    'ADD p99 ms',
    'first answer p50 ms',
    'p99 ms',
    'calls for a pod',
  ];
  return `### From ADD to the first answered ping to another subnet (\`provisioning\`)\n\n${formatTable([header, ...results.map(cellsOf)])}`;
}

function cellsOf({ hosts, entries, pods, added, answered, callsOfPod }: Provisioning): string[] {
  return [
    formatNumber(hosts, 0),
    formatNumber(entries, 0),
    formatNumber(pods, 0),
    ...[added, answered].flatMap((times) => {
      const sorted = Float64Array.from(times).sort();
      return [percentile(sorted, 50), percentile(sorted, 99)].map((value) => formatNumber(value, 1));
    }),
    formatNumber(callsOfPod, 2),
  ];
}
