import { cp, mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../e2e/until.ts';
import { monotonicMs } from '../rig/clock.ts';
import { labMissing } from '../rig/lab.ts';
import type { Lab } from '../rig/lab.ts';
import { Backend, Load, backendPort } from '../rig/load.ts';
import { caravan } from '../rig/router-kind.ts';
import { RouterNetwork, serviceConnector, serviceListener } from '../rig/routers.ts';
import { waitUntilServed } from '../rig/served.ts';
import type { Measured, Row, RowContext } from '../row.ts';

const ratePerSecond = 100;
const servicePort = 8000;
const fenceTimeoutMs = 30_000;
/** After one process has given way: long enough for what was under way. */
const settleMs = 1000;
const watchMs = 4000;
const fenced = /another process has the identity of this router.* reason=/;

interface Clone {
  readonly fencedMs: number;
  readonly alarm: boolean;
  /** Requests to each of the two servers once one process had given way. */
  readonly deliveries: readonly [number, number];
  readonly failedAfter: number;
}

/** b's whole folder is copied to host d and runs there, too, with a server of its own behind it. */
async function cloneState(context: RowContext): Promise<Clone> {
  await using lab: Lab = await context.lab([
    ['a', 'c'],
    ['c', 'b'],
    ['c', 'd'],
  ]);
  const backends = [await Backend.start(lab, 'b'), await Backend.start(lab, 'd')];
  const network = await RouterNetwork.start(lab, caravan, [
    { name: 'a', dials: ['c'], entities: [serviceListener('service', servicePort)] },
    { name: 'c' },
    { name: 'b', dials: ['c'], entities: [serviceConnector('service', backendPort)] },
  ]);
  const [b, c] = [network.router('b'), network.router('c')];
  await c.uses([network.router('a'), b]);
  await waitUntilServed(lab, 'a', servicePort);
  const load = await Load.start(lab, 'a', { ports: [servicePort], ratePerSecond, timeoutMs: 5000 });
  await sleep(1000);
  const copy = `${lab.folder}/b-copy`;
  await mkdir(copy);
  await cp(b.folder, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  // The same entities but for paths and for where its neighbour is.
  const clone = await b.cloneTo('d', copy, (text) =>
    text.replaceAll(b.folder, copy).replaceAll(lab.address('c', 'b'), lab.address('c', 'd')),
  );
  const startedMs = monotonicMs();
  const first = await until(
    'one of the two gives way',
    () => b.program.find(fenced, startedMs) ?? clone.program.find(fenced, startedMs),
    fenceTimeoutMs,
    () => `${b.program.tail(20)}\n--\n${clone.program.tail(20)}\n--\n${c.program.tail(20)}`,
  );
  const alarm = [b, clone].some(({ program }) => program.find(/another process has the identity/, startedMs) !== undefined);
  const settledMs = first.atMs + settleMs;
  await sleep(Math.max(0, settledMs + watchMs - monotonicMs()));
  const watchedMs = monotonicMs();
  const seen = await Promise.all(backends.map(async (backend) => new Set(await backend.ids())));
  const records = (await load.stop(backends)).between(settledMs, watchedMs);
  const count = (ids: ReadonlySet<number>): number => records.records.filter(([id]) => ids.has(id)).length;
  return {
    fencedMs: Math.round(first.atMs - startedMs),
    alarm,
    deliveries: [count(seen[0]), count(seen[1])],
    failedAfter: records.failures.length,
  };
}

async function run(context: RowContext): Promise<Measured> {
  const times = context.fast ? 1 : 5;
  const clones: Clone[] = [];
  for (let time = 0; time < times; time++) {
    context.signal.throwIfAborted();
    context.note(`copy ${time + 1} of ${times}`);
    clones.push(await cloneState(context));
  }
  const both = Math.max(...clones.map(({ deliveries }) => Math.min(...deliveries)));
  return {
    figures: [
      { name: 'one gives way after', value: Math.max(...clones.map(({ fencedMs }) => fencedMs)), unit: 'ms', goal: 5000 },
      { name: 'copies without an alarm', value: clones.filter(({ alarm }) => !alarm).length, unit: '', floor: 0 },
      { name: 'deliveries to the other one afterwards', value: both, unit: '', goal: 0 },
    ],
    detail: { clones },
  };
}

export const clonedIdentity: Row = {
  id: 'R7',
  title: "a site's state folder is copied and runs twice",
  floor: 'an alarm',
  goal: 'one of the two is fenced in ≤ 5 s, no delivery to both',
  fast: true,
  shortened: 'one copy',
  limitSeconds: { full: 240, fast: 60 },
  missing: labMissing,
  run,
};
