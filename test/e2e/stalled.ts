import type { Socket } from 'node:net';
import { Network, line, tcpConnector, tcpListener } from './network.ts';
import { freePort } from './ports.ts';
import { RecordedSocket, pattern } from './recorded-socket.ts';
import { TcpServer, answering, dial } from './tcp-peer.ts';
import { until } from './until.ts';

const names = ['near', 'middle', 'far'];

/** Which end of the stalled connections does not read. */
export type StalledSide = 'clients' | 'servers';

export interface StalledOptions {
  readonly direction: StalledSide;
  readonly count: number;
  /** What is sent to each that does not read. */
  readonly stalledBytes: number;
  /** What the healthy connection transfers. */
  readonly healthyBytes: number;
  /** skupper-routers in place of Caravan. */
  readonly skupper?: boolean;
  /** How often the healthy transfer is measured, alone and beside the stalled ones: the best counts. Once when absent. */
  readonly repeats?: number;
}

/** What connections that do not read cost others. */
export interface StalledResult {
  /** Seconds of the healthy transfer, alone and beside the stalled ones. */
  readonly aloneSeconds: number;
  readonly besideSeconds: number;
  /** Octets by which each router's memory grew; NaN where the system does not tell. */
  readonly growth: readonly { readonly id: string; readonly bytes: number }[];
  /** Everything that was sent has arrived, octet by octet, once the stalled ones read again. */
  readonly exact: boolean;
}

/** Sends the pattern as fast as it is taken, then ends. */
function pour(socket: Socket, length: number): void {
  let sent = 0;
  const more = (): void => {
    while (sent < length && !socket.destroyed) {
      const piece = Math.min(262_144, length - sent);
      sent += piece;
      if (!socket.write(pattern(piece, sent - piece))) {
        socket.once('drain', more);
        return;
      }
    }
    socket.end();
  };
  more();
}

/** Resolves when none of the counters has moved for a while. */
async function still(read: () => number): Promise<void> {
  let last = -1;
  let sinceMs = performance.now();
  await until(
    'the stalled streams stand still',
    () => {
      const now = read();
      if (now !== last) {
        last = now;
        sinceMs = performance.now();
      }
      return performance.now() - sinceMs > 500;
    },
    20_000,
  );
}

/** A healthy transfer beside connections whose receivers do not read, through three routers. */
export async function stalledBeside(options: StalledOptions): Promise<StalledResult> {
  const { direction, count, stalledBytes, healthyBytes, skupper = false, repeats = 1 } = options;
  const servers: Socket[] = [];
  await using server = await TcpServer.start((socket) => servers.push(socket));
  await using healthyServer = await TcpServer.start((socket) => {
    socket.resume();
    pour(socket, healthyBytes);
  });
  await using echo = await TcpServer.echo();
  const [stalledPort, healthyPort, echoPort] = [await freePort(), await freePort(), await freePort()];
  await using network = await Network.start({
    tls: true,
    links: line(names),
    skupper: skupper ? names : [],
    entities: {
      near: [tcpListener('stalled', stalledPort), tcpListener('healthy', healthyPort), tcpListener('echo', echoPort)],
      middle: [],
      far: [
        tcpConnector('stalled', server.port, 'stalled-server'),
        tcpConnector('healthy', healthyServer.port, 'healthy-server'),
        tcpConnector('echo', echo.port, 'echo-server'),
      ],
    },
  });
  await answering(echoPort);
  let exact = true;
  const transfer = async (): Promise<number> => {
    let best = Infinity;
    for (let repeat = 0; repeat < repeats; repeat++) {
      const startMs = performance.now();
      const healthy = new RecordedSocket(await dial(healthyPort));
      healthy.socket.end();
      await healthy.ended;
      best = Math.min(best, (performance.now() - startMs) / 1000);
      exact &&= healthy.exact && healthy.receivedBytes === healthyBytes;
    }
    return best;
  };
  // The routers have done some work first, so that what is measured below is what the stalled connections add.
  await transfer();
  const aloneSeconds = await transfer();
  const before = network.routers.map((router) => router.residentBytes());

  const clients: Socket[] = [];
  for (let index = 0; index < count; index++) clients.push(await dial(stalledPort));
  await until('all stalled connections stand', () => servers.length === count);
  const [senders, receivers] = direction === 'clients' ? [servers, clients] : [clients, servers];
  for (const sender of senders) {
    pour(sender, stalledBytes);
    sender.resume();
  }
  await still(() => senders.reduce((sum, sender) => sum + sender.bytesWritten - sender.writableLength, 0));
  const besideSeconds = await transfer();
  const growth = network.routers.map((router, index) => ({ id: router.id, bytes: router.residentBytes() - before[index] }));

  const resumed = receivers.map((receiver) => new RecordedSocket(receiver));
  for (const { socket } of resumed) socket.end();
  await Promise.all(resumed.map(({ ended }) => ended));
  for (const { receivedBytes, exact: isExact } of resumed) exact &&= isExact && receivedBytes === stalledBytes;
  return { aloneSeconds, besideSeconds, growth, exact };
}
