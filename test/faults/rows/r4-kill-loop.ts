import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../rig/clock.ts';
import { labMissing } from '../rig/lab.ts';
import type { Lab } from '../rig/lab.ts';
import { Load } from '../rig/load.ts';
import type { LoadRecords, Summary } from '../rig/load-records.ts';
import { NatsCluster, natsMissing } from '../rig/nats.ts';
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
/** Routes of a nats-server that has just started. */
const natsSettledMs = 3000;

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
  return effects(await load.stop([backend]), killedMs);
}

/** NATS in place of the routers: two servers at each site, each with a route to every other. */
async function killNatsServers(context: RowContext, forMs: number): Promise<Kills> {
  await using lab: Lab = await context.lab(twoSitesWires);
  const places = [0, 1, 2, 3].map((number) => ({ host: number < 2 ? 'a' : 'b', index: number % 2 }));
  const cluster = await NatsCluster.start(lab, places);
  const responders = [await cluster.respond('b', [2, 3]), await cluster.respond('b', [3, 2])];
  await sleep(natsSettledMs);
  const load = await cluster.load('a', [0, 1], ratePerSecond);
  await sleep(1000);
  const killedMs: number[] = [];
  const startMs = monotonicMs();
  for (let kill = 0; kill * killEveryMs < forMs; kill++) {
    context.signal.throwIfAborted();
    const victim = [0, 2, 1, 3][kill % 4];
    killedMs.push(monotonicMs());
    await cluster.kill(victim);
    await sleep(restartAfterMs);
    await cluster.startServer(victim);
    await sleep(Math.max(0, startMs + (kill + 1) * killEveryMs - monotonicMs()), undefined, { signal: context.signal });
  }
  return effects(await load.stop(responders), killedMs);
}

function effects(records: LoadRecords, killedMs: readonly number[]): Kills {
  const failedLater = records.failures.filter(
    ([, requestMs]) => !killedMs.some((atMs) => requestMs <= atMs + insideMs && requestMs > atMs - 1000),
  ).length;
  return { kills: killedMs.length, summary: records.summary(), failedLater };
}

function percent({ failed, sent }: Summary): number {
  return Math.round((failed / sent) * 1e5) / 1e3;
}

function asPeer({ summary }: Kills): PeerFigures {
  return { 'failed %': percent(summary), failed: summary.failed, sent: summary.sent, 'p99 ms': summary.p99Ms };
}

async function run(context: RowContext): Promise<Measured> {
  const forMs = context.fast ? 20_000 : 300_000;
  const peers: Record<string, PeerFigures> = {};
  let own: Kills | undefined;
  for (const kind of routerKinds(context.peers)) {
    context.note(`${forMs / killEveryMs} kills with ${kind.name}`);
    const result = await killRouters(context, kind, forMs);
    if (kind.name === 'caravan') own = result;
    else peers[kind.name] = asPeer(result);
  }
  if (context.peers && natsMissing() === undefined) {
    context.note(`${forMs / killEveryMs} kills with nats-server`);
    peers['nats-server'] = asPeer(await killNatsServers(context, forMs));
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
  shortened: '20 s',
  limitSeconds: { full: 1200, fast: 80 },
  missing: labMissing,
  run,
};
