import { type Address, type Koffi, openLibrary } from './foreign-library.ts';

/** Functions of the C library that Node has no call for. Those that give an int give -1 when they fail, and set errno. */
export interface Libc {
  mount(source: string, target: string, type: string, flags: number, options: string): number;
  umount2(target: string, flags: number): number;
  memcpy(to: Uint8Array, from: Address, bytes: number): void;
  /** A `va_list` is passed by its address, on x86-64 and on arm64 alike. */
  vsnprintf(to: Uint8Array, bytes: number, format: Address, parameters: Address): number;
}

const prototypes: Readonly<Record<keyof Libc, string>> = {
  mount: 'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *options)',
  umount2: 'int umount2(const char *target, int flags)',
  memcpy: 'void memcpy(void *to, const void *from, size_t bytes)',
  vsnprintf: 'int vsnprintf(void *to, size_t bytes, const void *format, const void *parameters)',
};

/** Opens the C library of this process, glibc or musl. Throws WeatherError `library-missing` or `library-old`. */
export function openLibc(koffi: Koffi): Libc {
  return openLibrary<Libc>(
    koffi,
    ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1'],
    prototypes,
    'Run Caravan on a Linux system with glibc or musl.',
  );
}
