import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClockReading } from '../programs/clock-probe.ts';
import { monotonicMs } from '../rig/clock.ts';
import { FakedClock, fakedClockMissing } from '../rig/faked-clock.ts';
import { labMissing } from '../rig/lab.ts';
import type { Lab } from '../rig/lab.ts';
import { Load } from '../rig/load.ts';
import type { Summary } from '../rig/load-records.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import { startTriangle, triangleWires } from '../rig/triangle.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const ratePerSecond = 200;
const hour = 3600;
const day = 24 * hour;
/** Each step is a jump from the one before. */
const aheadSeconds: readonly number[] = [hour, 0, -hour, 400 * day, 0];
/** Longer than a silent neighbour is believed in. */
const holdMs = { full: 6000, fast: 2500 };
const clockToleranceMs = 2500;
const clockProbe = join(import.meta.dirname, '../programs/clock-probe.ts');
const restartTimeoutMs = 60_000;

interface Jumps {
  readonly linksLost: number;
  readonly summary: Summary;
  /** From the new start of a router whose clock went back an hour until its neighbours use it again. */
  readonly restartMs: number;
}

async function jumpClocks(context: RowContext, kind: RouterKind): Promise<Jumps> {
  await using lab: Lab = await context.lab(triangleWires);
  const clocks = new Map(['a', 'b', 'c'].map((name) => [name, new FakedClock(lab.folder, name)]));
  const { a, b, c, backend, port } = await startTriangle(lab, kind, {
    // Half a day to both sides, so that an hour does not touch the certificates.
    certificatesFromMs: Date.now() - (day / 2) * 1000,
    environment: ({ name }) => clocks.get(name)?.environment ?? {},
  });
  const routers = [a, b, c];
  // Reads b's faked clock: without a jump there is nothing to survive.
  const probe = lab.start('b', 'clock probe', [process.execPath, clockProbe], {
    answers: true,
    environment: clocks.get('b')?.environment ?? {},
  });
  await probe.logged(/running/);
  const load = await Load.start(lab, 'a', { ports: [port], ratePerSecond });
  await sleep(1000);
  const fromMs = monotonicMs();
  // One router's clock jumps, then that of all at once.
  for (const jumping of [[b], routers]) {
    for (const ahead of aheadSeconds) {
      context.signal.throwIfAborted();
      for (const { name } of jumping) clocks.get(name)?.jump(ahead);
      await sleep(context.fast ? holdMs.fast : holdMs.full);
      const reading = await probe.ask<ClockReading>('now');
      const seenMs = reading.wallMs - Date.now();
      if (Math.abs(seenMs - ahead * 1000) > clockToleranceMs || Math.abs(reading.monotonicMs - monotonicMs()) > clockToleranceMs)
        throw new Error(`the clock of b should be ${ahead} s ahead and is ${Math.round(seenMs / 1000)} s`);
    }
  }
  const linksLost = routers.flatMap((router) =>
    routers.flatMap((peer) => (router === peer ? [] : router.program.findAll(kind.left(peer.id), fromMs))),
  ).length;
  clocks.get('c')?.jump(-hour);
  await c.stop();
  const startedMs = monotonicMs();
  await c.start();
  await Promise.all([a.uses([c], startedMs, restartTimeoutMs), b.uses([c], startedMs, restartTimeoutMs)]);
  const restartMs = Math.round(monotonicMs() - startedMs);
  await sleep(1000);
  const records = await load.stop([backend]);
  return { linksLost, summary: records.summary(), restartMs };
}

async function run(context: RowContext): Promise<Measured> {
  const peers: Record<string, PeerFigures> = {};
  let own: Jumps | undefined;
  for (const kind of routerKinds(context.peers)) {
    context.note(`clock jumps with ${kind.name}`);
    const result = await jumpClocks(context, kind);
    if (kind.name === 'caravan') own = result;
    else
      peers[kind.name] = { 'links lost': result.linksLost, failed: result.summary.failed, 'used again after restart ms': result.restartMs };
  }
  if (own === undefined) throw new Error('Caravan was not measured');
  return {
    figures: [
      { name: 'links lost', value: own.linksLost, unit: '', floor: 0 },
      { name: 'requests failed', value: own.summary.failed, unit: '', goal: 0 },
      { name: 'used again after a restart one hour back', value: own.restartMs, unit: 'ms', floor: 10_000 },
    ],
    peers,
    detail: { ...own.summary },
  };
}

export const clockJumps: Row = {
  id: 'R8',
  title: 'clocks jump: +1 h, -1 h, +400 d, and back across a restart',
  floor: 'no link lost',
  goal: 'no link lost, no request failed',
  fast: true,
  shortened: '2.5 s after each jump',
  limitSeconds: { full: 300, fast: 90 },
  missing: () => labMissing() ?? fakedClockMissing(),
  run,
};
