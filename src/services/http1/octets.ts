/** Octets of HTTP's grammar (RFC 9110 section 5.6) as tables, so that heads are checked and read octet by octet without text. */

export const tab = 0x09;
export const lineFeed = 0x0a;
export const carriageReturn = 0x0d;
export const space = 0x20;
export const comma = 0x2c;
export const slash = 0x2f;
export const colon = 0x3a;
export const semicolon = 0x3b;
export const asterisk = 0x2a;

const tokenMarks = "!#$%&'*+-.^_`|~";

/** For an octet of a token (section 5.6.2) the same in lower case, else 0. */
export const lowerToken: Uint8Array = makeTable((octet) => {
  if (isDigit(octet) || (octet >= 0x61 && octet <= 0x7a)) return octet;
  if (octet >= 0x41 && octet <= 0x5a) return octet + 32;
  return tokenMarks.includes(String.fromCharCode(octet)) ? octet : 0;
});

/** 1 for what may be in a field's value (section 5.5): all but control octets, tab apart. */
export const isValueOctet: Uint8Array = makeTable((octet) => (octet === tab || (octet >= space && octet !== 0x7f) ? 1 : 0));

/** 1 for what may be in a request's path and query: visible ASCII without `#`, which ends the target for some and not for others. */
export const isPathOctet: Uint8Array = makeTable((octet) => (octet > space && octet < 0x7f && octet !== 0x23 ? 1 : 0));

/** 1 for what may be in a host's name. */
export const isHostOctet: Uint8Array = makeTable((octet) =>
  isDigit(octet) || isLetter(octet) || '-._'.includes(String.fromCharCode(octet)) ? 1 : 0,
);

/** Value of a hexadecimal digit; 255 for all else. */
export const hexValue: Uint8Array = makeTable((octet) => {
  if (isDigit(octet)) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : 255;
});

function makeTable(value: (octet: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, octet) => value(octet));
}

export function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39;
}

function isLetter(octet: number): boolean {
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

export function isBlank(octet: number): boolean {
  return octet === space || octet === tab;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function octetsOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Text of octets that are known to be ASCII. */
export function asciiText(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}

/** True when `bytes[start, end)` is `text`, which is in lower case; letters of the octets may be in either. */
export function isText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let at = 0; at < text.length; at++) {
    const octet = bytes[start + at];
    const lower = octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet;
    if (lower !== text.charCodeAt(at)) return false;
  }
  return true;
}
