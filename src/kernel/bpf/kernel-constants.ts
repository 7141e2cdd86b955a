/** Numbers of bpf(2), from the kernel's uapi/linux/bpf.h. They never change. */

export const mapTypes = {
  hash: 1,
  array: 2,
  perCpuHash: 5,
  perCpuArray: 6,
  lruHash: 9,
  lruPerCpuHash: 10,
  lpmTrie: 11,
  arrayOfMaps: 12,
  devmap: 14,
  perCpuCgroupStorage: 21,
  devmapHash: 25,
  ringBuffer: 27,
} as const;

export const programTypes = { tc: 3, xdp: 6 } as const;

export const attachTypes = { xdp: 37, tcxIngress: 46 } as const;

/** Flags of an XDP link: who runs the program. */
export const xdpModes = { generic: 2, native: 4 } as const;

export const updateFlags = { any: 0, add: 1, replace: 2 } as const;

/** Set by the kernel itself in a map of devices, since Linux 5.4. */
export const readOnlyForPrograms = 128;

/** Flag of a program that takes packets in several pieces. */
export const xdpHasFrags = 32;

/** The magic number of a BPF file system, in `statfs`. */
export const bpffsMagic = 0xcafe4a11;
