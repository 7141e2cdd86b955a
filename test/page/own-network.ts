import { execFileSync } from 'node:child_process';
import { loadSocketCalls } from '../../src/kernel/netlink/socket-calls.ts';

/**
 * Moves this process, and what it starts from now on, into a network namespace of its own with a loopback. Chromium gives up what it is
 * loading whenever an interface of its machine comes or goes, and other tests make interfaces. Where it cannot be done, by who is not
 * root, nobody makes interfaces either.
 */
export function moveIntoOwnNetwork(): void {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return;
  try {
    execFileSync('ip', ['-V'], { stdio: 'ignore' });
    loadSocketCalls().unshareNetworkNamespace();
  } catch {
    return;
  }
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
}
