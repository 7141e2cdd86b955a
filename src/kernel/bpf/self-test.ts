import { closeSync } from 'node:fs';
import { WeatherError } from '../../base/errors.ts';
import { kernelError } from './kernel-errors.ts';
import { mapTypes, programTypes } from './kernel-constants.ts';
import type { Native } from './libbpf.ts';
import { testRun } from './linux-program.ts';

/** XDP_PASS, as the two instructions r0 = 2 and exit. */
const passInstructions = Uint8Array.of(0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
const pass = 2;

/** A program that answers 2 to each packet: XDP_PASS, or a tc program that drops. The descriptor, or -errno. */
export function loadSmallestProgram({ libbpf }: Native, type: number, flags = 0): number {
  // struct bpf_prog_load_opts: 0 size_t sz  8 attempts  12 expected_attach_type  16 prog_btf_fd  20 u32 prog_flags
  const options = new Uint8Array(24);
  const view = new DataView(options.buffer);
  view.setBigUint64(0, BigInt(options.length), true);
  view.setUint32(20, flags, true);
  return libbpf.bpf_prog_load(type, 'caravan_probe', 'GPL', passInstructions, 2, options);
}

/**
 * Calls the functions whose arguments and results could be bound wrongly, and compares what they do: a map of two entries is made,
 * written, read, listed; a program is loaded and run. Throws WeatherError `bpf-self-test`, or `bpf-map` when the kernel refuses.
 */
export function selfTest(native: Native): void {
  const { libbpf } = native;
  const version = libbpf.libbpf_version_string();
  expectThat(/^v1\.\d+$/.test(version), `libbpf calls its version ${version}, not v1.x`);
  expectThat(libbpf.libbpf_num_possible_cpus() >= 1, 'libbpf counts no processors');

  const map = libbpf.bpf_map_create(mapTypes.hash, 'caravan_probe', 4, 8, 2, null);
  if (map < 0) throw kernelError('bpf-self-test', 'No BPF map can be made', map);
  try {
    const key = Uint8Array.of(1, 2, 3, 4);
    const value = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const found = new Uint8Array(8);
    const foundKey = new Uint8Array(4);
    expectThat(libbpf.bpf_map_update_elem(map, key, value, 1) === 0, 'a map takes no entry');
    expectThat(libbpf.bpf_map_update_elem(map, key, value, 1) < 0, 'a map takes an entry twice');
    expectThat(libbpf.bpf_map_lookup_elem(map, key, found) === 0 && equal(found, value), 'a map gives another value than was put in');
    expectThat(libbpf.bpf_map_get_next_key(map, null, foundKey) === 0 && equal(foundKey, key), 'a map lists another key than was put in');
    expectThat(libbpf.bpf_map_delete_elem(map, key) === 0, 'a map deletes no entry');
    expectThat(libbpf.bpf_map_lookup_elem(map, key, found) < 0, 'a map gives an entry that was deleted');
  } finally {
    closeSync(map);
  }

  const fd = loadSmallestProgram(native, programTypes.xdp);
  if (fd < 0) throw kernelError('bpf-self-test', 'The smallest XDP program cannot be loaded', fd);
  try {
    const packet = Uint8Array.from({ length: 60 }, (_, index) => index);
    const run = testRun(native, { name: 'caravan_probe', type: programTypes.xdp, fd }, packet, {});
    expectThat(run.verdict === pass && equal(run.packet, packet), 'a program that passes packets does something else');
  } finally {
    closeSync(fd);
  }
}

function expectThat(condition: boolean, otherwise: string): void {
  if (condition) return;
  throw new WeatherError('bpf-self-test', `This libbpf does not work as Caravan calls it: ${otherwise}`, {
    remedy: 'Install libbpf 1.1 or newer, and the package of koffi for this platform.',
  });
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
