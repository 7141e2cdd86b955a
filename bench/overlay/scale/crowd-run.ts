import { spawn, type ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DaemonRig } from '../../../examples/overlay/daemon-rig.ts';
import { ip, type DemoNetwork, type HostNamespace } from '../../../examples/overlay/network.ts';
import { pathOf } from '../../../src/kernel/netlink/network-namespace.ts';
import type { SubnetSpec } from '../../../src/overlay/control/spec.ts';
import type { CrowdLine, CrowdPlan } from './crowd.ts';

const port = 45_710;
/** On the switch, where the real hosts have 192.0.2.1 and following. */
const router = '192.0.2.250';
const range = '198.18.0.0/16';
const crowdName = 'crowd';

/** Hosts with numbers from `first` on. */
export function crowdHosts(first: number, count: number): HostNamespace[] {
  return Array.from({ length: count }, (_, at) => {
    const number = first + at;
    return { number, namespace: '', address: `198.18.${number >>> 8}.${number & 255}`, uplink: '' };
  });
}

/** A namespace at the switch with all addresses of crowds. */
async function prepareNetwork(network: DemoNetwork): Promise<void> {
  const namespace = network.makeNamespace(crowdName);
  const sw = `${network.prefix}-sw`;
  await ip(namespace, `link add u type veth peer name wc netns ${sw}`);
  await ip(sw, 'link set wc master br0 up');
  await ip(namespace, `address add ${router}/24 dev u`);
  for (const link of ['u', 'lo']) await ip(namespace, `link set ${link} up`);
  await ip(namespace, `route add local ${range} dev lo`);
  for (const host of network.hosts) await ip(host.namespace, `route add ${range} via ${router}`);
}

function crowdNamespace(network: DemoNetwork): string {
  return `${network.prefix}-${crowdName}`;
}

export interface CrowdOptions {
  readonly rig: DaemonRig;
  readonly crowd: readonly HostNamespace[];
  readonly subnets: readonly SubnetSpec[];
  readonly standing: CrowdPlan['standing'];
}

/** The process of a crowd, in a namespace behind the switch. */
export class CrowdRun implements Disposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
  }

  /** Resolves when all of them listen: before the daemons begin to call them. */
  static async start({ rig, crowd, subnets, standing }: CrowdOptions): Promise<CrowdRun> {
    const { network, folder } = rig;
    await prepareNetwork(network);
    const plain = ({ number, address }: HostNamespace): CrowdPlan['crowd'][number] => ({ hostId: number, name: `host${number}`, address });
    const plan: CrowdPlan = {
      trustFolder: join(folder, 'trust'),
      port,
      real: network.hosts.map(plain),
      crowd: crowd.map(plain),
      subnets,
      standing,
    };
    const file = join(folder, 'crowd.json');
    await writeFile(file, JSON.stringify(plan));
    const program = fileURLToPath(new URL('crowd.ts', import.meta.url));
    const child = spawn('nsenter', [`--net=${pathOf(crowdNamespace(network))}`, process.execPath, program, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const run = new CrowdRun(child);
    await run.#line();
    return run;
  }

  /** Calls by which the real hosts were told of standing endpoints. Resolves when all are connected and they know them. */
  async told(timeoutMs: number): Promise<number> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    const line = await this.#line().finally(() => clearTimeout(timer));
    return 'told' in line ? line.told : 0;
  }

  async #line(): Promise<CrowdLine> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error('the crowd has ended');
    return JSON.parse(value) as CrowdLine;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
