import { WeatherError } from '../../base/errors.ts';
import type { BpfMap, BpfMapOfMaps, BpfObject, BpfProgram } from '../../overlay/kernel.ts';
import type { Address } from '../ffi/foreign-library.ts';
import type { OpenHandles } from '../ffi/open-handles.ts';
import { EventReader } from './event-reader.ts';
import { kernelError } from './kernel-errors.ts';
import { mapTypes } from './kernel-constants.ts';
import type { Native } from './libbpf.ts';
import { LinuxMap } from './linux-map.ts';
import { LinuxMapOfMaps } from './linux-map-of-maps.ts';
import { LinuxProgram } from './linux-program.ts';
import { collectMessages, logTail } from './load-messages.ts';
import { declaredShape, type MapShape } from './map-shape.ts';
import { type DeclaredMap, pinMaps, reusePinnedMaps } from './pinned-maps.ts';

/** Room for the verifier's log of a program that is refused. Kernels since 6.4 keep the end of a longer log. */
const logBytes = 256 * 1024;

/*
 * struct bpf_object_open_opts, where pointers and size_t have 8 octets:
 *  0 size_t sz  8 object_name*  16 bool relaxed_maps  24 pin_root_path*  32 u32 (unused)  40 kconfig*  48 btf_custom_path*
 * 56 kernel_log_buf*  64 size_t kernel_log_size  72 u32 kernel_log_level
 */
const openOptionsBytes = 80;

interface OpenedMap extends DeclaredMap {
  readonly inner: MapShape | undefined;
}

/** The programs and maps of an object file, in the kernel until `close`. */
export class LinuxObject implements BpfObject {
  readonly #native: Native;
  readonly #file: string;
  readonly #programs = new Map<string, LinuxProgram>();
  readonly #maps = new Map<string, LinuxMap>();
  readonly #mapsOfMaps = new Map<string, LinuxMapOfMaps>();
  readonly #ringBuffers = new Map<string, () => number>();
  readonly #readers = new Map<string, EventReader>();
  readonly #release: () => void;
  /** Options and the verifier's log; libbpf writes there until the object is loaded. */
  #memory: Uint8Array;
  #isClosed = false;

