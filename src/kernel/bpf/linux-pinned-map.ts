import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { BpfMap } from '../../overlay/kernel.ts';
import { kernelError } from './kernel-errors.ts';
import type { Native } from './libbpf.ts';
import { LinuxMap } from './linux-map.ts';
import { kernelShape } from './map-shape.ts';

const { ENOENT } = constants.errno;

/** A map that is pinned, without the object that it belongs to. */
export interface PinnedMap extends Disposable {
  readonly map: BpfMap;
  readonly descriptor: number;
}

/** Undefined when nothing is pinned there. Throws WeatherError `bpf-pin` or `bpf-map`. */
export function openPinnedMap(native: Native, path: string): PinnedMap | undefined {
  const descriptor = native.libbpf.bpf_obj_get(path);
  if (descriptor === -ENOENT) return undefined;
  if (descriptor < 0) throw kernelError('bpf-pin', `The pinned map ${path} cannot be opened`, descriptor);
  const close = (): void => closeSync(descriptor);
  try {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const map = new LinuxMap(native, kernelShape(native, descriptor, name), () => descriptor);
    return { map, descriptor, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}
