import { InputError } from '../base/errors.ts';

/**
 * PEM (RFC 7468): DER in base64 between BEGIN and END lines. Text outside of the blocks is ignored, as the RFC allows.
 */

export type PemLabel = 'CERTIFICATE' | 'CERTIFICATE REQUEST' | 'PRIVATE KEY';

/** Longest PEM text that is looked at. A chain of the longest allowed length needs less than half of it. */
export const maxPemBytes: number = 64 * 1024;

const lineLength = 64;

/** One PEM block, with a final newline. */
export function encodePem(label: PemLabel, der: Uint8Array): string {
  const base64 = der.toBase64();
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += lineLength) lines.push(base64.slice(at, at + lineLength));
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The blocks one after the other: how a certificate chain is written, the leaf first. */
export function encodePemChain(certificates: readonly Uint8Array[]): string {
  return certificates.map((der) => encodePem('CERTIFICATE', der)).join('');
}

/**
 * All blocks with this label, in their order. `where` names the text in errors.
 * Throws InputError `bad-pem` when there is none, when there are more than `maxBlocks`, or when a block is not base64.
 */
export function decodePem(label: PemLabel, text: string, where: string, maxBlocks: number): Uint8Array<ArrayBuffer>[] {
  if (text.length > maxPemBytes) throw new InputError('bad-pem', where, `longer than ${maxPemBytes} bytes`);
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  const blocks: Uint8Array<ArrayBuffer>[] = [];
  for (let at = text.indexOf(begin); at !== -1; at = text.indexOf(begin, at)) {
    const bodyStart = at + begin.length;
    const bodyEnd = text.indexOf(end, bodyStart);
    if (bodyEnd === -1) throw new InputError('bad-pem', where, `"${begin}" without "${end}"`);
    if (blocks.length === maxBlocks) throw new InputError('bad-pem', where, `more than ${maxBlocks} blocks "${label}"`);
    blocks.push(decodeBody(text.slice(bodyStart, bodyEnd), label, where));
    at = bodyEnd + end.length;
  }
  if (blocks.length === 0) throw new InputError('bad-pem', where, `no block "${begin}"`);
  return blocks;
}

/** The only block with this label. Throws InputError `bad-pem` when there is not exactly one. */
export function decodeOnePem(label: PemLabel, text: string, where: string): Uint8Array<ArrayBuffer> {
  const [block] = decodePem(label, text, where, 1);
  if (block === undefined) throw new InputError('bad-pem', where, `no block "${label}"`);
  return block;
}

function decodeBody(body: string, label: PemLabel, where: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromBase64(body.replaceAll(/\s/g, ''), { lastChunkHandling: 'strict' });
  } catch (cause) {
    throw new InputError('bad-pem', where, `the block "${label}" is not base64`, { cause });
  }
}
