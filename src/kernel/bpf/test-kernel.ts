/** What tests of this folder need of a Linux machine: objects compiled from C, pairs of interfaces. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isBpffs } from './bpffs.ts';
import { LinuxBpf } from './linux-bpf.ts';

const compiler = 'clang';

/** Why tests that use the kernel cannot run here; false when they can. */
export function skipWithoutKernel(): string | false {
  if (process.platform !== 'linux') return `needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync('/usr/include/bpf/bpf_helpers.h')) return 'needs the headers of libbpf (apt install libbpf-dev)';
  try {
    execFileSync(compiler, ['--version'], { stdio: 'ignore' });
  } catch {
    return `needs ${compiler}`;
  }
  try {
    new LinuxBpf().close();
  } catch (error) {
    return (error as Error).message;
  }
  return false;
}

const preamble = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char _license[] SEC("license") = "GPL";
`;

/** A folder with a BPF file system in it, a LinuxBpf, and what C sources compile to; gone at the end of the block. */
export class TestKernel {
  readonly bpf: LinuxBpf = new LinuxBpf();
  readonly folder: string = mkdtempSync(join(tmpdir(), 'caravan-bpf-'));
  readonly pins: string = join(this.folder, 'bpffs');
  readonly #interfaces: string[] = [];

  /** Compiles a C source; the includes and the license are added. */
  compile(name: string, source: string): string {
    const file = join(this.folder, `${name}.o`);
    const input = join(this.folder, `${name}.c`);
    writeFileSync(input, preamble + source);
    const includes = `/usr/include/${arch() === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
    execFileSync(compiler, ['-O2', '-g', '-target', 'bpf', '-I', includes, '-c', input, '-o', file]);
    return file;
  }

  /** A pair of interfaces that are up, each with one queue: their numbers. */
  vethPair(): { readonly near: number; readonly far: number; readonly nearName: string; readonly farName: string } {
    const nearName = `cvn${process.pid}-${this.#interfaces.length}`;
    const farName = `cvf${process.pid}-${this.#interfaces.length}`;
    ip(
      'link',
      'add',
      nearName,
      'numrxqueues',
      '1',
      'numtxqueues',
      '1',
      'type',
      'veth',
      'peer',
      farName,
      'numrxqueues',
      '1',
      'numtxqueues',
      '1',
    );
    this.#interfaces.push(nearName);
    for (const name of [nearName, farName]) ip('link', 'set', name, 'up');
    return { near: interfaceNumber(nearName), far: interfaceNumber(farName), nearName, farName };
  }

  removeVeth(nearName: string): void {
    this.#interfaces.splice(this.#interfaces.indexOf(nearName), 1, '');
    ip('link', 'del', nearName);
  }

  [Symbol.dispose](): void {
    if (isBpffs(this.pins)) this.bpf.unmountBpffs(this.pins);
    this.bpf.close();
    for (const name of this.#interfaces) if (name !== '') ip('link', 'del', name);
    rmSync(this.folder, { recursive: true });
  }
}

function ip(...parameters: string[]): void {
  execFileSync('ip', parameters);
}

function interfaceNumber(name: string): number {
  return Number(readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8'));
}

/** How many descriptors this process has. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

export function unsigned32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

export function unsigned64(value: number): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
}
