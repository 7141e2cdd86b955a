import { writeSync } from 'node:fs';
import { InputError } from '../base/errors.ts';
import type { Shell } from './command.ts';

/** The shell that this process was started from. */
export function processShell(): Shell {
  let isReaderGone = false;
  return {
    environment: process.env,
    writeOut: (text) => (isReaderGone = !writeAll(1, text)),
    get isReaderGone() {
      return isReaderGone;
    },
    writeError: (text) => void writeAll(2, text),
    async readInput(limitBytes) {
      const chunks: Buffer[] = [];
      let length = 0;
      for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
        length += chunk.length;
        if (length > limitBytes) throw new InputError('input-too-long', 'standard input', `is longer than ${limitBytes} bytes`);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString('utf8');
    },
  };
}

/** Writes at once, so that nothing is lost when the process ends, also into a pipe whose reader is slow or gone; false then. */
function writeAll(descriptor: 1 | 2, text: string | Uint8Array): boolean {
  let rest: Uint8Array = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      // The reader has what it wanted, as in "van help | head".
      else if (code === 'EPIPE') return false;
      else throw error;
    }
  }
  return true;
}
