import { open } from 'node:fs/promises';
import { WeatherError } from '../base/errors.ts';
import type { Command } from './command.ts';
import { parseInteger } from './option-values.ts';
import { printableText } from './printable.ts';
import { SiteSession, noSite } from './site-session.ts';

/** Log lines are some 200 bytes, so this holds most that can be asked for. */
const tailLimitBytes: number = 4 * 1024 * 1024;

export const command: Command = {
  parameters: [],
  options: { lines: { value: 'N', meaning: 'how many lines, the last ones', default: '50' } },
  description: 'The log of a site that runs in the background. A site under systemd writes to the journal instead: journalctl --user-unit.',
  examples: [{ line: 'van site logs --lines 200', meaning: 'The last 200 lines' }],
  async run(call) {
    const count = parseInteger(call.text('lines') ?? '50', '--lines', 1, 100_000);
    const session = new SiteSession(call);
    if (!(await session.exists())) throw noSite(call);
    const text = await readTail(session.layout.logFile);
    const lines = text.split('\n').slice(-count - 1);
    call.shell.writeOut(printableText(lines.join('\n')));
    return 0;
  },
};

async function readTail(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(size, tailLimitBytes));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new WeatherError('unreadable-file', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
