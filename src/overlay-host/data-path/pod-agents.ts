import type { BpfProgram } from '../../overlay/kernel.ts';
import type { LinuxBpf } from '../../kernel/bpf/linux-bpf.ts';
import {
  attachIngressProgram,
  detachIngressPrograms,
  ingressPrograms,
  replaceIngressProgram,
} from '../../kernel/netlink/ingress-program.ts';
import type { SocketCalls } from '../../kernel/netlink/socket-calls.ts';
import type { PinnedLinks } from './pinned-links.ts';

/**
 * How the pods' frames are taken: by a filter of tc, which is attached at once; by tcx, which keeps the kernel some milliseconds at each pod;
 * by XDP, which takes segmentation offload from the pods.
 */
export type AgentMode = 'tc' | 'tcx' | 'xdp';

export interface PodAgentsOptions {
  readonly bpf: LinuxBpf;
  readonly calls: SocketCalls;
  readonly links: PinnedLinks;
  readonly mode: AgentMode;
  /** A program of the object that is loaded. */
  readonly program: (name: 'agent_tc' | 'agent_xdp') => BpfProgram;
}

const pinPrefix = 'pod_';
const filterName = 'caravan';

/** The agent at the root sides of pods' links. */
export class PodAgents {
  readonly #options: PodAgentsOptions;

  constructor(options: PodAgentsOptions) {
    this.#options = options;
  }

  /** To a link that is new. Rejects with WeatherError. */
  async attach(ifindex: number): Promise<void> {
    const { bpf, calls, links, mode } = this.#options;
    // A pin that a link of the same number left, which is gone.
    this.forget(ifindex);
    if (mode === 'tc') await attachIngressProgram(calls, ifindex, bpf.programDescriptor(this.#program), filterName);
    else if (mode === 'tcx') links.pin(await bpf.attachTcxIngressAway(this.#program, ifindex), pinName(ifindex));
    else links.pin(bpf.attachXdp(this.#program, ifindex, 'native'), pinName(ifindex));
  }

  /** The link goes: its program goes with it. */
  forget(ifindex: number): void {
    this.#options.links.forget(pinName(ifindex));
  }

  isAttached(ifindex: number): boolean {
    const { calls, links, mode } = this.#options;
    return mode === 'tc' ? ingressPrograms(calls, ifindex).length > 0 : links.isThere(pinName(ifindex));
  }

  /** These links are there from another life of the daemon: they get this agent, in this mode, and what took their frames before ends. */
  adopt(indexes: readonly number[]): void {
    const { bpf, calls, links, mode } = this.#options;
    const there = new Set(indexes.map(pinName));
    for (const name of links.names()) if (name.startsWith(pinPrefix) && !there.has(name)) links.forget(name);
    for (const ifindex of indexes) {
      const name = pinName(ifindex);
      if (mode === 'tc') {
        replaceIngressProgram(calls, ifindex, bpf.programDescriptor(this.#program), filterName);
        links.detach(name);
        continue;
      }
      if (!this.#update(name)) {
        const attached = mode === 'tcx' ? bpf.attachTcxIngress(this.#program, ifindex) : bpf.attachXdp(this.#program, ifindex, 'native');
        links.pin(attached, name);
      }
      detachIngressPrograms(calls, ifindex);
    }
  }

  /** A link of the other mode takes no program of this one: it ends, and is made anew. */
  #update(name: string): boolean {
    const { links } = this.#options;
    try {
      return links.update(name, this.#program);
    } catch {
      links.detach(name);
      return false;
    }
  }

  get #program(): BpfProgram {
    const { program, mode } = this.#options;
    return program(mode === 'xdp' ? 'agent_xdp' : 'agent_tc');
  }
}

function pinName(ifindex: number): string {
  return `${pinPrefix}${ifindex}`;
}
