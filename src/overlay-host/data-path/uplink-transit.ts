import { release } from 'node:os';
import { WeatherError } from '../../base/errors.ts';
import type { LinuxBpf } from '../../kernel/bpf/linux-bpf.ts';
import { filterHandles } from '../../kernel/netlink/filter-message.ts';
import { removeIngressProgram, replaceIngressProgram } from '../../kernel/netlink/ingress-program.ts';
import type { Link } from '../../kernel/netlink/link-message.ts';
import type { SocketCalls } from '../../kernel/netlink/socket-calls.ts';
import type { BpfProgram } from '../../overlay/kernel.ts';
import type { PinnedLinks } from './pinned-links.ts';

/**
 * Where packets from other hosts are taken: by XDP, before the kernel has made a socket buffer of them; or by a filter of tc, where super-packets
 * stay whole, which virtual links hand over as they are.
 */
export type TransitMode = 'xdp' | 'tc';

export interface TransitPlace {
  readonly mode: TransitMode;
  /** Why this one, in words. */
  readonly reason: string;
}

export interface UplinkTransitOptions {
  readonly bpf: LinuxBpf;
  readonly calls: SocketCalls;
  readonly links: PinnedLinks;
  /** A program of the object that is loaded. */
  readonly program: (name: 'transit' | 'transit_tc') => BpfProgram;
}

export interface TransitChoice {
  readonly link: Pick<Link, 'index' | 'kind'>;
  readonly mode: TransitMode | 'auto';
  readonly xdpMode: 'native' | 'generic';
  /** The uplink of the daemon's last life. */
  readonly formerIndex?: number | undefined;
}

/** Of the program and of its pin. */
const transitName = 'transit';
const filterName = 'caravan';
/** Has a kind as virtual links have, but hardware below it, and gives XDP to that. */
const bond = 'bond';

/** Whether packets come to this link from a sender on the same machine, as large as that made them. */
export function isVirtual({ kind }: Pick<Link, 'kind'>): boolean {
  return kind !== undefined && kind !== bond;
}

/** Linux 6.3 is the first that strips outer headers of IPv4 from a packet of IPv6 as tc needs it. `kernel`: as `uname -r` has it. */
export function takesTransitByTc(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  return major > 6 || (major === 6 && minor >= 3);
}

/** What `auto` tries first at this link. */
export function usualPlace({ kind }: Pick<Link, 'kind'>, kernel: string): TransitPlace {
  if (!isVirtual({ kind })) return { mode: 'xdp', reason: 'the link is hardware' };
  if (!takesTransitByTc(kernel)) return { mode: 'xdp', reason: `Linux ${kernel} is older than 6.3, which tc takes` };
  return { mode: 'tc', reason: `a ${kind} is a virtual link` };
}

/** The transit program at the uplink: one at a time, and it stays without this process. */
export class UplinkTransit {
  readonly #options: UplinkTransitOptions;

  constructor(options: UplinkTransitOptions) {
    this.#options = options;
  }

  /**
   * Attaches the program, also where one of another life is attached, in this mode or in the other: the new one is there before the old one ends.
   * Throws WeatherError.
   */
  adopt({ link, mode, xdpMode, formerIndex }: TransitChoice): TransitPlace {
    if (formerIndex !== undefined && formerIndex !== link.index) this.remove(formerIndex);
    if (mode === 'tc') return this.#byTc(link, 'configured');
    if (mode === 'xdp') return this.#byXdp(link, xdpMode, 'configured');
    const usual = usualPlace(link, release());
    if (usual.mode === 'tc') return this.#byTc(link, usual.reason);
    try {
      return this.#byXdp(link, xdpMode, usual.reason);
    } catch (error) {
      if (!(error instanceof WeatherError)) throw error;
      return this.#byTc(link, error.message);
    }
  }

  /** There may be none. Throws NetlinkError. */
  remove(linkIndex: number): void {
    const { calls, links } = this.#options;
    links.detach(transitName);
    removeIngressProgram(calls, linkIndex, filterHandles.transit);
  }

  #byXdp({ index }: TransitChoice['link'], mode: 'native' | 'generic', reason: string): TransitPlace {
    const { bpf, calls, links } = this.#options;
    const program = this.#options.program('transit');
    if (!links.update(transitName, program)) links.pin(bpf.attachXdp(program, index, mode), transitName);
    removeIngressProgram(calls, index, filterHandles.transit);
    return { mode: 'xdp', reason };
  }

  #byTc({ index }: TransitChoice['link'], reason: string): TransitPlace {
    const { bpf, calls, links } = this.#options;
    if (!takesTransitByTc(release())) {
      throw new WeatherError('kernel-old', `transit at tc needs Linux 6.3, this is ${release()}`, { remedy: 'transit: xdp' });
    }
    const program = bpf.programDescriptor(this.#options.program('transit_tc'));
    replaceIngressProgram(calls, index, program, filterName, filterHandles.transit);
    links.detach(transitName);
    return { mode: 'tc', reason };
  }
}
