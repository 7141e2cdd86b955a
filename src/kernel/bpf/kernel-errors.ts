import { getSystemErrorName } from 'node:util';
import { WeatherError } from '../../base/errors.ts';

/** The name of an errno, such as `EPERM`. */
export function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-Math.abs(errno));
  } catch {
    return `errno ${Math.abs(errno)}`;
  }
}

/** A failed call into the kernel. `result` is what libbpf gave: -errno. */
export function kernelError(code: string, what: string, result: number, remedy?: string): WeatherError {
  return new WeatherError(code, `${what}: ${errnoName(result)}`, remedy === undefined ? {} : { remedy });
}
