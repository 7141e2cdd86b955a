import { type Address, type Koffi, loadKoffi, openLibrary } from '../ffi/foreign-library.ts';
import { type Libc, openLibc } from '../ffi/libc.ts';

type Octets = Uint8Array | null;

/** Functions of libbpf 1.x. Those that give an int give -errno when they fail; those that give a pointer give null and set errno. */
interface LibbpfFunctions {
  libbpf_version_string(): string;
  libbpf_num_possible_cpus(): number;
  libbpf_set_print(print: Address | null): Address | null;

  bpf_object__open_file(path: string, options: Octets): Address | null;
  bpf_object__load(object: Address): number;
  bpf_object__close(object: Address): void;
  bpf_object__next_map(object: Address, previous: Address | null): Address | null;
  bpf_object__next_program(object: Address, previous: Address | null): Address | null;

  bpf_program__name(program: Address): string;
  bpf_program__type(program: Address): number;
  bpf_program__fd(program: Address): number;

  bpf_map__name(map: Address): string;
  bpf_map__type(map: Address): number;
  bpf_map__fd(map: Address): number;
  bpf_map__key_size(map: Address): number;
  bpf_map__value_size(map: Address): number;
  bpf_map__max_entries(map: Address): number;
  bpf_map__map_flags(map: Address): number;
  bpf_map__is_internal(map: Address): boolean;
  bpf_map__inner_map(map: Address): Address | null;
  bpf_map__reuse_fd(map: Address, fd: number): number;
  bpf_map__set_pin_path(map: Address, path: string | null): number;

  bpf_map_create(type: number, name: string, keyBytes: number, valueBytes: number, maxEntries: number, options: Octets): number;
  bpf_map_lookup_elem(fd: number, key: Uint8Array, value: Uint8Array): number;
  bpf_map_update_elem(fd: number, key: Uint8Array, value: Uint8Array, flags: number): number;
  bpf_map_delete_elem(fd: number, key: Uint8Array): number;
  bpf_map_get_next_key(fd: number, key: Octets, nextKey: Uint8Array): number;
  bpf_map_update_batch(fd: number, keys: Uint8Array, values: Uint8Array, count: Uint32Array, options: Octets): number;

  bpf_map_lookup_batch(
    fd: number,
    from: Octets,
    next: Uint8Array,
    keys: Uint8Array,
    values: Uint8Array,
    count: Uint32Array,
    options: Octets,
  ): number;

  bpf_prog_load(type: number, name: string, license: string, instructions: Uint8Array, count: number, options: Octets): number;
  bpf_prog_test_run_opts(fd: number, options: Uint8Array): number;

  bpf_obj_pin(fd: number, path: string): number;
  bpf_obj_get(path: string): number;
  bpf_obj_get_info_by_fd(fd: number, info: Uint8Array, infoBytes: Uint32Array): number;

  bpf_link_create(programFd: number, target: number, attachType: number, options: Octets): number;
  bpf_link_update(linkFd: number, programFd: number, options: Octets): number;
  bpf_link_detach(linkFd: number): number;

  ring_buffer__new(mapFd: number, take: Address, context: Octets, options: Octets): Address | null;
  ring_buffer__consume(ringBuffer: Address): number;
  ring_buffer__free(ringBuffer: Address): void;

  libbpf_probe_bpf_prog_type(type: number, options: Octets): number;
  libbpf_probe_bpf_map_type(type: number, options: Octets): number;
}

