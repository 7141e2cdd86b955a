/**
 * Characters that steer a terminal or change the order of what is shown: C0 (but not the line end), DEL, C1, line separators and the
 * marks of bidirectional text. Names and messages come from the network: what is printed must be what is there.
 */
const unsafe = /(?!\n)[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** Most names: nothing has to be looked for in them. */
const plain = /^[ -~]*$/;

/** `text` with such characters written as escapes, such as `\x1b`. Line ends stay. */
export function printableText(text: string): string {
  if (plain.test(text)) return text;
  return text.replaceAll(unsafe, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** The same for a name or a cell of a table, where a line end is escaped too. */
export function printableLine(text: string): string {
  return printableText(text).replaceAll('\n', '\\n');
}

/** Address patterns as a person reads them. */
export function patternText(patterns: readonly string[]): string {
  if (patterns.includes('*')) return 'every address';
  return patterns.length === 0 ? 'nothing' : patterns.join(', ');
}
