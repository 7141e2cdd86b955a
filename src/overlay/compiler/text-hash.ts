/** 32 bits that follow from a text: FNV-1a over its code units, then mixed so that each bit depends on all of them. */
export function textHash(text: string, seed: number = 0): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** As `textHash`, but never 0: for numbers whose 0 means that there is nothing. */
export function revisionOf(text: string): number {
  return textHash(text) || 1;
}