const prototypes: Readonly<Record<keyof LibbpfFunctions, string>> = {
  libbpf_version_string: 'const char *libbpf_version_string()',
  libbpf_num_possible_cpus: 'int libbpf_num_possible_cpus()',
  libbpf_set_print: 'void *libbpf_set_print(void *print)',

  bpf_object__open_file: 'void *bpf_object__open_file(const char *path, const void *options)',
  bpf_object__load: 'int bpf_object__load(void *object)',
  bpf_object__close: 'void bpf_object__close(void *object)',
  bpf_object__next_map: 'void *bpf_object__next_map(const void *object, const void *previous)',
  bpf_object__next_program: 'void *bpf_object__next_program(const void *object, void *previous)',

  bpf_program__name: 'const char *bpf_program__name(const void *program)',
  bpf_program__type: 'int bpf_program__type(const void *program)',
  bpf_program__fd: 'int bpf_program__fd(const void *program)',

  bpf_map__name: 'const char *bpf_map__name(const void *map)',
  bpf_map__type: 'int bpf_map__type(const void *map)',
  bpf_map__fd: 'int bpf_map__fd(const void *map)',
  bpf_map__key_size: 'uint32_t bpf_map__key_size(const void *map)',
  bpf_map__value_size: 'uint32_t bpf_map__value_size(const void *map)',
  bpf_map__max_entries: 'uint32_t bpf_map__max_entries(const void *map)',
  bpf_map__map_flags: 'uint32_t bpf_map__map_flags(const void *map)',
  bpf_map__is_internal: 'bool bpf_map__is_internal(const void *map)',
  bpf_map__inner_map: 'void *bpf_map__inner_map(void *map)',
  bpf_map__reuse_fd: 'int bpf_map__reuse_fd(void *map, int fd)',
  bpf_map__set_pin_path: 'int bpf_map__set_pin_path(void *map, const char *path)',

  bpf_map_create:
    'int bpf_map_create(int type, const char *name, uint32_t keyBytes, uint32_t valueBytes, uint32_t maxEntries, const void *options)',
  bpf_map_lookup_elem: 'int bpf_map_lookup_elem(int fd, const void *key, void *value)',
  bpf_map_update_elem: 'int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)',
  bpf_map_delete_elem: 'int bpf_map_delete_elem(int fd, const void *key)',
  bpf_map_get_next_key: 'int bpf_map_get_next_key(int fd, const void *key, void *nextKey)',
  bpf_map_update_batch: 'int bpf_map_update_batch(int fd, const void *keys, const void *values, void *count, const void *options)',

  bpf_map_lookup_batch:
    'int bpf_map_lookup_batch(int fd, const void *from, void *next, void *keys, void *values, void *count, const void *options)',

  bpf_prog_load:
    'int bpf_prog_load(int type, const char *name, const char *license, const void *instructions, size_t count, const void *options)',
  bpf_prog_test_run_opts: 'int bpf_prog_test_run_opts(int fd, void *options)',

  bpf_obj_pin: 'int bpf_obj_pin(int fd, const char *path)',
  bpf_obj_get: 'int bpf_obj_get(const char *path)',
  bpf_obj_get_info_by_fd: 'int bpf_obj_get_info_by_fd(int fd, void *info, void *infoBytes)',

  bpf_link_create: 'int bpf_link_create(int programFd, int target, int attachType, const void *options)',
  bpf_link_update: 'int bpf_link_update(int linkFd, int programFd, const void *options)',
  bpf_link_detach: 'int bpf_link_detach(int linkFd)',

  ring_buffer__new: 'void *ring_buffer__new(int mapFd, void *take, void *context, const void *options)',
  ring_buffer__consume: 'int ring_buffer__consume(void *ringBuffer)',
  ring_buffer__free: 'void ring_buffer__free(void *ringBuffer)',

  libbpf_probe_bpf_prog_type: 'int libbpf_probe_bpf_prog_type(int type, const void *options)',
  libbpf_probe_bpf_map_type: 'int libbpf_probe_bpf_map_type(int type, const void *options)',
};

/** Every way into the kernel that this folder uses. */
export interface Native {
  readonly koffi: Koffi;
  readonly libbpf: LibbpfFunctions;
  readonly libc: Libc;
}

/**
 * Opens libbpf and the C library. libbpf's own messages on standard error end with this, for the whole process; errors carry them instead.
 * Throws WeatherError `ffi-unavailable`, `library-missing` or `library-old`.
 */
export function openNative(): Native {
  const koffi = loadKoffi();
  const libc = openLibc(koffi);
  const libbpf = openLibrary<LibbpfFunctions>(
    koffi,
    ['libbpf.so.1'],
    prototypes,
    'Install libbpf 1.1 or newer (Debian and Ubuntu: apt install libbpf1; Fedora: dnf install libbpf).',
  );
  libbpf.libbpf_set_print(null);
  return { koffi, libbpf, libc };
}
