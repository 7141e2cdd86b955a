/** Ports that share their first `length` bits of 16. */
export interface PortPrefix {
  readonly port: number;
  readonly length: number;
}

export const portBits = 16;

/** The fewest prefixes that hold the ports from `first` to `last` and no other: at most 30. */
export function portPrefixes(first: number, last: number): PortPrefix[] {
  const prefixes: PortPrefix[] = [];
  for (let port = first; port <= last;) {
    let bits = 0;
    while (bits < portBits && port % 2 ** (bits + 1) === 0 && port + 2 ** (bits + 1) - 1 <= last) bits++;
    prefixes.push({ port, length: portBits - bits });
    port += 2 ** bits;
  }
  return prefixes;
}
