import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WeatherError } from '../base/errors.ts';

/** Files being written carry this in their name; one left over from a crash is never read and may be removed. */
export const temporaryMark = '.writing-';

export interface AtomicWriteOptions {
  /** Permission bits. Default 0o600. */
  readonly mode?: number;
}

/**
 * Replaces the file so that a reader, also one after a crash or a power cut, finds either the old or the new content,
 * whole. When the promise resolves the new content is on the disk. Two writers of one path at a time are the caller's
 * mistake. Throws WeatherError `disk-full` or `state-not-writable`; the old content is then still there.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array, options: AtomicWriteOptions = {}): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `${temporaryMark}${process.pid}-${basename(path)}`);
  try {
    await rm(temporary, { force: true });
    // 'wx' creates the file and follows no symbolic link that somebody put in its place.
    await using file = await open(temporary, 'wx', options.mode ?? 0o600);
    await file.writeFile(data);
    await file.sync();
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeFailure(path, cause);
  }
}

/** Removes the file durably. A file that is not there is fine. Throws WeatherError as `writeFileAtomic` does. */
export async function removeFileDurably(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
    await syncFolder(dirname(path));
  } catch (cause) {
    throw writeFailure(path, cause);
  }
}

/** A rename or removal is on the disk only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r');
  await handle.sync();
}

/** The one place where the system's codes for a failed write become ours. */
export function writeFailure(path: string, cause: unknown): WeatherError {
  if (cause instanceof WeatherError) return cause;
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new WeatherError('disk-full', `cannot write ${path}: the disk is full`, {
      cause,
      remedy: `make room on the disk that holds ${dirname(path)}; nothing that was there is lost`,
    });
  }
  return new WeatherError('state-not-writable', `cannot write ${path}: ${code}`, {
    cause,
    remedy: `check that ${dirname(path)} exists, is writable for this user and is not on a read-only disk`,
  });
}
