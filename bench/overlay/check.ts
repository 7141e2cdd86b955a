import { inside } from './network.ts';
import { peerProgram, server, startServer, type LoadContext } from './loads/load.ts';
import type { Path } from './paths/path.ts';

const timeoutMs = 10_000;
const verifiedBytes = 4 * 1024 * 1024;

/** Datagrams, the longest too, and random octets over TCP come back as they were, across the hosts and on one. Rejects with what failed. */
export async function check(path: Path, context: LoadContext): Promise<void> {
  for (const distance of ['across', 'same-host'] as const) {
    const to = server(path, distance);
    const started = await startServer(context, to, [process.execPath, peerProgram, 'serve', to.address], 'ready');
    try {
      const command = [...inside(path.near.place), process.execPath, peerProgram, 'verify', to.address, String(verifiedBytes)];
      await context.processes.run(`check ${distance}`, command, { timeoutMs, signal: context.signal });
    } finally {
      await context.processes.stop(started);
    }
  }
}
