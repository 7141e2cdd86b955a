import type { Shell } from './command.ts';

/** Without a result for this long, what goes on is told, ... */
const quietMs = 1000;
/** ... and again after this time, so that somebody who waits knows that it goes on. */
const againMs = 5000;

/** Waits for `work`, and tells on standard error what is waited for when it takes longer than a second. `text` says what it is at the moment. */
export async function withProgress<Result>(shell: Shell, text: () => string, work: () => Promise<Result>): Promise<Result> {
  const startedMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const tell = (): void => {
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    shell.writeError(`${text()} (${seconds} s)\n`);
    timer = setTimeout(tell, againMs);
  };
  timer = setTimeout(tell, quietMs);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}
