/**
 * Addresses are 16 octets everywhere; an IPv4 address is `::ffff:a.b.c.d`, ten octets 0, two octets 255 and its four.
 * Text forms: dotted for IPv4, RFC 5952 for IPv6, six pairs of hex digits with colons for a MAC.
 */

export const addressBytes = 16;
export const macBytes = 6;

const ipv4At = 12;
const groups = 8;

/** The 16 octets of an IPv4 address that lies at `at` in four octets. */
export function mappedIpv4(octets: Uint8Array, at = 0): Uint8Array<ArrayBuffer> {
  const address = new Uint8Array(addressBytes);
  address[10] = 255;
  address[11] = 255;
  address.set(octets.subarray(at, at + 4), ipv4At);
  return address;
}

export function isIpv4(address: Uint8Array): boolean {
  for (let at = 0; at < 10; at++) if (address[at] !== 0) return false;
  return address[10] === 255 && address[11] === 255;
}

/** The last four octets, a view: the IPv4 address of a mapped one. */
export function ipv4Octets(address: Uint8Array): Uint8Array {
  return address.subarray(ipv4At);
}

export function formatAddress(address: Uint8Array): string {
  if (isIpv4(address)) return ipv4Octets(address).join('.');
  const words = Array.from({ length: groups }, (_, group) => (address[group * 2]! << 8) | address[group * 2 + 1]!);
  // The longest run of two or more zero groups is written as `::`, the first one of equals.
  let runStart = groups;
  let runLength = 1;
  for (let start = 0; start < groups; start++) {
    let end = start;
    while (end < groups && words[end] === 0) end++;
    if (end - start > runLength) {
      runStart = start;
      runLength = end - start;
    }
  }
  const hex = (from: number, to: number): string =>
    words
      .slice(from, to)
      .map((word) => word.toString(16))
      .join(':');
  return runStart === groups ? hex(0, groups) : `${hex(0, runStart)}::${hex(runStart + runLength, groups)}`;
}

/** Undefined when the text is no IPv4 or IPv6 address. */
export function parseAddress(text: string): Uint8Array<ArrayBuffer> | undefined {
  const dotted = parseDotted(text);
  if (dotted !== undefined) return mappedIpv4(dotted);
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const zeros = groups - head.length - tail.length;
  if (halves.length === 2 ? zeros < 1 : zeros !== 0) return undefined;
  const address = new Uint8Array(addressBytes);
  [...head, ...new Uint16Array(zeros), ...tail].forEach((word, group) => {
    address[group * 2] = word >>> 8;
    address[group * 2 + 1] = word;
  });
  return address;
}

function parseDotted(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  if (!parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return Uint8Array.from(parts, Number);
}

/** `mayEndDotted`: the last two groups may be written as an IPv4 address, when they are the address's last ones. */
function parseGroups(text: string, mayEndDotted: boolean): number[] | undefined {
  if (text === '') return [];
  const words: number[] = [];
  const parts = text.split(':');
  for (const [at, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      words.push(Number.parseInt(part, 16));
      continue;
    }
    const dotted = mayEndDotted && at === parts.length - 1 ? parseDotted(part) : undefined;
    if (dotted === undefined) return undefined;
    words.push((dotted[0]! << 8) | dotted[1]!, (dotted[2]! << 8) | dotted[3]!);
  }
  return words;
}

export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (octet) => octet.toString(16).padStart(2, '0')).join(':');
}

/** Undefined when the text is no MAC. */
export function parseMac(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(':'), (pair) => Number.parseInt(pair, 16));
}
