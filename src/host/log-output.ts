import { copyFileSync, fstatSync, ftruncateSync, statSync, writeSync } from 'node:fs';

/** A log of this size is moved to `<file>.1`: two files of it are what a site's log takes at most. */
export const logFileLimitBytes: number = 10 * 1024 * 1024;

const errorOutput = 2;

/**
 * Writes log lines to the process's error output. When that is the file `logFile` (a site in the background), it is kept
 * short: copied to `<file>.1` and cut. Everything that has the file open appends to it, so that cutting it moves them all.
 * A line that cannot be written is lost: a full disk must not stop the site.
 */
export function logOutput(logFile: string, limitBytes: number = logFileLimitBytes): (line: string) => void {
  let sizeBytes = sizeIfSame(logFile);
  return (line) => {
    try {
      const written = writeSync(errorOutput, line);
      if (sizeBytes === undefined) return;
      sizeBytes += written;
      if (sizeBytes < limitBytes) return;
      sizeBytes = 0;
      copyFileSync(logFile, `${logFile}.1`);
      ftruncateSync(errorOutput);
    } catch {
      // Nowhere to tell it.
    }
  };
}

/** Size of the file if it is what this process's error output goes to. */
function sizeIfSame(logFile: string): number | undefined {
  try {
    const output = fstatSync(errorOutput);
    const file = statSync(logFile);
    return output.isFile() && output.ino === file.ino && output.dev === file.dev ? file.size : undefined;
  } catch {
    return undefined;
  }
}
