import { WeatherError } from '../../base/errors.ts';
import type { BpfMap, BpfMapOfMaps, BpfObject, BpfProgram } from '../../overlay/kernel.ts';
import type { Address } from '../ffi/foreign-library.ts';
import { kernelError } from './kernel-errors.ts';
import type { Libbpf } from './libbpf.ts';
import { LinuxMap, LinuxMapOfMaps, type MapShape } from './linux-map.ts';
import { LinuxProgram } from './linux-program.ts';

const arrayOfMaps = 12;
const perCpuTypes: readonly number[] = [5, 6, 10, 21];

/** The programs and maps of an object file, loaded into the kernel until `close`. */
export class LinuxObject implements BpfObject {
  readonly #libbpf: Libbpf;
  readonly #file: string;
  readonly #closeFd: (fd: number) => void;
  readonly #programs = new Map<string, LinuxProgram>();
  readonly #maps = new Map<string, LinuxMap>();
  readonly #mapsOfMaps = new Map<string, LinuxMapOfMaps>();
  #object: Address | undefined;

  constructor(libbpf: Libbpf, file: string, closeFd: (fd: number) => void) {
    this.#libbpf = libbpf;
    this.#file = file;
    this.#closeFd = closeFd;
    const object = libbpf.bpf_object__open_file(file, null);
    if (object === null) throw kernelError('bpf-object', `${file} cannot be opened as a BPF object`, libbpf.koffi.errno());
    this.#object = object;
    try {
      this.#load(object);
    } catch (error) {
      this.close();
      throw error;
    }
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

  close(): void {
    if (this.#object === undefined) return;
    this.#libbpf.bpf_object__close(this.#object);
    this.#object = undefined;
  }

  #load(object: Address): void {
    const libbpf = this.#libbpf;
    const possibleCpus = libbpf.libbpf_num_possible_cpus();
    const maps: { shape: MapShape; inner: MapShape | undefined; pointer: Address }[] = [];
    for (let map = libbpf.bpf_object__next_map(object, null); map !== null; map = libbpf.bpf_object__next_map(object, map)) {
      if (libbpf.bpf_map__is_internal(map)) continue;
      const inner = libbpf.bpf_map__inner_map(map);
      maps.push({
        shape: shapeOf(libbpf, map, possibleCpus),
        inner: inner === null ? undefined : shapeOf(libbpf, inner, possibleCpus),
        pointer: map,
      });
    }
    const result = libbpf.bpf_object__load(object);
    if (result < 0) throw kernelError('bpf-load', `${this.#file} is refused by the kernel`, result);
    for (const { shape, inner, pointer } of maps) {
      const fd = this.#whileOpen(() => libbpf.bpf_map__fd(pointer));
      if (shape.type !== arrayOfMaps) this.#maps.set(shape.name, new LinuxMap(libbpf, shape, fd));
      else if (inner !== undefined) this.#mapsOfMaps.set(shape.name, new LinuxMapOfMaps(libbpf, shape, inner, fd, this.#closeFd));
    }
    for (
      let program = libbpf.bpf_object__next_program(object, null);
      program !== null;
      program = libbpf.bpf_object__next_program(object, program)
    ) {
      const pointer = program;
      const name = libbpf.bpf_program__name(pointer);
      this.#programs.set(
        name,
        new LinuxProgram(
          libbpf,
          name,
          libbpf.bpf_program__type(pointer),
          this.#whileOpen(() => libbpf.bpf_program__fd(pointer)),
        ),
      );
    }
  }

  /** A descriptor must not be used after the object was closed: the number may be another file's then. */
  #whileOpen(fd: () => number): () => number {
    return () => {
      if (this.#object === undefined) throw new WeatherError('bpf-closed', `${this.#file} is closed`);
      return fd();
    };
  }

  #find<Kind>(known: ReadonlyMap<string, Kind>, name: string, kind: string): Kind {
    const found = known.get(name);
    if (found !== undefined) return found;
    throw new WeatherError('bpf-object', `${this.#file} has no ${kind} ${name}; it has ${[...known.keys()].join(', ') || 'none'}`);
  }
}

function shapeOf(libbpf: Libbpf, map: Address, possibleCpus: number): MapShape {
  const type = libbpf.bpf_map__type(map);
  const valueBytes = libbpf.bpf_map__value_size(map);
  return {
    name: libbpf.bpf_map__name(map),
    type,
    keyBytes: libbpf.bpf_map__key_size(map),
    // A per-CPU map's record is what every CPU has, one after the other, each on a boundary of 8 octets.
    valueBytes: perCpuTypes.includes(type) ? Math.ceil(valueBytes / 8) * 8 * possibleCpus : valueBytes,
    maxEntries: libbpf.bpf_map__max_entries(map),
  };
}
