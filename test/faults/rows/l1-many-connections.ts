import { setTimeout as sleep } from 'node:timers/promises';
import { Network, line, tcpConnector, tcpListener } from '../../e2e/network.ts';
import { freePort } from '../../e2e/ports.ts';
import { answering } from '../../e2e/tcp-peer.ts';
import type { ConnectionsAnswer, ConnectionsQuestion } from '../programs/many-connections.ts';
import { startProgram } from '../rig/own-program.ts';
import type { Program } from '../rig/program.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const connections = { full: 10_000, fast: 2000 };
const perSecond = 1000;
const names = ['near', 'far'];
/** Connections that a router has seen before memory is taken as its base: code is compiled then, and pools exist. */
const warmConnections = 200;
/** A collector with nothing to do comes by and by; this long after the last connection memory is read again. */
const restMs = { full: 20_000, fast: 8000 };
/** Memory of the peers' processes is read this long after an action. */
const settleMs = 1000;

interface Load {
  readonly failed: number;
  /** KiB of each connection, in the router that needs most. */
  readonly kibEach: number;
  /** Memory after the close / before, in the router where it is most. */
  readonly left: number;
  readonly openSeconds: number;
}

async function hold(context: RowContext, kind: RouterKind): Promise<Load> {
  const count = context.fast ? connections.fast : connections.full;
  await using disposables = new AsyncDisposableStack();
  const start = async (file: string, parameters: readonly string[], ready: RegExp): Promise<Program> => {
    const program = await startProgram(file, parameters, ready);
    disposables.defer(async () => void (await program.stop()));
    return program;
  };
  const [echoPort, port] = [await freePort(), await freePort()];
  await start('echo', [String(echoPort)], /listening/);
  await using network = await Network.start({
    tls: true,
    links: line(names),
    skupper: kind.name === 'caravan' ? [] : names,
    entities: { near: [tcpListener('echo', port)], far: [tcpConnector('echo', echoPort, 'server')] },
  });
  await answering(port);
  const client = await start('many-connections', [String(port)], /running/);
  const ask = async (question: ConnectionsQuestion): Promise<ConnectionsAnswer> => {
    context.signal.throwIfAborted();
    return await client.ask<ConnectionsAnswer>(question);
  };
  const resident = (): number[] => network.routers.map((router) => router.residentBytes());
  await ask({ open: warmConnections, perSecond });
  await ask({ echo: true });
  await ask({ close: true });
  await sleep(settleMs);
  const base = resident();
  const startMs = performance.now();
  // In steps, each shorter than a question may take.
  for (let opened = 0; opened < count; opened += perSecond) await ask({ open: Math.min(perSecond, count - opened), perSecond });
  const openSeconds = (performance.now() - startMs) / 1000;
  await ask({ echo: true });
  await sleep(settleMs);
  const full = resident();
  const { open, failed } = await ask({ echo: true });
  await ask({ close: true });
  await sleep(context.fast ? restMs.fast : restMs.full);
  const after = resident();
  return {
    failed: failed + (count - open),
    kibEach: Math.max(...full.map((bytes, index) => (bytes - base[index]) / 1024 / count)),
    left: Math.max(...after.map((bytes, index) => bytes / base[index])),
    openSeconds,
  };
}

function rounded({ failed, kibEach, left, openSeconds }: Load): PeerFigures {
  return {
    failed,
    'KiB each': Math.round(kibEach * 10) / 10,
    'left after': Math.round(left * 100) / 100,
    'seconds to open': Math.round(openSeconds),
  };
}

async function run(context: RowContext): Promise<Measured> {
  const [own, ...others] = routerKinds(context.peers);
  const load = await hold(context, own);
  const peers: Record<string, PeerFigures> = {};
  for (const kind of others) peers[kind.name] = rounded(await hold(context, kind));
  return {
    figures: [
      { name: 'connections that failed or did not echo', value: load.failed, unit: '', floor: 0 },
      { name: 'memory of each in the router that needs most', value: Math.round(load.kibEach * 10) / 10, unit: 'KiB', goal: 40 },
      { name: 'memory after the close, of that before', value: Math.round(load.left * 100) / 100, unit: 'times', goal: 1.2 },
    ],
    peers,
    detail: { connections: context.fast ? connections.fast : connections.full, openSeconds: Math.round(load.openSeconds) },
  };
}

export const manyConnections: Row = {
  id: 'L1',
  title: '10,000 TCP connections at a time across two routers, then closed',
  floor: 'all echo, none fails',
  goal: 'at most 40 KiB each in a router; 1.2 times the memory before, after the close',
  fast: true,
  shortened: '2,000 connections',
  limitSeconds: { full: 400, fast: 60 },
  missing: () => undefined,
  run,
};
