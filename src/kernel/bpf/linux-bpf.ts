import { assert } from '../../base/errors.ts';
import type { Bpf, BpfLink, BpfObject, BpfProgram } from '../../overlay/kernel.ts';
import { OpenHandles } from '../ffi/open-handles.ts';
import { mountBpffs, unmountBpffs } from './bpffs.ts';
import { type Native, openNative } from './libbpf.ts';
import { attachTcxIngress, attachTcxIngressAway, attachXdp, openPinnedLink } from './linux-link.ts';
import { LinuxObject } from './linux-object.ts';
import { openPinnedMap, type PinnedMap } from './linux-pinned-map.ts';
import { LinuxProgram } from './linux-program.ts';
import { selfTest } from './self-test.ts';

/**
 * eBPF of the kernel that this process runs on, through libbpf. Everything is synchronous and stays on the calling thread: interfaces
 * are looked up in the network namespace of that thread, and paths in its mount namespace.
 */
export class LinuxBpf implements Bpf {
  readonly #native: Native;
  readonly #handles = new OpenHandles();

  /** Throws WeatherError: `ffi-unavailable`, `library-missing`, `library-old`, or `bpf-self-test` when libbpf or the kernel does not do what it should. */
  constructor() {
    this.#native = openNative();
    selfTest(this.#native);
  }

  open(file: string, options: { readonly pinFolder?: string } = {}): BpfObject {
    return new LinuxObject(this.#native, this.#handles, file, options.pinFolder);
  }

  attachXdp(program: BpfProgram, ifindex: number, mode: 'native' | 'generic'): BpfLink {
    return attachXdp(this.#native, this.#handles, program, ifindex, mode);
  }

  attachTcxIngress(program: BpfProgram, ifindex: number): BpfLink {
    return attachTcxIngress(this.#native, this.#handles, program, ifindex);
  }

  /** As `attachTcxIngress`, with the kernel's work on another thread. The object of the program stays open until then. */
  attachTcxIngressAway(program: BpfProgram, ifindex: number): Promise<BpfLink> {
    return attachTcxIngressAway(this.#native, this.#handles, program, ifindex);
  }

  /** For rtnetlink. It belongs to the program's object. */
  programDescriptor(program: BpfProgram): number {
    assert(program instanceof LinuxProgram, `${program.name} was not loaded by this kernel`);
    return program.fd;
  }

  openPinnedLink(path: string): BpfLink | undefined {
    return openPinnedLink(this.#native, this.#handles, path);
  }

  /** The caller disposes it; undefined when nothing is pinned there. */
  openPinnedMap(path: string): PinnedMap | undefined {
    return openPinnedMap(this.#native, path);
  }

  drainEvents(object: BpfObject, map: string, limit: number): Uint8Array[] {
    assert(object instanceof LinuxObject, 'events come from an object that was loaded into this kernel');
    return object.drainEvents(map, limit);
  }

  /** Mounts a BPF file system at a folder of this host's own. False when there was one already. */
  mountBpffs(folder: string): boolean {
    return mountBpffs(this.#native, folder);
  }

  unmountBpffs(folder: string): void {
    unmountBpffs(this.#native, folder);
  }

  /** What is open, in words: objects and links that nobody closed yet. */
  openHandles(): string[] {
    return this.#handles.names();
  }

  /** Closes what is still open. What is pinned stays in the kernel. */
  close(): void {
    this.#handles.closeAll();
  }
}
