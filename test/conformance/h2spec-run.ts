import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

const program = process.env['H2SPEC'] ?? 'h2spec';

/** Whether h2spec can be run: `H2SPEC` names it, else it is looked for in PATH. */
export function h2specIsInstalled(): boolean {
  return spawnSync(program, ['--version']).status === 0;
}

/** What h2spec found. */
export interface H2specResult {
  /** Its last line: how many tests there were and how they ended. */
  readonly summary: string;
  readonly tests: number;
  readonly failed: number;
  /** Names of those that failed, each once. */
  readonly failures: readonly string[];
}

/** Runs all tests against a port of this host that speaks HTTP/2 without TLS. */
export async function runH2spec(port: number, signal?: AbortSignal): Promise<H2specResult> {
  const child = spawn(program, ['--host', '127.0.0.1', '--port', String(port), '--timeout', '1'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    ...(signal === undefined ? {} : { signal }),
  });
  child.on('error', () => {});
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  await once(child, 'close');
  const [summary = '', tests, failed] = /(\d+) tests, .*?(\d+) failed/.exec(text) ?? [];
  const failures = new Set([...text.matchAll(/× \d+: (.*)/g)].map(([, name]) => (name ?? '').trim()));
  return { summary, tests: Number(tests ?? 0), failed: Number(failed ?? 0), failures: [...failures] };
}
