import { createRequire } from 'node:module';
import { WeatherError } from '../../base/errors.ts';

/** An address in this process's memory; null is C's NULL. */
export type Address = bigint;

/** What this project uses of koffi. Typed arrays are passed as pointers to their octets, without a copy. */
export interface Koffi {
  load(path: string): { func(prototype: string): (...parameters: never[]) => unknown };
  address(octets: Uint8Array): Address;
  errno(): number;
  /** Makes a C function of a function, until `unregister`. It must be called on this thread only. */
  register(callback: (...parameters: never[]) => number, pointerType: unknown): Address;
  unregister(callback: Address): void;
  proto(result: string, parameters: readonly string[]): unknown;
  pointer(type: unknown): unknown;
}

/** Where the memory layouts of this folder's callers hold: pointers of 8 octets, little endian. */
const platforms: readonly string[] = ['linux-x64', 'linux-arm64'];

/** Loads koffi, at the first use only: its native part does not exist for every platform. Throws WeatherError `ffi-unavailable`. */
export function loadKoffi(
  load: (packageName: string) => unknown = createRequire(import.meta.url),
  platform: string = `${process.platform}-${process.arch}`,
): Koffi {
  if (!platforms.includes(platform)) {
    throw new WeatherError('ffi-unavailable', `The tenant overlay does not run on ${platform}`, {
      remedy: `It runs on ${platforms.join(' and ')}.`,
    });
  }
  try {
    return load('koffi') as Koffi;
  } catch (cause) {
    throw new WeatherError('ffi-unavailable', `Calls into system libraries do not work: ${firstLine(cause)}`, {
      cause,
      remedy: 'Install Caravan again with its optional packages (npm install without --omit=optional): koffi has its native part there.',
    });
  }
}

/**
 * Opens the first of these libraries that is there and binds its functions by their C prototypes.
 * A prototype that is wrong corrupts memory: keep them next to the interface that they stand for.
 * Throws WeatherError `library-missing` or `library-old`.
 */
export function openLibrary<Functions extends object>(
  koffi: Koffi,
  fileNames: readonly string[],
  prototypes: Readonly<Record<keyof Functions & string, string>>,
  remedy: string,
): Functions {
  let failure: unknown;
  for (const fileName of fileNames) {
    let library: ReturnType<Koffi['load']>;
    try {
      library = koffi.load(fileName);
    } catch (cause) {
      failure = cause;
      continue;
    }
    try {
      return Object.fromEntries(
        Object.entries<string>(prototypes).map(([name, prototype]) => [name, library.func(prototype)]),
      ) as Functions;
    } catch (cause) {
      throw new WeatherError('library-old', `${fileName} lacks a function: ${firstLine(cause)}`, { cause, remedy });
    }
  }
  throw new WeatherError('library-missing', `${fileNames.join(' or ')} cannot be loaded: ${firstLine(failure)}`, {
    cause: failure,
    remedy,
  });
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0] ?? '';
}
