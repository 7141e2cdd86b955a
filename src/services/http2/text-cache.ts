import { asciiText } from '../http1/octets.ts';

const slots = 16;
/** Longer texts are seldom said twice. */
const longestText = 256;

/** Texts of octets that were asked for lately: requests are often alike. */
export class TextCache {
  readonly #texts: string[] = Array.from({ length: slots }, () => '');

  /** The text of `bytes[start, end)`, which is known to be ASCII. */
  text(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length === 0) return '';
    const slot = (length + bytes[end - 1] + bytes[start + (length >> 1)]) % slots;
    const last = this.#texts[slot];
    if (last.length === length) {
      let at = 0;
      while (at < length && last.charCodeAt(at) === bytes[start + at]) at++;
      if (at === length) return last;
    }
    const text = asciiText(bytes, start, end);
    if (length <= longestText) this.#texts[slot] = text;
    return text;
  }
}
