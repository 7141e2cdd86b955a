/** A source of randomness. The host gives the operating system's, tests and simulation a seeded one. */
export interface Random {
  /** Fills `target` with random bytes. */
  fill(target: Uint8Array): void;
  /** A number in [0, 1). */
  number(): number;
}

const discriminatorAlphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_';
/** Characters that are joined at a time: one by one they would become a rope. */
const joinedCharacters = 5;

/** Random text over `a-zA-Z0-9+_` (6 bits each), as skupper-router uses for link names, correlators and reply addresses. */
export function discriminator(random: Random, length: number): string {
  const bytes = new Uint8Array(length);
  random.fill(bytes);
  let text = '';
  let at = 0;
  for (; at + joinedCharacters <= length; at += joinedCharacters) {
    text += String.fromCharCode(code(bytes[at]), code(bytes[at + 1]), code(bytes[at + 2]), code(bytes[at + 3]), code(bytes[at + 4]));
  }
  for (; at < length; at++) text += String.fromCharCode(code(bytes[at]));
  return text;
}

function code(byte: number): number {
  return discriminatorAlphabet.charCodeAt(byte & 63);
}
