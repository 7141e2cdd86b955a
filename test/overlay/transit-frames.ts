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
  type TunnelChanges,
} from './program-world.ts';

export const verdicts = { drop: 1, pass: 2, transmit: 3, redirect: 4 } as const;
export const flag = { destination: 1, final: 2, noPath: 4 } as const;

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
