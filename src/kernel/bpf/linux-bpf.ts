import { closeSync } from 'node:fs';
import type { BpfObject } from '../../overlay/kernel.ts';
import { loadKoffi } from '../ffi/foreign-library.ts';
import { type Libbpf, openLibbpf } from './libbpf.ts';
import { LinuxObject } from './linux-object.ts';

/** eBPF of the Linux kernel that this process runs on. */
export class LinuxBpf {
  readonly #libbpf: Libbpf;

  constructor() {
    this.#libbpf = openLibbpf(loadKoffi());
  }

  open(file: string): BpfObject {
    return new LinuxObject(this.#libbpf, file, closeSync);
  }
}
