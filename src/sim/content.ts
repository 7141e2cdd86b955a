/** Octets that repeat nowhere nearby: what is missing, doubled or out of place shows. Longer than any message or stream of a run: the starts take half of it. */
const octets: Uint8Array = makeOctets(1_048_576);
/** Where the content of a number begins. */
const startStep = 4099;
const starts = 128;

function makeOctets(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 0x2545f491;
  for (let at = 0; at < length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}

/** `length` octets that belong to `number`, from `from` on; shared, never to be written. */
export function contentOf(number: number, from: number, length: number): Uint8Array {
  const start = (number % starts) * startStep + from;
  return octets.subarray(start, start + length);
}

/** Where `bytes[start, end)` differs from the content of `number` at `from`; -1 if nowhere. */
export function differenceAt(number: number, from: number, bytes: Uint8Array, start: number, end: number): number {
  const shift = (number % starts) * startStep + from - start;
  for (let at = start; at < end; at++) if (bytes[at] !== octets[at + shift]) return at - start + from;
  return -1;
}
