/** What the overlay needs of the kernel's eBPF. Offered by `kernel/bpf` and, for tests and simulations, by maps in memory. */

/** A map with records of fixed size. Octets are given and taken as they are; `layout/` has the codecs. */
export interface BpfMap {
  readonly name: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  /** The record of `key`, a copy of the caller's own; undefined when there is none. */
  get(key: Uint8Array): Uint8Array | undefined;
  /** Adds or replaces; `add` refuses to replace. Throws WeatherError `bpf-map-full` or `bpf-map`. */
  put(key: Uint8Array, value: Uint8Array, how?: 'any' | 'add' | 'replace'): void;
  /** False when there was none. */
  delete(key: Uint8Array): boolean;
  /** Every entry, each at most once while nobody changes the map. */
  entries(): Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
  close(): void;
}

/** An array of arrays: each slot is replaced as a whole. */
export interface BpfMapOfMaps {
  readonly name: string;
  readonly maxEntries: number;
  /** Replaces the inner array at `index` by one of these values, in one step. */
  swap(index: number, values: readonly Uint8Array[]): void;
  /** Replaces several, each in one step: the kernel waits a moment after each call, not after each of them. */
  swapAll(slots: readonly (readonly [index: number, values: readonly Uint8Array[]])[]): void;
  clear(index: number): boolean;
  close(): void;
}

/** What a program made of a packet. */
export interface TestRun {
  readonly verdict: number;
  readonly packet: Uint8Array;
  /** Mean time of a run, in ns. */
  readonly durationNs: number;
}

export interface BpfProgram {
  readonly name: string;
  /** Runs the program on a packet as if it came in at `ifindex` (XDP: of the calling network namespace). */
  testRun(packet: Uint8Array, options?: { readonly repeat?: number; readonly ifindex?: number }): TestRun;
}

/** A program that is attached. Stays attached after the process if it is pinned. */
export interface BpfLink {
  pin(path: string): void;
  /** Replaces the program in one step. */
  update(program: BpfProgram): void;
  detach(): void;
  close(): void;
}

/** The programs and maps of one object file. */
export interface BpfObject {
  program(name: string): BpfProgram;
  map(name: string): BpfMap;
  mapOfMaps(name: string): BpfMapOfMaps;
  close(): void;
}

export interface Bpf {
  /** Loads an object. Its maps are pinned below `pinFolder` and shared with what is pinned there already. Throws WeatherError. */
  open(file: string, options?: { readonly pinFolder?: string }): BpfObject;
  attachXdp(program: BpfProgram, ifindex: number, mode: 'native' | 'generic'): BpfLink;
  attachTcxIngress(program: BpfProgram, ifindex: number): BpfLink;
  /** A link that was pinned; undefined when there is none. */
  openPinnedLink(path: string): BpfLink | undefined;
  /** Records of a ring buffer map that have come since the last call, oldest first, at most `limit`. */
  drainEvents(object: BpfObject, map: string, limit: number): Uint8Array[];
}
