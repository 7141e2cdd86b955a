import { open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { WeatherError } from '../base/errors.ts';
import { auditFileLimitBytes, auditFiles, parseAuditLine, type AuditRecord } from './audit-log.ts';

/** A file grows beyond its limit by one line at most; a larger one is read up to here. */
const readLimitBytes: number = auditFileLimitBytes + 64 * 1024;
const followPollMs = 250;

export interface AuditReadOptions {
  readonly path: string;
  /** Only events from this time on, ms since 1970. */
  readonly sinceMs?: number;
  /** Goes on with events to come until this is aborted; without it, what there is is all. */
  readonly follow?: AbortSignal;
}

/** The events of an audit log in their order. Lines that are no events are left out. Throws WeatherError `unreadable-file`. */
export async function* readAudit({ path, sinceMs = -Infinity, follow }: AuditReadOptions): AsyncGenerator<AuditRecord> {
  let last = 0;
  let seen = '';
  for (;;) {
    const now = await fileMark(path);
    if (now !== seen) {
      seen = now;
      for (const file of auditFiles(path)) {
        for (const line of (await readWhole(file)).split('\n')) {
          const record = parseAuditLine(line);
          if (record === undefined || record.sequence <= last) continue;
          last = record.sequence;
          if (Date.parse(record.time) >= sinceMs) yield record;
        }
      }
    }
    if (follow === undefined || follow.aborted) return;
    await sleep(followPollMs, undefined, { signal: follow }).catch(() => undefined);
  }
}

/** Changes whenever something was written or files were moved. */
async function fileMark(path: string): Promise<string> {
  try {
    const { ino, size } = await stat(path);
    return `${ino} ${size}`;
  } catch {
    return 'none';
  }
}

async function readWhole(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, readLimitBytes));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return bytes.toString('utf8', 0, bytesRead);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new WeatherError('unreadable-file', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
