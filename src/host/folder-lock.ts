import { readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { WeatherError } from '../base/errors.ts';
import { writeFailure } from './atomic-file.ts';

/** Says that one process owns a folder. Released by disposal; after a crash the next owner sees that it is stale. */
export interface FolderLock extends AsyncDisposable {
  readonly path: string;
}

interface Owner {
  readonly pid: number;
  /** Start time of the process where the system tells it, so that a reused process id is not taken for the owner. */
  readonly started: string;
}

const lockName = 'lock';
/** Attempts to take over a stale lock. Each fails only when another process took it over in the same moment. */
const maxAttempts = 3;

/** Takes the folder. Throws WeatherError `state-in-use` while another process, or another part of this one, has it. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = join(folder, lockName);
  const own = `${process.pid}:${await startOf(process.pid)}`;
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    if (await createExclusively(path, own)) return { path, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    const found = await readlink(path).catch(() => undefined);
    if (found === undefined) continue;
    const owner = parseOwner(found);
    if (owner !== undefined && (await isAlive(owner))) {
      throw new WeatherError('state-in-use', `${folder} is in use by process ${owner.pid}`, {
        remedy: 'one process runs a site at a time: stop the other one first',
      });
    }
    await discardStale(path, found);
  }
  throw new WeatherError('state-in-use', `${folder} is being taken by another process`, { remedy: 'try again' });
}

/**
 * The lock is a symbolic link whose target is the owner: made with its content in one step, refused when the name is
 * taken, and short enough to need no block of a full disk.
 */
async function createExclusively(path: string, owner: string): Promise<boolean> {
  try {
    await symlink(owner, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw writeFailure(path, cause);
  }
}

/** Moves the lock aside and puts it back if it was no longer the stale one. */
async function discardStale(path: string, stale: string): Promise<void> {
  const aside = `${path}.${process.pid}.${crypto.randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const taken = await readlink(aside).catch(() => stale);
  if (taken !== stale) await symlink(taken, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/** `<pid>:<start>` */
function parseOwner(text: string): Owner | undefined {
  const [, pid, started] = /^(\d{1,10}):(.*)$/.exec(text) ?? [];
  return pid === undefined || started === undefined ? undefined : { pid: Number(pid), started };
}

async function isAlive(owner: Owner): Promise<boolean> {
  try {
    process.kill(owner.pid, 0);
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
  return owner.started === (await startOf(owner.pid));
}

/**
 * Boot id and start time in clock ticks on Linux, empty elsewhere. Fields 3 and 22 of /proc/PID/stat, proc(5). A process that
 * has ended and whose parent has not asked for its result (Z) owns nothing any more.
 */
async function startOf(pid: number): Promise<string> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return afterName[0] === 'Z' || afterName[0] === 'X' ? 'ended' : `${boot.trim()}/${afterName[19] ?? ''}`;
  } catch {
    return '';
  }
}
