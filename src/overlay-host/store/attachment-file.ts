import { join } from 'node:path';
import { AttachmentTable, formatRecord, parseJournal, type AttachmentJournal, type JournalRecord } from '../../overlay/cni/journal.ts';
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

  /**
   * Resolves when the record is on the disk. Not so for one that says what is about to be made: it goes to the disk before what follows from it,
   * and if the daemon dies before, what was made is found by its alias and deleted at the next start as what no journal knows.
   */
  async append(record: JournalRecord): Promise<void> {
    const written = this.#log.append(formatRecord(record));
    if (record.record === 'adding') {
      this.#table.apply(record);
      // What fails here fails every append that comes after it.
      written.catch(() => undefined);
      return;
    }
    await written;
    this.#table.apply(record);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]();
  }
}
