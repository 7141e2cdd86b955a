import { closeSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { assert, WeatherError } from '../../base/errors.ts';
import type { BpfLink, BpfProgram } from '../../overlay/kernel.ts';
import type { OpenHandles } from '../ffi/open-handles.ts';
import { pin, unpin } from './bpffs.ts';
import { kernelError } from './kernel-errors.ts';
import { attachTypes, programTypes, xdpModes } from './kernel-constants.ts';
import type { Native } from './libbpf.ts';
import { LinuxProgram } from './linux-program.ts';

const { EBUSY, EEXIST, EOPNOTSUPP, ENOENT, ENODEV, EINVAL } = constants.errno;

/** A program that is attached to an interface, as the kernel's bpf_link. */
export class LinuxLink implements BpfLink {
  readonly #native: Native;
  readonly #fd: number;
  readonly #release: () => void;
  #isClosed = false;
  #pinnedAt: string | undefined;

  constructor(native: Native, handles: OpenHandles, fd: number, what: string, pinnedAt?: string) {
    this.#native = native;
    this.#fd = fd;
    this.#pinnedAt = pinnedAt;
    this.#release = handles.add(what, () => {
      this.#isClosed = true;
      closeSync(fd);
    });
  }

  pin(path: string): void {
    this.#checkOpen();
    pin(this.#native, this.#fd, path, 'The link');
    this.#pinnedAt = path;
  }

  update(program: BpfProgram): void {
    this.#checkOpen();
    const result = this.#native.libbpf.bpf_link_update(this.#fd, linuxProgram(program).fd, null);
    if (result < 0) throw kernelError('bpf-attach', `The link cannot take program ${program.name}`, result);
  }

  /** Takes the program off the interface, removes the pin, and closes. */
  detach(): void {
    this.#checkOpen();
    const result = this.#native.libbpf.bpf_link_detach(this.#fd);
    if (result < 0) throw kernelError('bpf-attach', 'The program cannot be detached', result);
    if (this.#pinnedAt !== undefined) unpin(this.#pinnedAt);
    this.close();
  }

  /** The program stays attached if the link is pinned. */
  close(): void {
    this.#release();
  }

  #checkOpen(): void {
    assert(!this.#isClosed, 'a link is used after it was closed');
  }
}

/** Attaches with BPF_LINK_CREATE. Throws WeatherError `bpf-attach`. */
export function attachXdp(
  native: Native,
  handles: OpenHandles,
  program: BpfProgram,
  ifindex: number,
  mode: 'native' | 'generic',
): LinuxLink {
  const { fd, type } = linuxProgram(program);
  assert(type === programTypes.xdp, `${program.name} is no XDP program`);
  const link = native.libbpf.bpf_link_create(fd, ifindex, attachTypes.xdp, xdpLinkOptions(xdpModes[mode]));
  if (link < 0)
    throw kernelError('bpf-attach', `${program.name} cannot be attached to interface ${ifindex} as ${mode} XDP`, link, xdpRemedy(link));
  return new LinuxLink(native, handles, link, `XDP on interface ${ifindex}`);
}

/** struct bpf_link_create_opts: 0 size_t sz  8 u32 flags */
export function xdpLinkOptions(flags: number): Uint8Array {
  const options = new Uint8Array(16);
  const view = new DataView(options.buffer);
  view.setBigUint64(0, BigInt(options.length), true);
  view.setUint32(8, flags, true);
  return options;
}

function xdpRemedy(result: number): string | undefined {
  switch (-result) {
    case EBUSY:
    case EEXIST:
      return 'Another XDP program is there: `ip -details link` shows it, and its owner or `ip link set dev NAME xdp off` removes it.';
    case EOPNOTSUPP:
      return 'Its driver has no native XDP, or its MTU is too large for it (veth: 3506): use generic XDP or a smaller MTU.';
    case EINVAL:
      return 'The interface is not in this network namespace, or the kernel is older than 5.9.';
    default:
      return undefined;
  }
}

/** Attaches with BPF_LINK_CREATE; libbpf has a call of its own for that since 1.3. Throws WeatherError `bpf-attach`. */
export function attachTcxIngress(native: Native, handles: OpenHandles, program: BpfProgram, ifindex: number): LinuxLink {
  const link = native.libbpf.bpf_link_create(tcProgram(program), ifindex, attachTypes.tcxIngress, null);
  return tcxLink(native, handles, program, ifindex, link);
}

/** The same on another thread: the kernel waits some milliseconds until no packet is in the hook any more. Nobody may close the object before. */
export async function attachTcxIngressAway(native: Native, handles: OpenHandles, program: BpfProgram, ifindex: number): Promise<LinuxLink> {
  const { async: create } = native.libbpf.bpf_link_create as unknown as { readonly async: CreateAway };
  const link = await new Promise<number>((resolve, reject) => {
    create(tcProgram(program), ifindex, attachTypes.tcxIngress, null, (error, result) =>
      error === null ? resolve(result) : reject(error),
    );
  });
  return tcxLink(native, handles, program, ifindex, link);
}

type CreateAway = (
  programFd: number,
  target: number,
  attachType: number,
  options: null,
  done: (error: Error | null, result: number) => void,
) => void;

function tcProgram(program: BpfProgram): number {
  const { fd, type } = linuxProgram(program);
  assert(type === programTypes.tc, `${program.name} is no tc program`);
  return fd;
}

function tcxLink(native: Native, handles: OpenHandles, program: BpfProgram, ifindex: number, link: number): LinuxLink {
  if (link < 0) {
    const remedy = link === -EINVAL ? 'tcx links need Linux 6.6: on an older kernel use XDP at the pods.' : undefined;
    throw kernelError('bpf-attach', `${program.name} cannot be attached to interface ${ifindex} at tcx ingress`, link, remedy);
  }
  return new LinuxLink(native, handles, link, `tcx ingress on interface ${ifindex}`);
}

/**
 * Opens a link that is pinned; undefined when there is none. A link whose interface is gone is none: its pin is removed.
 * Throws WeatherError `bpf-pin`.
 */
export function openPinnedLink(native: Native, handles: OpenHandles, path: string): LinuxLink | undefined {
  const fd = native.libbpf.bpf_obj_get(path);
  if (fd === -ENOENT) return undefined;
  if (fd < 0) throw kernelError('bpf-pin', `The pinned link ${path} cannot be opened`, fd);
  if (!readlinkSync(`/proc/self/fd/${fd}`).includes('bpf_link') && !readlinkSync(`/proc/self/fd/${fd}`).includes('bpf-link')) {
    closeSync(fd);
    throw new WeatherError('bpf-pin', `${path} is pinned, but no link`);
  }
  const link = new LinuxLink(native, handles, fd, `link pinned at ${path}`, path);
  if (linkedInterface(native, fd) !== 0) return link;
  unpin(path);
  link.close();
  return undefined;
}

/**
 * The interface that a link is attached to; 0 when that is gone.
 *
 * struct bpf_link_info: 0 u32 type  4 u32 id  8 u32 prog_id  16 u32 ifindex (XDP and tcx)
 */
function linkedInterface({ libbpf }: Native, fd: number): number {
  const info = new Uint8Array(64);
  const result = libbpf.bpf_obj_get_info_by_fd(fd, info, Uint32Array.of(info.length));
  if (result === -ENODEV) return 0;
  if (result < 0) throw kernelError('bpf-pin', 'A pinned link cannot be examined', result);
  return new DataView(info.buffer).getUint32(16, true);
}

function linuxProgram(program: BpfProgram): LinuxProgram {
  assert(program instanceof LinuxProgram, `${program.name} was not loaded by this kernel`);
  return program;
}
