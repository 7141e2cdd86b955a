import { readFileSync } from 'node:fs';

/** How many files this process may have open at a time (`ulimit -n`); undefined where the system does not tell. */
export function openFileLimit(file = '/proc/self/limits'): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch {
    // Only Linux has it. Elsewhere the limit is found out by reaching it.
    return undefined;
  }
  const [, soft] = /^Max open files\s+(\d+)/m.exec(text) ?? [];
  return soft === undefined ? undefined : Number(soft);
}
