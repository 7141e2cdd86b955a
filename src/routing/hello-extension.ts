import type { ControlMap, ControlValue } from './control-message.ts';

/*
 * What Caravan routers add to HELLO, under the body key `caravan`; a skupper-router skips it:
 *
 *   v         1
 *   interval  ms between two HELLOs of the sender on this link
 *   sent      the sender's clock, ms modulo 2^30
 *   echo      `sent` of the last HELLO received on this link, plus the ms that it has waited here; absent before the first
 *
 * Other keys belong to others (see `fields`).
 */

const extensionKey = 'caravan';
const extensionVersion = 1;

/** Periods that a peer may announce: shorter ones would make a busy machine look dead, longer ones would make a dead one look alive. */
export const helloIntervalBoundsMs: { readonly least: number; readonly most: number } = { least: 20, most: 10_000 };

/** Times in HELLO wrap here, so that they stay small numbers; far above any round trip. */
const wrapMs = 2 ** 30;

/** Longer than any round trip on which a link can work; what seems to take longer is not believed. */
const longestRoundTripMs = 30_000;

export interface HelloExtension {
  readonly intervalMs: number;
  /** The peer's clock when it sent this; undefined if it does not say. */
  readonly sentMs: number | undefined;
  /** This router's clock as the peer gives it back; undefined if it does not. */
  readonly echoMs: number | undefined;
  /** The whole map, for those who have keys of their own in it. */
  readonly fields: ControlMap;
}

/** The extension of a HELLO; undefined when there is none, or none that can be understood. */
export function parseHelloExtension(body: ControlMap): HelloExtension | undefined {
  const fields = body.get(extensionKey);
  if (!(fields instanceof Map)) return undefined;
  const map = fields as ControlMap;
  const intervalMs = wholeNumber(map.get('interval'));
  if (map.get('v') !== extensionVersion || intervalMs === undefined) return undefined;
  if (intervalMs < helloIntervalBoundsMs.least || intervalMs > helloIntervalBoundsMs.most) return undefined;
  return { intervalMs, sentMs: wholeNumber(map.get('sent')), echoMs: wholeNumber(map.get('echo')), fields: map };
}

/** The map that goes into a HELLO; the caller may add keys of its own. `echoMs` may grow beyond the wrap. */
export function helloExtension(intervalMs: number, nowMs: number, echoMs: number | undefined): Map<string, ControlValue> {
  const fields = new Map<string, ControlValue>([
    ['v', extensionVersion],
    ['interval', intervalMs],
    ['sent', Math.floor(nowMs) % wrapMs],
  ]);
  if (echoMs !== undefined) fields.set('echo', Math.floor(echoMs) % wrapMs);
  return fields;
}

/** Puts the extension into a HELLO body. */
export function withHelloExtension(body: ControlMap, extension: ControlMap): ControlMap {
  return new Map<string, ControlValue>([...body, [extensionKey, extension]]);
}

/** Round trip that follows from an echo; undefined if it cannot be one. */
export function roundTripOf(echoMs: number, nowMs: number): number | undefined {
  const tripMs = (((Math.floor(nowMs) - echoMs) % wrapMs) + wrapMs) % wrapMs;
  return tripMs <= longestRoundTripMs ? tripMs : undefined;
}

function wholeNumber(value: ControlValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < wrapMs ? value : undefined;
}
