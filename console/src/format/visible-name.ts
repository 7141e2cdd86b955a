/**
 * Characters that change how the text around them is shown: controls, line and paragraph separators, marks of bidirectional text, and
 * those without a width. Names come from the network: what is shown must be what is there.
 */
const deceiving = /[\p{Cc}\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu;

/** A name from the network with such characters written as escapes. */
export function visibleName(text: string): string {
  return text.replaceAll(deceiving, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** A name that must fit into so many characters: start and end, because names often differ in their end only. */
export function shortName(text: string, maximumLength: number): string {
  const characters = Array.from(visibleName(text));
  if (characters.length <= maximumLength) return characters.join('');
  const end = Math.floor((maximumLength - 1) * 0.4);
  return `${characters.slice(0, maximumLength - 1 - end).join('')}…${characters.slice(characters.length - end).join('')}`;
}
