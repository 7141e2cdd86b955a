import { closeSync, constants, fstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RequestRow } from '../flows/network-snapshot.ts';
import { writeFailure } from '../host/atomic-file.ts';
import type { Redaction } from '../site/observer-settings.ts';
import type { ExportState } from './observer-state.ts';

export interface AccessLogOptions {
  /** Path of the file; `-` for standard output. */
  readonly file: string;
  readonly redact: ReadonlySet<Redaction>;
  /** The file is moved to `FILE.1` at this size. */
  readonly limitBytes?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const defaultLimitBytes = 100 * 1024 * 1024;
/** Files before the current one: `.1` is the newest. */
const keptFiles = 3;
/** Lines that wait; some 5 MB. */
const maxWaiting = 10_000;
const writePeriodMs = 250;
/** After a failure it is tried again so often. */
const retryMs = 5000;
/** What standard output has not taken yet; beyond it lines wait. */
const maxUnreadBytes = 1024 * 1024;

const standardOutput = '-';

/**
 * Writes one JSON line for each request or connection that has ended. Fields stand in the order of `accessLine`; new ones come at the end.
 * A disk that is full or a reader that stops costs lines, which are counted and told in a line of their own, and nothing else.
 */
export class AccessLog implements Disposable {
  readonly #options: AccessLogOptions;
  readonly #timer: NodeJS.Timeout;
  #waiting: string[] = [];
  #descriptor: number | undefined;
  #size = 0;
  #lost = 0;
  #untold = 0;
  #failure: string | undefined;
  #retryAtMs = 0;

  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#write(), writePeriodMs);
  }

  get exportState(): ExportState {
    const state = this.#failure === undefined ? 'ok' : 'failing';
    return { name: 'access-log', state, message: this.#failure ?? null, lost: this.#lost };
  }

  add(row: RequestRow, userAgent: string): void {
    if (this.#waiting.length >= maxWaiting) {
      this.#lost++;
      this.#untold++;
      return;
    }
    this.#waiting.push(accessLine(row, userAgent, this.#options.redact));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#retryAtMs = 0;
    this.#write();
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
  }

  #write(): void {
    const { clock, file, log } = this.#options;
    if (this.#waiting.length === 0 || (this.#failure !== undefined && clock.nowMs() < this.#retryAtMs)) return;
    try {
      const text = this.#waiting.join('') + (this.#untold === 0 ? '' : `${JSON.stringify({ kind: 'lost', lines: this.#untold })}\n`);
      if (!(file === standardOutput ? writeOut(text) : this.#append(text))) return;
      this.#waiting = [];
      this.#untold = 0;
      if (this.#failure !== undefined) log.info('the access log is written again', { lost: this.#lost });
      this.#failure = undefined;
    } catch (cause) {
      const { message, remedy } = writeFailure(file, cause);
      if (this.#failure === undefined) log.warn('the access log cannot be written', { reason: message, remedy });
      this.#failure = message;
      this.#retryAtMs = clock.nowMs() + retryMs;
    }
  }

  #append(text: string): boolean {
    const { file, limitBytes = defaultLimitBytes } = this.#options;
    if (this.#descriptor === undefined) {
      // Whoever may write the folder could have put a link there.
      this.#descriptor = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW, 0o600);
      this.#size = fstatSync(this.#descriptor).size;
    }
    const bytes = Buffer.from(text);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written);
    } catch (error) {
      // A part of a line would make the next one unreadable, too: the next text begins on a line of its own.
      if (written > 0) this.#waiting.unshift('\n');
      throw error;
    }
    this.#size += written;
    if (this.#size >= limitBytes) this.#rotate(file);
    return true;
  }

  #rotate(file: string): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    rmSync(`${file}.${keptFiles}`, { force: true });
    for (let number = keptFiles - 1; number >= 0; number--) {
      try {
        renameSync(number === 0 ? file : `${file}.${number}`, `${file}.${number + 1}`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  }
}

function writeOut(text: string): boolean {
  if (process.stdout.writableLength > maxUnreadBytes) return false;
  process.stdout.write(text);
  return true;
}

/** Beyond what JSON escapes: DEL, C1, line separators and the marks of bidirectional text. */
const steering = /[\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** One line. The order of the fields is part of the interface: new ones are added at the end only. */
function accessLine(row: RequestRow, userAgent: string, redact: ReadonlySet<Redaction>): string {
  const line = JSON.stringify({
    at: new Date(row.startMs).toISOString(),
    kind: row.kind,
    id: row.id,
    service: row.address,
    protocol: row.protocol,
    method: row.method,
    authority: row.authority,
    path: redact.has('paths') ? null : row.path,
    status: row.status,
    grpcStatus: row.grpcStatus,
    error: row.error,
    sourceSite: row.sourceSite,
    client: redact.has('clients') ? null : row.client,
    destSite: row.destSite,
    connector: row.connector,
    server: row.server,
    tries: row.tries,
    bytesFromClient: row.bytesFromClient,
    bytesToClient: row.bytesToClient,
    durationMs: row.durationMs,
    firstByteMs: row.firstByteMs,
    choiceMs: row.choiceMs,
    networkMs: row.networkMs,
    connectMs: row.connectMs,
    serverMs: row.serverMs,
    requestId: row.requestId,
    userAgent: redact.has('user-agents') || userAgent === '' ? null : userAgent,
    trace: row.trace,
  });
  return `${line.replaceAll(steering, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}
