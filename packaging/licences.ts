import { readFile } from 'node:fs/promises';

/** Something in the package that others have made. */
export interface ForeignPart {
  readonly name: string;
  readonly version: string;
  /** The name of its licence, as its makers have it. */
  readonly licence: string;
  /** What it is here for. */
  readonly purpose: string;
  /** Where the text of its licence stands; the name of a part whose text holds for it too. */
  readonly texts: readonly string[] | { readonly sameAs: string };
}

/** One page: a list of the parts, then the texts. */
export async function licencePage(parts: readonly ForeignPart[]): Promise<string> {
  const sorted = parts.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const rows = sorted.map(({ name, version, licence, purpose }) => `${name} ${version}\n    ${licence}; ${purpose}\n`);
  const texts = await Promise.all(
    sorted.map(async ({ name, version, texts }) => {
      const line = `${'='.repeat(100)}\n${name} ${version}\n${'='.repeat(100)}\n`;
      if ('sameAs' in texts) return `${line}\nThe text of ${texts.sameAs} holds for it too.\n`;
      const read = await Promise.all(texts.map((file) => readFile(file, 'utf8')));
      return `${line}\n${read.map((text) => text.replaceAll('\r\n', '\n').trim()).join(`\n\n${'-'.repeat(100)}\n\n`)}\n`;
    }),
  );
  return `Caravan itself is under the Apache License 2.0, see LICENSE. These parts of the package are the work of others:\n\n${rows.join('')}\n${texts.join('\n')}`;
}
