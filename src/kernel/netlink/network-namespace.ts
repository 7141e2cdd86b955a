import { closeSync, constants, existsSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { assert, WeatherError } from '../../base/errors.ts';
import { NetlinkError, errorNumbers } from './netlink-error.ts';
import type { SocketCalls } from './socket-calls.ts';

/** Of the calling thread: namespaces belong to threads, not to processes. */
const ownNamespacePath = '/proc/thread-self/ns/net';
/** Where programs such as `ip netns` look for names. */
const namesFolder = '/run/netns';

const mountFlags = { bind: 0x1000, recursive: 0x4000, shared: 0x100000 } as const;
const detach = 2;
const missingRemedy = 'see whether the container still runs';

/** A network namespace that is held open. */
export class NetworkNamespace implements Disposable {
  readonly path: string;
  readonly descriptor: number;
  #open = true;

  /** Throws WeatherError `namespace-missing` or `namespace`. */
  constructor(path: string) {
    this.path = path;
    try {
      // Not waiting for a writer, should the path name a pipe.
      this.descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      throw namespaceError(`network namespace ${path} cannot be opened`, error);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.descriptor);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Runs `action` in the namespace and comes back, all in this turn: only the calling thread moves, and no other code runs on it meanwhile.
 * What `action` opens belongs to that namespace for good. It starts nothing on other threads: a thread that is born meanwhile would stay.
 * Throws WeatherError `namespace-missing` when `namespace` is none.
 */
export function inNamespace<Result>(calls: SocketCalls, namespace: NetworkNamespace, action: () => Result): Result {
  return elsewhere(calls, () => enter(calls, namespace), action);
}

function enter(calls: SocketCalls, { descriptor, path }: NetworkNamespace): void {
  try {
    calls.enterNetworkNamespace(descriptor);
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errorNumber !== errorNumbers.invalid) throw error;
    // The file of a name whose namespace is gone, for one.
    throw new WeatherError('namespace-missing', `${path} is no network namespace`, { cause: error, remedy: missingRemedy });
  }
}

/** Makes a namespace that `ip netns` knows by `name`. Throws WeatherError `namespace-exists` or `namespace`. */
export function createNamedNamespace(calls: SocketCalls, name: string): NetworkNamespace {
  const path = pathOf(name);
  try {
    prepareFolder(calls);
    closeSync(openSync(path, 'wx', 0o444));
  } catch (error) {
    throw namespaceError(`network namespace ${name} cannot be made`, error);
  }
  try {
    elsewhere(
      calls,
      () => calls.unshareNetworkNamespace(),
      () => calls.mount(ownNamespacePath, path, mountFlags.bind),
    );
    return new NetworkNamespace(path);
  } catch (error) {
    deleteNamedNamespace(calls, name);
    throw error;
  }
}

/** Takes the name away; the namespace goes with its last process and descriptor. False when there was none of that name. */
export function deleteNamedNamespace(calls: SocketCalls, name: string): boolean {
  const path = pathOf(name);
  if (!existsSync(path)) return false;
  try {
    calls.unmount(path, detach);
  } catch {
    // A name without a namespace: it was left when making it failed half way.
  }
  try {
    rmSync(path);
  } catch (error) {
    throw namespaceError(`network namespace ${name} cannot be deleted`, error);
  }
  return true;
}

/** Names that `ip netns` knows. */
export function namespaceNames(): readonly string[] {
  return existsSync(namesFolder) ? readdirSync(namesFolder) : [];
}

export function pathOf(name: string): string {
  assert(name !== '' && name !== '.' && name !== '..' && !name.includes('/'), 'the name of a namespace is the name of a file');
  return `${namesFolder}/${name}`;
}

/** Mounts below are seen in all mount namespaces, so that a name taken away here does not stay alive elsewhere. */
function prepareFolder(calls: SocketCalls): void {
  mkdirSync(namesFolder, { recursive: true, mode: 0o755 });
  try {
    calls.mount('', namesFolder, mountFlags.shared | mountFlags.recursive);
  } catch {
    // Not a mount point yet: it becomes one.
    calls.mount(namesFolder, namesFolder, mountFlags.bind | mountFlags.recursive);
    calls.mount('', namesFolder, mountFlags.shared | mountFlags.recursive);
  }
}

function elsewhere<Result>(calls: SocketCalls, leave: () => void, action: () => Result): Result {
  const home = new NetworkNamespace(ownNamespacePath);
  try {
    leave();
    try {
      const result = action();
      assert(!(result instanceof Promise), 'what runs in another namespace ends in this turn');
      return result;
    } finally {
      // If this fails the thread would go on in a foreign namespace: the error ends the process.
      calls.enterNetworkNamespace(home.descriptor);
    }
  } finally {
    home.close();
  }
}

function namespaceError(message: string, cause: unknown): WeatherError {
  if (cause instanceof WeatherError) return cause;
  const { code } = cause as NodeJS.ErrnoException;
  const text = `${message}: ${(cause as Error).message}`;
  if (code === 'ENOENT') return new WeatherError('namespace-missing', text, { cause, remedy: missingRemedy });
  if (code === 'EEXIST') return new WeatherError('namespace-exists', text, { cause, remedy: 'choose another name, or delete it' });
  if (code === 'EACCES' || code === 'EPERM') return new WeatherError('namespace-permission', text, { cause, remedy: 'run as root' });
  return new WeatherError('namespace', text, { cause });
}
