import { badMessage } from './http-violation.ts';
import { maxAuthorityBytes } from './limits.ts';
import { asciiText, colon, hexValue, isDigit, isHostOctet } from './octets.ts';

const bracket = 0x5b;
const closingBracket = 0x5d;

/**
 * Host and port as text: a name of letters, digits, `-`, `.`, `_`, or an address, `[...]` for IPv6; then `:port`. RFC 3986 allows more in
 * a name (percent encoding, commas, ...), but programs differ in what they make of it. Throws HttpViolation.
 */
export function authorityText(bytes: Uint8Array, start: number, end: number): string {
  if (start === end) throw badMessage('an empty Host');
  if (end - start > maxAuthorityBytes) throw badMessage('a Host that is too long');
  let at = start;
  if (bytes[at] === bracket) {
    at++;
    while (at < end && (hexValue[bytes[at]] < 16 || bytes[at] === colon || bytes[at] === 0x2e)) at++;
    if (at === end || bytes[at] !== closingBracket || at === start + 1) throw badMessage('a Host that is none');
    at++;
  } else {
    while (at < end && isHostOctet[bytes[at]] !== 0) at++;
    if (at === start) throw badMessage('a Host that is none');
  }
  if (at < end) {
    let port = 0;
    const digits = at + 1;
    if (bytes[at] !== colon || digits === end || end - digits > 5) throw badMessage('a Host that is none');
    for (at = digits; at < end; at++) {
      if (!isDigit(bytes[at])) throw badMessage('a Host that is none');
      port = port * 10 + (bytes[at] - 0x30);
    }
    if (port > 65_535) throw badMessage('a Host that is none');
  }
  return asciiText(bytes, start, end);
}
