import { existsSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { BpfLink, BpfProgram } from '../../overlay/kernel.ts';
import type { LinuxBpf } from '../../kernel/bpf/linux-bpf.ts';

/** Programs at links of this host, pinned by name in a folder of a BPF file system. */
export class PinnedLinks {
  readonly #bpf: LinuxBpf;
  readonly #folder: string;

  constructor(bpf: LinuxBpf, folder: string) {
    this.#bpf = bpf;
    this.#folder = folder;
  }

  /** Pins a link that was made; if that fails it ends here. */
  pin(link: BpfLink, name: string): void {
    try {
      link.pin(join(this.#folder, name));
    } finally {
      link.close();
    }
  }

  /** Replaces the program without a gap. False when there is no such link, or its interface is gone. */
  update(name: string, program: BpfProgram): boolean {
    const link = this.#open(name);
    link?.update(program);
    link?.close();
    return link !== undefined;
  }

  isThere(name: string): boolean {
    const link = this.#open(name);
    link?.close();
    return link !== undefined;
  }

  detach(name: string): void {
    this.#open(name)?.detach();
    this.forget(name);
  }

  /** A program goes with its interface: only the pin is taken away, which waits for nothing. */
  forget(name: string): void {
    removePin(join(this.#folder, name));
  }

  names(): readonly string[] {
    return existsSync(this.#folder) ? readdirSync(this.#folder) : [];
  }

  detachAll(): void {
    for (const name of this.names()) this.detach(name);
    if (existsSync(this.#folder)) rmdirSync(this.#folder);
  }

  #open(name: string): BpfLink | undefined {
    return this.#bpf.openPinnedLink(join(this.#folder, name));
  }
}

/** It may be gone already. */
export function removePin(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