  constructor(native: Native, handles: OpenHandles, file: string, pinFolder?: string) {
    this.#native = native;
    this.#file = file;
    this.#memory = openOptions(native);
    const messages: string[] = [];
    const object = collectMessages(native, messages, () => native.libbpf.bpf_object__open_file(file, this.#memory));
    if (object === null) throw this.#error('bpf-object', `${file} cannot be opened as a BPF object`, native.koffi.errno(), messages);
    this.#release = handles.add(`object ${file}`, () => {
      this.#isClosed = true;
      for (const reader of this.#readers.values()) reader.close();
      native.libbpf.bpf_object__close(object);
    });
    try {
      this.#load(object, pinFolder);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#memory = new Uint8Array();
  }

  program(name: string): BpfProgram {
    return this.#find(this.#programs, name, 'program');
  }

  map(name: string): BpfMap {
    return this.#find(this.#maps, name, 'map');
  }

  mapOfMaps(name: string): BpfMapOfMaps {
    return this.#find(this.#mapsOfMaps, name, 'map of maps');
  }

  /** The oldest records of a ring buffer, at most `limit`. */
  drainEvents(name: string, limit: number): Uint8Array[] {
    const fd = this.#find(this.#ringBuffers, name, 'ring buffer')();
    let reader = this.#readers.get(name);
    if (reader === undefined) {
      reader = new EventReader(this.#native, name, fd);
      this.#readers.set(name, reader);
    }
    return reader.drain(limit);
  }

  close(): void {
    this.#release();
  }

  #load(object: Address, pinFolder: string | undefined): void {
    const native = this.#native;
    const maps = this.#declaredMaps(object);
    const unpinned = pinFolder === undefined ? [] : reusePinnedMaps(native, pinFolder, maps);
    const messages: string[] = [];
    const result = collectMessages(native, messages, () => native.libbpf.bpf_object__load(object));
    if (result < 0) throw this.#error('bpf-load', `${this.#file} cannot be loaded into the kernel`, result, messages);
    if (pinFolder !== undefined) pinMaps(native, pinFolder, unpinned);
    for (const map of maps) this.#addMap(map);
    for (let program = native.libbpf.bpf_object__next_program(object, null); program !== null;) {
      const name = native.libbpf.bpf_program__name(program);
      const fd = this.#whileOpen(native.libbpf.bpf_program__fd(program));
      this.#programs.set(name, new LinuxProgram(native, name, native.libbpf.bpf_program__type(program), fd));
      program = native.libbpf.bpf_object__next_program(object, program);
    }
  }

  /** The maps with names of their own; the others hold constants and variables of the programs. */
  #declaredMaps(object: Address): OpenedMap[] {
    const { libbpf } = this.#native;
    const maps: OpenedMap[] = [];
    for (let map = libbpf.bpf_object__next_map(object, null); map !== null; map = libbpf.bpf_object__next_map(object, map)) {
      if (libbpf.bpf_map__is_internal(map)) continue;
      // Where maps are pinned is for who opens the object, not for its source.
      libbpf.bpf_map__set_pin_path(map, null);
      const inner = libbpf.bpf_map__inner_map(map);
      maps.push({
        pointer: map,
        shape: declaredShape(this.#native, map),
        // Known to libbpf only until the object is loaded.
        inner: inner === null ? undefined : declaredShape(this.#native, inner),
      });
    }
    return maps;
  }

  #addMap({ pointer, shape, inner }: OpenedMap): void {
    const fd = this.#whileOpen(this.#native.libbpf.bpf_map__fd(pointer));
    if (shape.type === mapTypes.ringBuffer) this.#ringBuffers.set(shape.name, fd);
    else if (inner === undefined) this.#maps.set(shape.name, new LinuxMap(this.#native, shape, fd));
    else this.#mapsOfMaps.set(shape.name, new LinuxMapOfMaps(this.#native, shape, inner, fd));
  }

  /** A descriptor must not be used after the object was closed: its number may be another file's then. */
  #whileOpen(fd: number): () => number {
    return () => {
      if (this.#isClosed) throw new WeatherError('bpf-closed', `${this.#file} was closed`);
      return fd;
    };
  }

  #find<Kind>(known: ReadonlyMap<string, Kind>, name: string, kind: string): Kind {
    const found = known.get(name);
    if (found !== undefined) return found;
    throw new WeatherError('bpf-object', `${this.#file} has no ${kind} ${name}; it has: ${[...known.keys()].join(', ') || 'none'}`);
  }

  #error(code: string, what: string, result: number, messages: readonly string[]): WeatherError {
    const log = logTail(this.#memory.subarray(openOptionsBytes));
    const remedy = log === '' ? undefined : 'The verifier of this kernel does not accept the program; its reason stands above.';
    const error = kernelError(log === '' ? code : 'bpf-verifier', what, result, remedy);
    const details = [...messages, ...(log === '' ? [] : [log])].join('\n');
    return new WeatherError(error.code, details === '' ? error.message : `${error.message}\n${details}`, remedyOf(error));
  }
}

function remedyOf({ remedy }: WeatherError): { remedy?: string } {
  return remedy === undefined ? {} : { remedy };
}

/** Options and log in one buffer, so that both live as long as the object uses them. */
function openOptions({ koffi }: Native): Uint8Array {
  const memory = new Uint8Array(openOptionsBytes + logBytes);
  const view = new DataView(memory.buffer);
  view.setBigUint64(0, BigInt(openOptionsBytes), true);
  view.setBigUint64(56, koffi.address(memory) + BigInt(openOptionsBytes), true);
  view.setBigUint64(64, BigInt(logBytes), true);
  return memory;
}
