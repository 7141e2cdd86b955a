import { stalledBeside } from '../../e2e/stalled.ts';
import type { StalledSide } from '../../e2e/stalled.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const mebibyte = 1_048_576;
const stalled = 100;
/** More than all buffers on the way hold. */
const stalledBytes = 8 * mebibyte;
const healthyBytes = { full: 400_000_000, fast: 100_000_000 };

interface Cost {
  /** KiB for each stalled connection, in the router that needs most. */
  readonly kibEach: number;
  readonly togetherMiB: number;
  /** Rate of the healthy transfer, of its rate alone. */
  readonly healthyPercent: number;
  readonly exact: boolean;
}

async function cost(context: RowContext, kind: RouterKind, direction: StalledSide): Promise<Cost> {
  context.signal.throwIfAborted();
  const { aloneSeconds, besideSeconds, growth, exact } = await stalledBeside({
    direction,
    count: stalled,
    stalledBytes,
    healthyBytes: context.fast ? healthyBytes.fast : healthyBytes.full,
    skupper: kind.name !== 'caravan',
    repeats: context.fast ? 2 : 3,
  });
  const most = Math.max(...growth.map(({ bytes }) => bytes));
  return { kibEach: most / 1024 / stalled, togetherMiB: most / mebibyte, healthyPercent: (100 * aloneSeconds) / besideSeconds, exact };
}

async function run(context: RowContext): Promise<Measured> {
  const [own, ...others] = routerKinds(context.peers);
  const sides = [await cost(context, own, 'servers')];
  if (!context.fast) sides.push(await cost(context, own, 'clients'));
  const worst = (of: (cost: Cost) => number, pick: (...values: number[]) => number): number => Math.round(pick(...sides.map(of)));
  const peers: Record<string, PeerFigures> = {};
  for (const kind of others) {
    const theirs = await cost(context, kind, 'clients').catch((error: Error) => error);
    peers[kind.name] =
      theirs instanceof Error
        ? { failed: theirs.message.split('\n')[0] }
        : {
            'KiB each': Math.round(theirs.kibEach),
            'MiB together': Math.round(theirs.togetherMiB),
            'healthy rate': `${Math.round(theirs.healthyPercent)} %`,
          };
  }
  return {
    figures: [
      { name: 'memory for each stalled connection', value: worst(({ kibEach }) => kibEach, Math.max), unit: 'KiB', floor: 1024, goal: 512 },
      { name: 'together', value: worst(({ togetherMiB }) => togetherMiB, Math.max), unit: 'MiB', goal: 64 },
      {
        name: 'rate of a healthy transfer, of its rate alone',
        value: worst(({ healthyPercent }) => healthyPercent, Math.min),
        unit: '%',
        better: 'higher',
        goal: 90,
      },
      { name: 'transfers with other octets', value: sides.filter(({ exact }) => !exact).length, unit: '', floor: 0 },
    ],
    peers,
    detail: { stalled, sides },
  };
}

export const stalledReceivers: Row = {
  id: 'D7',
  title: '100 receivers that do not read beside a healthy one, at either end, through three routers',
  floor: 'at most 1 MiB for each',
  goal: 'at most 512 KiB each and 64 MiB together; the healthy one keeps 90 % of its rate',
  fast: true,
  shortened: 'only servers that do not read, 100 MB',
  limitSeconds: { full: 300, fast: 60 },
  missing: () => undefined,
  run,
};
