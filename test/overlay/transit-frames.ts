/** Frames that come to transit in the world of these tests, and what it makes of them. */
import assert from 'node:assert/strict';
import type { Reason } from '../../src/overlay/layout/counter.ts';
import type { Path } from '../../src/overlay/layout/path.ts';
import type { Tables } from '../../src/overlay/model/tables.ts';
import type { GeneveOption } from '../../src/overlay/packet/geneve.ts';
import { encodeLocation, type Location } from '../../src/overlay/packet/overlay-option.ts';
import {
  hostGeneration,
  keyName,
  pod,
  podGeneration,
  podMac,
  remote,
  tunnelFrame,
  udpFrame,
  type Outcome,
  type ProgramWorld,
  type TunnelChanges,
} from './program-world.ts';

export const verdicts = { drop: 1, pass: 2, transmit: 3, redirect: 4 } as const;
/** Of the program at tc, which sends out of the uplink by a redirect too. */
const tcVerdicts: ReadonlyMap<number, number> = new Map([
  [verdicts.drop, 2],
  [verdicts.pass, 0xffffffff],
  [verdicts.transmit, 7],
  [verdicts.redirect, 7],
]);

/** Runs both programs of transit, which must do the same: verdict, octets, counts, events and paths. */
export function runTransit(world: ProgramWorld, frame: Uint8Array, changes: Partial<Tables>): Outcome {
  const byXdp = world.run('transit', frame, changes);
  const byTc = world.run('transit_tc', frame, changes);
  assert.equal(byTc.verdict, tcVerdicts.get(byXdp.verdict));
  if (byXdp.verdict !== verdicts.drop) assert.deepEqual(byTc.frame, byXdp.frame);
  assert.deepEqual([byTc.counts, byTc.events, pathsOf(byTc)], [byXdp.counts, byXdp.events, pathsOf(byXdp)]);
  return byXdp;
}

/** Without the time at which they were learnt. */
function pathsOf({ paths: learnt }: Outcome): unknown[] {
  return [...learnt]
    .toSorted(([one], [other]) => one.localeCompare(other))
    .map(([name, path]) => [name, { ...path, expiresNs: path.expiresNs > 1n }]);
}
export const flag = { destination: 1, final: 2, noPath: 4, asksWho: 8 } as const;

export function expectOutcome(outcome: Outcome, verdict: keyof typeof verdicts, reasons: readonly Reason[], frame: Uint8Array): void {
  assert.deepEqual(
    outcome.counts,
    [...reasons].sort().map((reason) => `${reason} 1 ${frame.length}`),
  );
  assert.equal(outcome.verdict, verdicts[verdict]);
}

/** LOC of `remote`, as its host tells it. */
export function location(changes: Partial<Location> = {}): GeneveOption {
  const hostId = changes.hostId ?? 2;
  return encodeLocation({
    hostId,
    hostGeneration: hostGeneration(hostId),
    endpointGeneration: podGeneration,
    identity: 21,
    flags: 0,
    mac: remote.mac,
    ...changes,
  });
}

/** A packet of `remote` for a pod here. */
export const forPod = (changes: TunnelChanges = {}, destination: Uint8Array = pod.ipv4): Uint8Array =>
  tunnelFrame(udpFrame({ source: remote.ipv4, sourceMac: remote.mac, destination, destinationMac: podMac(99) }), changes);
/** A packet of the pod that comes back. */
export const back = (changes: TunnelChanges = {}, destination: Uint8Array = remote.ipv4): Uint8Array =>
  tunnelFrame(udpFrame({ destination }), changes);
export const paths = (...entries: [Uint8Array, Path][]): Partial<Tables> => ({
  paths: new Map(entries.map(([of, path]) => [keyName(of), path])),
});
export const changed = (frame: Uint8Array, at: number, ...octets: number[]): Uint8Array => {
  const copy = frame.slice();
  copy.set(octets, at);
  return copy;
};
