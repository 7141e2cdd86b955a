import { join } from 'node:path';
import { until } from '../../e2e/until.ts';
import type { Lab } from './lab.ts';
import { run } from './program.ts';

const program = join(import.meta.dirname, '../programs/ask-once.ts');
/** Routers that have just started; skupper-routers need up to 8 s until an address is known everywhere. */
const timeoutMs = 30_000;

/** Sends one request to a service port and gives the answer's body (the server's name), or why there is none. */
export async function askService(lab: Lab, host: string, port: number, target = '127.0.0.1'): Promise<string> {
  return (await run(lab.on(host, [process.execPath, program, target, String(port)]))).trim();
}

/** Waits until requests on `host` to the port are answered: the whole way works, there and back. */
export async function waitUntilServed(lab: Lab, host: string, port: number): Promise<void> {
  let last = '';
  await until(
    `port ${port} of ${host} is served`,
    async () => {
      last = await askService(lab, host, port);
      return last.startsWith('answer ');
    },
    timeoutMs,
    () => last,
  );
}
