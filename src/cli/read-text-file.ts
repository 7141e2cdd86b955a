import { open } from 'node:fs/promises';
import { InputError } from '../base/errors.ts';
import type { Call } from './call.ts';

/** The text of a file, or of standard input for `-`. Throws InputError `unreadable-file` or `input-too-long`. */
export async function readTextFile(call: Call, file: string, limitBytes: number): Promise<string> {
  if (file === '-') return call.shell.readInput(limitBytes);
  try {
    await using handle = await open(file, 'r');
    const buffer = Buffer.alloc(limitBytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      length += bytesRead;
      if (length > limitBytes) throw new InputError('input-too-long', file, `is longer than ${limitBytes} bytes`);
      if (bytesRead === 0) return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length));
    }
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    throw new InputError('unreadable-file', file, reasons[code ?? ''] ?? `cannot be read: ${(cause as Error).message}`, { cause });
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'is a folder, not a file',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'is not text in UTF-8',
};
