import { maxRecordsPerMessage } from './flow-messages.ts';
import type { RecordUpdate } from './record.ts';

/** Characters of text in one message, beside the record that comes last: with 3 octets each it stays far below what is read. */
const maxTextPerMessage = 65_536;

/** Parts records into what goes into one message each, in their order. */
export function batchesOf(records: readonly RecordUpdate[]): RecordUpdate[][] {
  const batches: RecordUpdate[][] = [];
  let batch: RecordUpdate[] = [];
  let text = 0;
  for (const record of records) {
    if (batch.length >= maxRecordsPerMessage || text >= maxTextPerMessage) {
      batches.push(batch);
      batch = [];
      text = 0;
    }
    batch.push(record);
    for (const value of record.values()) if (typeof value === 'string') text += value.length;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
