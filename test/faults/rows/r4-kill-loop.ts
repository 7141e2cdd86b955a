import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../rig/clock.ts';
import { labMissing } from '../rig/lab.ts';
import type { Lab } from '../rig/lab.ts';
import { Load } from '../rig/load.ts';
import type { Summary } from '../rig/load-records.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import { startTwoSites, twoSitesWires } from '../rig/two-sites.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const ratePerSecond = 200;
const killEveryMs = 5000;
/** From the kill to the new start: what a supervisor needs. */
const restartAfterMs = 200;

interface Kills {
  readonly kills: number;
  readonly summary: Summary;
  /** Begun later than this after a kill, failed requests were not inside the killed process. */
  readonly failedLater: number;
}

const insideMs = 50;

async function killRouters(context: RowContext, kind: RouterKind, forMs: number): Promise<Kills> {
  await using lab: Lab = await context.lab(twoSitesWires);
  const { routers, backend, ports, peersOf } = await startTwoSites(lab, kind);
  const load = await Load.start(lab, 'a', { ports, ratePerSecond });
  await sleep(1000);
  const killedMs: number[] = [];
  const startMs = monotonicMs();
  for (let kill = 0; kill * killEveryMs < forMs; kill++) {
    context.signal.throwIfAborted();
    // One of each site in turn: the other one of that site stays.
    const victim = routers[[0, 2, 1, 3][kill % 4]];
    killedMs.push(monotonicMs());
    await victim.kill();
    await sleep(restartAfterMs);
    const restartedMs = monotonicMs();
    await victim.start();
    await victim.uses(peersOf(victim), restartedMs);
    await sleep(Math.max(0, startMs + (kill + 1) * killEveryMs - monotonicMs()), undefined, { signal: context.signal });
  }
  const records = await load.stop([backend]);
  const failedLater = records.failures.filter(
    ([, requestMs]) => !killedMs.some((atMs) => requestMs <= atMs + insideMs && requestMs > atMs - 1000),
  ).length;
  return { kills: killedMs.length, summary: records.summary(), failedLater };
}

function percent({ failed, sent }: Summary): number {
  return Math.round((failed / sent) * 1e5) / 1e3;
}

async function run(context: RowContext): Promise<Measured> {
  const forMs = context.fast ? 40_000 : 300_000;
  const peers: Record<string, PeerFigures> = {};
  let own: Kills | undefined;
  for (const kind of routerKinds(context.peers)) {
    context.note(`${forMs / killEveryMs} kills with ${kind.name}`);
    const result = await killRouters(context, kind, forMs);
    const { summary } = result;
    if (kind.name === 'caravan') own = result;
    else peers[kind.name] = { 'failed %': percent(summary), failed: summary.failed, sent: summary.sent, 'p99 ms': summary.p99Ms };
  }
  if (own === undefined) throw new Error('Caravan was not measured');
  return {
    figures: [
      { name: 'failed', value: percent(own.summary), unit: '%', floor: 1, goal: 0.1 },
      { name: `failed that began later than ${insideMs} ms after a kill`, value: own.failedLater, unit: '', goal: 0 },
    ],
    peers,
    detail: { kills: own.kills, ...own.summary },
  };
}

export const killLoop: Row = {
  id: 'R4',
  title: 'one of two routers of a site is killed every 5 s under 200 requests/s',
  floor: 'less than 1 % fail',
  goal: 'less than 0.1 %, only what was inside the killed process',
  fast: true,
  limitSeconds: { full: 800, fast: 80 },
  missing: labMissing,
  run,
};
