import { join } from 'node:path';
import { AttachmentTable, formatRecord, parseJournal, type AttachmentJournal, type JournalRecord } from '../overlay/cni/journal.ts';
import { AppendLog } from './append-log.ts';

const fileName = 'attachments.log';

/** The journal of attachments on the disk. */
export class AttachmentFile implements AttachmentJournal, AsyncDisposable {
  /** What it told at the start. */
  readonly records: readonly JournalRecord[];
  readonly #table: AttachmentTable;
  readonly #log: AppendLog;

  private constructor(table: AttachmentTable, log: AppendLog) {
    this.records = table.records();
    this.#table = table;
    this.#log = log;
  }

  /** Throws WeatherError. */
  static async open(folder: string): Promise<AttachmentFile> {
    const path = join(folder, fileName);
    const table = new AttachmentTable(parseJournal(await AppendLog.read(path)));
    const shortest = (): string => table.records().map(formatRecord).join('');
    return new AttachmentFile(table, await AppendLog.open(path, { shortest }));
  }

  async append(record: JournalRecord): Promise<void> {
    await this.#log.append(formatRecord(record));
    this.#table.apply(record);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]();
  }
}
