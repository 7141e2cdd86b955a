import { ErrorCode, Http2Violation } from './http2-violation.ts';

/**
 * The code of RFC 7541 appendix B. It is canonical: symbols of one length have codes that follow each other in the order of the symbols, and
 * shorter codes come before longer ones; so the lengths of the symbols 0 to 256 say all.
 */
const codeLengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10,
  12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7,
  7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22,
  23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22,
  23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20,
  24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const endOfString = 256;
const longestCode = 30;
/** Padding is at most this many bits, all of them ones. */
const longestPadding = 7;

/**
 * An entry for each inner node of the code's tree and each four bits that may follow (the shortest code has five, so at most one symbol ends
 * within them):
 *
 *     bits 0 to 7: the node that is reached   bits 8 to 15: the symbol   bit 16: there is a symbol   bit 17: no string has this
 */
const hasSymbol = 0x1_0000;
const isWrong = 0x2_0000;

interface Machine {
  readonly steps: Uint32Array;
  /** 1 for nodes at which a string may end. */
  readonly mayEnd: Uint8Array;
}

function makeMachine(): Machine {
  // children of inner nodes: >= 0 an inner node, < 0 the symbol -1 - child
  const zeros: number[] = [0];
  const ones: number[] = [0];
  const onesOnly: number[] = [0];
  let code = 0;
  for (let length = 1; length <= longestCode; length++) {
    for (let symbol = 0; symbol <= endOfString; symbol++) {
      if (codeLengths[symbol] !== length) continue;
      let node = 0;
      for (let bit = length - 1; bit > 0; bit--) {
        const isOne = ((code >>> bit) & 1) === 1;
        const children = isOne ? ones : zeros;
        if (children[node] === 0) {
          children[node] = zeros.length;
          zeros.push(0);
          ones.push(0);
          onesOnly.push(isOne && onesOnly[node] >= 0 ? onesOnly[node] + 1 : -1);
        }
        node = children[node];
      }
      ((code & 1) === 1 ? ones : zeros)[node] = -1 - symbol;
      code++;
    }
    code *= 2;
  }
  const steps = new Uint32Array(zeros.length * 16);
  for (let node = 0; node < zeros.length; node++) {
    for (let bits = 0; bits < 16; bits++) steps[node * 16 + bits] = stepOf(zeros, ones, node, bits);
  }
  return { steps, mayEnd: Uint8Array.from(onesOnly, (depth) => (depth >= 0 && depth <= longestPadding ? 1 : 0)) };
}

function stepOf(zeros: readonly number[], ones: readonly number[], from: number, bits: number): number {
  let node = from;
  let symbol = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = (((bits >>> bit) & 1) === 1 ? ones : zeros)[node];
    if (next >= 0) node = next;
    else if (-1 - next === endOfString) return isWrong;
    else {
      symbol = hasSymbol | ((-1 - next) << 8);
      node = 0;
    }
  }
  return symbol | node;
}

const { steps, mayEnd } = makeMachine();

/**
 * Decodes `bytes[start, end)` to `target[at]`; returns the end of what was written, or -1 when it would go beyond `limit`. Throws
 * Http2Violation for what is no string in this code (RFC 7541 §5.2): the symbol for the end, or padding that is longer than 7 bits or not of ones.
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, target: Uint8Array, at: number, limit: number): number {
  let node = 0;
  let out = at;
  for (let index = start; index < end; index++) {
    const octet = bytes[index];
    let step = steps[(node << 4) | (octet >>> 4)];
    if (step >= hasSymbol) {
      if ((step & isWrong) !== 0) throw badString();
      if (out === limit) return -1;
      target[out++] = step >>> 8;
    }
    step = steps[((step & 0xff) << 4) | (octet & 15)];
    if (step >= hasSymbol) {
      if ((step & isWrong) !== 0) throw badString();
      if (out === limit) return -1;
      target[out++] = step >>> 8;
    }
    node = step & 0xff;
  }
  if (mayEnd[node] === 0) throw badString();
  return out;
}

function badString(): Http2Violation {
  return new Http2Violation(ErrorCode.compressionError, 'a string that is not in the code');
}
