import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../rig/clock.ts';
import { labMissing } from '../rig/lab.ts';
import type { Lab } from '../rig/lab.ts';
import { bothWays, silent, silentFromLeft } from '../rig/link-fault.ts';
import type { LinkFault } from '../rig/link-fault.ts';
import { Load } from '../rig/load.ts';
import type { Gap, Summary } from '../rig/load-records.ts';
import { percentile } from '../rig/percentile.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import { startTriangle, triangleWires } from '../rig/triangle.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const ratePerSecond = 200;
/** A link that is silent for longer than this without being left is a failure of the row. */
const leaveTimeoutMs = 30_000;
/** After the heal a connection that stood waits for its own repetition, which doubles with the time it was silent. */
const returnTimeoutMs = 60_000;
const restMs = 1000;
const lossPercent = 1;

interface Silence {
  /** From the fault until both ends have left the link. */
  readonly leftMs: number;
  readonly gap: Gap;
}

interface Silences {
  readonly bothWays: readonly Silence[];
  readonly oneWay: readonly Silence[];
  readonly summary: Summary;
  /** Links given up while a hundredth of all packets was lost. */
  readonly falseAlarms: number;
}

async function silence(context: RowContext, kind: RouterKind, times: number, lossMs: number): Promise<Silences> {
  await using lab: Lab = await context.lab(triangleWires);
  const { a, b, c, backend, port } = await startTriangle(lab, kind);
  const load = await Load.start(lab, 'a', { ports: [port], ratePerSecond });
  await sleep(1000);
  const spans: { fault: LinkFault; atMs: number; leftMs: number; healedMs: number }[] = [];
  for (let time = 0; time < times; time++) {
    for (const fault of [silent, silentFromLeft]) {
      context.signal.throwIfAborted();
      const atMs = monotonicMs();
      await lab.fault('a', 'b', fault);
      const left = await Promise.all([
        a.program.logged(kind.left(b.id), { sinceMs: atMs, timeoutMs: leaveTimeoutMs }),
        b.program.logged(kind.left(a.id), { sinceMs: atMs, timeoutMs: leaveTimeoutMs }),
      ]);
      const leftMs = Math.max(...left.map((line) => line.atMs)) - atMs;
      await sleep(restMs);
      const healedMs = monotonicMs();
      await lab.heal('a', 'b');
      spans.push({ fault, atMs, leftMs, healedMs });
      await Promise.all([a.uses([b], healedMs, returnTimeoutMs), b.uses([a], healedMs, returnTimeoutMs)]);
      await sleep(restMs);
    }
  }
  const lossFromMs = monotonicMs();
  if (lossMs > 0) {
    for (const [left, right] of triangleWires) await lab.fault(left, right, bothWays({ kind: 'lose', percent: lossPercent }));
    await sleep(lossMs, undefined, { signal: context.signal });
  }
  const falseAlarms = [a, b, c]
    .flatMap((router) => [a, b, c].map((peer) => ({ router, peer })))
    .filter(
      ({ router, peer }) => router !== peer && lossMs > 0 && router.program.find(kind.left(peer.id), lossFromMs) !== undefined,
    ).length;
  const records = (await load.stop([backend])).between(0, lossFromMs);
  const measured = (fault: LinkFault): Silence[] =>
    spans.filter((span) => span.fault === fault).map(({ atMs, leftMs, healedMs }) => ({ leftMs, gap: records.gap(atMs, healedMs) }));
  return { bothWays: measured(silent), oneWay: measured(silentFromLeft), summary: records.summary(), falseAlarms };
}

function worst(silences: readonly Silence[]): number {
  return Math.round(Math.max(...silences.map(({ leftMs }) => leftMs)));
}

function medianGap(silences: readonly Silence[]): number {
  return Math.round(
    percentile(
      silences.map(({ gap }) => gap.ms),
      50,
    ),
  );
}

async function run(context: RowContext): Promise<Measured> {
  const times = context.fast ? 1 : 6;
  const lossMs = context.fast ? 0 : 180_000;
  const peers: Record<string, PeerFigures> = {};
  let own: Silences | undefined;
  for (const kind of routerKinds(context.peers)) {
    context.note(`${2 * times} silences with ${kind.name}`);
    const result = await silence(context, kind, times, kind.name === 'caravan' ? lossMs : 0);
    if (kind.name === 'caravan') own = result;
    else
      peers[kind.name] = {
        'both ways left ms': worst(result.bothWays),
        'one way left ms': worst(result.oneWay),
        'gap p50 ms': medianGap([...result.bothWays, ...result.oneWay]),
        failed: result.summary.failed,
      };
  }
  if (own === undefined) throw new Error('Caravan was not measured');
  return {
    figures: [
      { name: 'both ends left, silent both ways', value: worst(own.bothWays), unit: 'ms', floor: 3000, goal: 1500 },
      { name: 'both ends left, silent one way', value: worst(own.oneWay), unit: 'ms', floor: 3000, goal: 1500 },
      ...(lossMs === 0
        ? []
        : [{ name: `links given up in ${lossMs / 60_000} min of 1 % loss`, value: own.falseAlarms, unit: '', goal: 0 }]),
    ],
    peers,
    detail: {
      ...own.summary,
      leftMs: {
        bothWays: own.bothWays.map(({ leftMs }) => Math.round(leftMs)),
        oneWay: own.oneWay.map(({ leftMs }) => Math.round(leftMs)),
      },
      gapP50Ms: { bothWays: medianGap(own.bothWays), oneWay: medianGap(own.oneWay) },
    },
  };
}

export const silentLink: Row = {
  id: 'R2',
  title: 'a link goes silent, both ways and in one direction only',
  floor: 'both ends leave it in ≤ 3 s',
  goal: '≤ 1.5 s, no false alarm at 1 % loss',
  fast: true,
  shortened: 'one silence of each kind, no false alarms looked for',
  limitSeconds: { full: 700, fast: 90 },
  missing: labMissing,
  run,
};
