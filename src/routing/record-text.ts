import type { ControlMap, ControlValue } from './control-message.ts';
import { maxRecordOctets, maxSlots, parseRecord, type SignedRecord } from './signed-record.ts';

/*
 * Records in an LSU or MAU, for Caravan routers that have only other routers between them: a list of texts under a key that a
 * skupper-router skips. Texts, not octets, because a skupper-router reads the whole body of an LSU and gives up on octets that are no text.
 */

const recordTextsKey = 'caravan-records';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** base64url without padding. */
function recordText({ bytes }: SignedRecord): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const bits = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += alphabet.charAt(bits >> 18) + alphabet.charAt((bits >> 12) & 63);
    if (left > 1) text += alphabet.charAt((bits >> 6) & 63);
    if (left > 2) text += alphabet.charAt(bits & 63);
  }
  return text;
}

/** Records in a body; those that are malformed are left out. Undefined if the body has none to be read. */
export function recordsInBody(body: ControlMap): SignedRecord[] | undefined {
  const texts = body.get(recordTextsKey);
  if (!Array.isArray(texts) || texts.length > maxSlots) return undefined;
  const records: SignedRecord[] = [];
  for (const text of texts as readonly ControlValue[]) {
    const bytes = typeof text === 'string' ? octetsOfText(text) : undefined;
    const record = bytes === undefined ? undefined : parseRecord(bytes);
    if (record !== undefined) records.push(record);
  }
  return records;
}

function octetsOfText(text: string): Uint8Array | undefined {
  const length = Math.floor((text.length * 3) / 4);
  if (length > maxRecordOctets) return undefined;
  const bytes = new Uint8Array(length);
  let bits = 0;
  let count = 0;
  let at = 0;
  for (let place = 0; place < text.length; place++) {
    const value = valueOf(text.charCodeAt(place));
    if (value < 0) return undefined;
    bits = ((bits << 6) | value) & 0xff_ffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes[at++] = (bits >> count) & 0xff;
  }
  return bytes;
}

function valueOf(code: number): number {
  if (code >= 65 && code <= 90) return code - 65;
  if (code >= 97 && code <= 122) return code - 71;
  if (code >= 48 && code <= 57) return code + 4;
  if (code === 45) return 62;
  return code === 95 ? 63 : -1;
}

/** A body that carries these records too. */
export function withRecords(body: ControlMap, records: readonly SignedRecord[]): ControlMap {
  return records.length === 0 ? body : new Map<string, ControlValue>([...body, [recordTextsKey, records.map(recordText)]]);
}
