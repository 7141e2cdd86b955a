import { execFile, spawnSync } from 'node:child_process';

/** Why tests that ask for names cannot run here; undefined when they can. */
export function digMissing(): string | undefined {
  return spawnSync('dig', ['-v'], { stdio: 'ignore' }).error === undefined ? undefined : 'dig (bind9-dnsutils) is not installed';
}

/** What dig prints in a network namespace, whether or not it got an answer. */
export function dig(namespace: string, ...parameters: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile('ip', ['netns', 'exec', namespace, 'dig', '+tries=1', ...parameters], (_error, stdout) => resolve(stdout));
  });
}
