/** Places for texts, a power of two: more than differ in the messages of a busy moment. */
const places = 256;
/** Longer texts are not kept: 256 of them, with the objects around them, are 48 KiB. */
const maxKeptBytes = 128;

/**
 * Texts that were read lately, found by their octets: addresses, names of routers and content types are the same in message after
 * message, and to compare them costs less than to decode them. Each place holds the last text that belonged there.
 */
export class TextCache {
  readonly #texts: (string | undefined)[] = Array.from<string | undefined>({ length: places });

  /** The text of these octets, if it is kept. */
  find(bytes: Uint8Array, start: number, length: number): string | undefined {
    if (length > maxKeptBytes || length === 0) return undefined;
    const text = this.#texts[placeOf(bytes, start, length)];
    if (text?.length !== length) return undefined;
    for (let index = 0; index < length; index++) {
      const byte = bytes[start + index];
      // In ASCII, octets and characters are the same.
      if (byte > 0x7f || text.charCodeAt(index) !== byte) return undefined;
    }
    return text;
  }

  /** Keeps the text of these octets, and returns it. */
  keep(bytes: Uint8Array, start: number, length: number, text: string): string {
    if (length <= maxKeptBytes && length > 0) this.#texts[placeOf(bytes, start, length)] = text;
    return text;
  }
}

function placeOf(bytes: Uint8Array, start: number, length: number): number {
  const end = start + length;
  const middle = bytes[start + (length >> 1)];
  const third = bytes[end - ((length + 3) >> 2)];
  // Addresses of one router differ at their end.
  return (length + bytes[start] * 3 + middle * 7 + third * 13 + bytes[end - Math.min(2, length)] * 61 + bytes[end - 1] * 31) & (places - 1);
}
