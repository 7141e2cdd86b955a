/** A source of randomness. The host gives the operating system's, tests and simulation a seeded one. */
export interface Random {
  /** Fills `target` with random bytes. */
  fill(target: Uint8Array): void;
  /** A number in [0, 1). */
  number(): number;
}

const discriminatorAlphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_';

/** Random text over `a-zA-Z0-9+_` (6 bits each), as skupper-router uses for link names, correlators and reply addresses. */
export function discriminator(random: Random, length: number): string {
  const bytes = new Uint8Array(length);
  random.fill(bytes);
  let text = '';
  for (const byte of bytes) text += discriminatorAlphabet[byte & 63];
  return text;
}
