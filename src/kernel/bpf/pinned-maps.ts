import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { WeatherError } from '../../base/errors.ts';
import type { Address } from '../ffi/foreign-library.ts';
import { makePinFolder, pin, unpin } from './bpffs.ts';
import { kernelError } from './kernel-errors.ts';
import type { Native } from './libbpf.ts';
import { kernelShape, type MapShape, shapeDifferences } from './map-shape.ts';

const { ENOENT } = constants.errno;

/** A map of an object that is opened and not loaded yet. */
export interface DeclaredMap {
  readonly pointer: Address;
  readonly shape: MapShape;
}

/**
 * Lets an object use the maps that are pinned in a folder instead of making its own: before it is loaded. Gives the maps that are not
 * pinned yet. Not left to libbpf: 1.1 takes no pinned map of devices, and does not say what differs.
 * Throws WeatherError `bpf-pinned-layout` when a pinned map has another shape.
 */
export function reusePinnedMaps(native: Native, folder: string, maps: readonly DeclaredMap[]): DeclaredMap[] {
  makePinFolder(folder);
  return maps.filter((map) => !reusePinnedMap(native, join(folder, map.shape.name), map));
}

function reusePinnedMap(native: Native, path: string, { pointer, shape }: DeclaredMap): boolean {
  const fd = native.libbpf.bpf_obj_get(path);
  if (fd === -ENOENT) return false;
  if (fd < 0) throw kernelError('bpf-pin', `The pinned map ${path} cannot be opened`, fd);
  try {
    const differences = shapeDifferences(kernelShape(native, fd, shape.name), shape);
    if (differences.length > 0) {
      throw new WeatherError('bpf-pinned-layout', `The map pinned at ${path} is of another version: ${differences.join(', ')}`, {
        remedy: 'Open the object under another folder, and remove this one when no program uses it any more.',
      });
    }
    // libbpf makes a descriptor of its own.
    const result = native.libbpf.bpf_map__reuse_fd(pointer, fd);
    if (result < 0) throw kernelError('bpf-pin', `The pinned map ${path} cannot be used`, result);
    return true;
  } finally {
    closeSync(fd);
  }
}

/** Pins maps of an object that is loaded: all, or none when one cannot be. Throws WeatherError `bpf-pin`. */
export function pinMaps(native: Native, folder: string, maps: readonly DeclaredMap[]): void {
  const pinned: string[] = [];
  try {
    for (const { pointer, shape } of maps) {
      const path = join(folder, shape.name);
      pin(native, native.libbpf.bpf_map__fd(pointer), path, `Map ${shape.name}`);
      pinned.push(path);
    }
  } catch (error) {
    for (const path of pinned) unpin(path);
    throw error;
  }
}
