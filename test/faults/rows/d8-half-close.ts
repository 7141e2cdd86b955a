import { HalfCloseLine, distances } from '../../e2e/half-close.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

/** Each case that ends otherwise takes as long as this. */
const peerWaitMs = 3000;

interface Endings {
  readonly run: number;
  readonly failed: readonly string[];
}

/** All cases over every distance, one at a time. */
async function endings(context: RowContext, kind: RouterKind): Promise<Endings> {
  const isPeer = kind.name !== 'caravan';
  await using line = await HalfCloseLine.start(isPeer, isPeer ? peerWaitMs : undefined);
  const failed: string[] = [];
  let run = 0;
  for (const distance of distances) {
    for (const entry of line.cases) {
      context.signal.throwIfAborted();
      run++;
      try {
        await entry.run(line.ports[distance]);
      } catch (error) {
        failed.push(`${distance} links: ${entry.name}: ${(error as Error).message.split('\n')[0]}`);
      }
    }
  }
  return { run, failed };
}

async function run(context: RowContext): Promise<Measured> {
  const [own, ...others] = routerKinds(context.peers);
  const { run: cases, failed } = await endings(context, own);
  const peers: Record<string, PeerFigures> = {};
  const theirFailures: Record<string, readonly string[]> = {};
  for (const kind of others) {
    const theirs = await endings(context, kind);
    peers[kind.name] = { 'endings that arrive otherwise': theirs.failed.length };
    theirFailures[kind.name] = theirs.failed;
  }
  return {
    figures: [
      { name: 'endings that arrive otherwise', value: failed.length, unit: '', floor: 0 },
      { name: 'cases', value: cases, unit: '', better: 'higher', floor: 84 },
    ],
    peers,
    detail: { failed, ...theirFailures },
  };
}

export const halfClose: Row = {
  id: 'D8',
  title: 'TCP half-close, reset and order of ends, in 21 cases over 0 to 3 links',
  floor: 'every case ends as the ends ended it',
  goal: 'the same, each octet compared, both directions',
  fast: true,
  limitSeconds: { full: 480, fast: 60 },
  missing: () => undefined,
  run,
};
