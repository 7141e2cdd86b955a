/** Identities of what no router tells of itself, such as pairs: always the same for the same parts. FNV-1 of 64 bits, as Skupper has it. */
export function deviseId(prefix: string, ...parts: readonly string[]): string {
  let value = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(prefix + parts.join(''))) {
    value = BigInt.asUintN(64, value * 0x100000001b3n) ^ BigInt(byte);
  }
  return `${prefix}-${value.toString(16).padStart(16, '0')}`;
}

/** What is left of a site's id in names. */
export function shortSiteName(siteId: string): string {
  return siteId.split('-')[0] ?? siteId;
}
