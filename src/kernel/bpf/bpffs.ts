import { mkdirSync, statfsSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { WeatherError } from '../../base/errors.ts';
import { kernelError } from './kernel-errors.ts';
import { bpffsMagic } from './kernel-constants.ts';
import type { Native } from './libbpf.ts';

/** umount2: out of sight now, gone when nobody uses it any more. */
const detachMount = 2;

/** Whether this folder is in a BPF file system, where programs, maps and links can be pinned. */
export function isBpffs(folder: string): boolean {
  try {
    return statfsSync(folder).type === bpffsMagic;
  } catch {
    return false;
  }
}

/** Mounts a BPF file system at a folder, which is made when it is missing. False when there was one already. Throws WeatherError `bpffs`. */
export function mountBpffs({ koffi, libc }: Native, folder: string): boolean {
  makeFolder(folder);
  if (isBpffs(folder)) return false;
  if (libc.mount('bpffs', folder, 'bpf', 0, 'mode=0700') !== 0) {
    throw kernelError('bpffs', `No BPF file system can be mounted at ${folder}`, koffi.errno());
  }
  return true;
}

/** Takes a BPF file system away, with everything that is pinned in it and used by nobody else. Throws WeatherError `bpffs`. */
export function unmountBpffs({ koffi, libc }: Native, folder: string): void {
  if (libc.umount2(folder, detachMount) !== 0) throw kernelError('bpffs', `${folder} cannot be unmounted`, koffi.errno());
}

/** Makes a folder for pins. Throws WeatherError `bpffs` when it is in no BPF file system. */
export function makePinFolder(folder: string): void {
  if (lastPart(folder).includes('.')) throw new WeatherError('bpffs', `${folder} cannot be in a BPF file system: names there have no dots`);
  makeFolder(folder);
  if (isBpffs(folder)) return;
  throw new WeatherError('bpffs', `${folder} is in no BPF file system, so nothing can be pinned there`, {
    remedy: 'Mount one there first (mount -t bpf bpffs FOLDER), or name a folder below /sys/fs/bpf.',
  });
}

/** Pins what a descriptor stands for. Throws WeatherError `bpf-pin`. */
export function pin({ libbpf }: Native, fd: number, path: string, what: string): void {
  makePinFolder(dirname(path));
  if (lastPart(path).includes('.'))
    throw new WeatherError('bpf-pin', `${what} cannot be pinned at ${path}: names in a BPF file system have no dots`);
  const result = libbpf.bpf_obj_pin(fd, path);
  if (result < 0) throw kernelError('bpf-pin', `${what} cannot be pinned at ${path}`, result);
}

/** Removes a pin; it may be gone already. */
export function unpin(path: string): void {
  try {
    unlinkSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new WeatherError('bpf-pin', `The pin ${path} cannot be removed`, { cause });
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new WeatherError('bpffs', `The folder ${folder} cannot be made`, { cause });
  }
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
