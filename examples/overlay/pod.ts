import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import type { DemoHost } from './host.ts';

/** A pod as a container runtime has it: a namespace, and what the plugin said. */
export interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly host: DemoHost;
  readonly vpc: string;
  readonly subnet: string;
  /** Without prefix length; empty until it is added. */
  readonly address: string;
  /** Empty when its subnet has none. */
  readonly ipv6: string;
}

/** What is known before it is added. */
export type NewPod = Omit<Pod, 'address' | 'ipv6'>;

interface CniAnswer {
  readonly status: number;
  readonly text: string;
}

export class Plugin {
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  /** Throws what the plugin says when it refuses. */
  async add(pod: NewPod, wanted: readonly string[] = [], labels: Readonly<Record<string, string>> = {}): Promise<Pod> {
    const asked = wanted.length === 0 ? {} : { runtimeConfig: { ips: wanted } };
    const { status, text } = await this.call('ADD', pod, { ...asked, caravan: { labels } });
    if (status !== 0) throw new Error(`ADD ${pod.name}: ${text}`);
    const { ips } = JSON.parse(text) as { ips: { address: string }[] };
    const addresses = ips.map(({ address }) => address.split('/')[0] ?? '');
    const find = (isIpv6: boolean): string => addresses.find((address) => address.includes(':') === isIpv6) ?? '';
    return { ...pod, address: find(false), ipv6: find(true) };
  }

  async delete(pod: NewPod): Promise<void> {
    const { status, text } = await this.call('DEL', pod);
    if (status !== 0) throw new Error(`DEL ${pod.name}: ${text}`);
  }

  async call(command: string, pod: NewPod, more: object = {}): Promise<CniAnswer> {
    const config = {
      cniVersion: '1.1.0',
      name: 'demo',
      type: 'caravan-cni',
      socket: pod.host.cniSocket,
      vpc: pod.vpc,
      subnet: pod.subnet,
      ...more,
    };
    const child = spawn(this.#program, {
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: pod.name,
        CNI_NETNS: pathOf(pod.namespace),
        CNI_IFNAME: 'eth0',
        CNI_PATH: '/opt/cni/bin',
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.stdin.end(JSON.stringify(config));
    const [status] = (await once(child, 'close')) as [number | null];
    return { status: status ?? 255, text };
  }
}
