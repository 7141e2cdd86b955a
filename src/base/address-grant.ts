/**
 * Which service addresses somebody may use. Patterns: `*` for every address, `name` for one, `prefix*` for all that begin so
 * (`db.*`). No pattern means none.
 */
export class AddressGrant {
  readonly patterns: readonly string[];
  readonly #all: boolean;
  readonly #exact: ReadonlySet<string>;
  readonly #prefixes: readonly string[];

  /** `patterns` as `checkAddressPattern` accepts them. */
  constructor(patterns: readonly string[]) {
    this.patterns = patterns;
    this.#all = patterns.includes('*');
    this.#exact = new Set(patterns.filter((pattern) => !pattern.endsWith('*')));
    this.#prefixes = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  }

  /** `address` without class letter, scheme and host. */
  allows(address: string): boolean {
    return this.#all || this.#exact.has(address) || this.#prefixes.some((prefix) => address.startsWith(prefix));
  }
}

/** Whether everything that `pattern` stands for is allowed by `patterns`. */
export function addressPatternsCover(patterns: readonly string[], pattern: string): boolean {
  if (pattern.endsWith('*')) {
    const prefix = pattern.slice(0, -1);
    return patterns.some((wider) => wider.endsWith('*') && prefix.startsWith(wider.slice(0, -1)));
  }
  return new AddressGrant(patterns).allows(pattern);
}

/** Patterns in one grant, and characters of each: a list that a person reads and every router keeps. */
export const maxAddressPatterns = 64;
export const maxAddressPatternLength = 253;

/** Why a text is no pattern; undefined when it is one. */
export function addressPatternProblem(pattern: string): string | undefined {
  if (pattern === '') return 'is empty';
  if (pattern.length > maxAddressPatternLength) return `has more than ${maxAddressPatternLength} characters`;
  const star = pattern.indexOf('*');
  if (star >= 0 && star < pattern.length - 1) return 'has a * before its end';
  if (/[\s/,]/.test(pattern)) return 'has a space, a comma or a slash';
  return undefined;
}
