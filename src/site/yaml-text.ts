import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser, type CST, type Document, type Node } from 'yaml';
import { InputError } from '../base/errors.ts';
import type { Path } from '../management/schema.ts';

/** YAML 1.2 with every limit that text from outside needs, read into plain values whose lines can be found again. */

export interface YamlDocument {
  /** Maps are Map objects, so that no key of a document can touch a prototype. */
  readonly value: unknown;
  /** The line, counted from 1, of the deepest part of `path` that the document has. */
  lineOf(path: Path): number;
}

/** Longest text, in UTF-16 units: the largest object Kubernetes would store is 1.5 MiB, typical ones are 500 bytes. */
export const yamlLengthLimit: number = 1024 * 1024;

/** Most documents in one text. */
const documentCountLimit = 1024;

/** Deepest nesting: resources need 7 levels. Keeps the composer's recursion far from the end of the stack. */
const depthLimit = 32;

/** What the parser's stack holds beside open collections: the document and the value being read. */
const stackMargin = 3;

/** Most aliases in one document. */
const aliasCountLimit = 100;

/** Most values in one document after its aliases are expanded. */
const valueCountLimit = 100_000;

/** Reads all documents of `text`; empty ones are left out. Throws InputError with code `yaml-syntax`. */
export function parseYaml(text: string, where: string): readonly YamlDocument[] {
  if (text.length > yamlLengthLimit) {
    throw new InputError('yaml-syntax', where, `is ${text.length} characters long; the limit is ${yamlLengthLimit}`);
  }
  const lines = new LineCounter();
  const fail = (message: string, offset: number): InputError => {
    const { line, col } = lines.linePos(offset);
    return new InputError('yaml-syntax', `${where}:${line}:${col}`, message);
  };
  const tokens = syntaxOf(text, lines, fail);
  // The composer's own check of keys compares each with each; reading makes sure of them in linear time instead.
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, stringKeys: true });
  const documents: YamlDocument[] = [];
  for (const document of composer.compose(tokens, false, text.length)) {
    const [problem] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
    if (problem !== undefined) throw fail(problem.message, problem.pos[0]);
    const { contents } = document;
    if (contents === null || (isScalar(contents) && contents.value === null)) continue;
    if (documents.length === documentCountLimit) throw fail(`has more than ${documentCountLimit} documents`, contents.range?.[0] ?? 0);
    const value = new Reader(document, fail).read(contents, 0);
    documents.push({ value, lineOf: (path) => lines.linePos(offsetOf(document, contents, path)).line });
  }
  return documents;
}

type Fail = (message: string, offset: number) => InputError;

/**
 * The syntax tree of `text`, up to the first error in it: the composer reports that one, and a text of nothing but errors
 * costs no more than one. Depth is checked while the tree grows, so that no recursion over it goes deeper.
 */
function syntaxOf(text: string, lines: LineCounter, fail: Fail): readonly CST.Token[] {
  const tokens: CST.Token[] = [];
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  reading: for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      tokens.push(token);
      if (token.type === 'error') break reading;
    }
    if (parser.stack.length > depthLimit + stackMargin) throw fail(`nested deeper than ${depthLimit} levels`, parser.offset);
  }
  tokens.push(...parser.end());
  return tokens;
}

class Reader {
  readonly #document: Document;
  readonly #fail: Fail;
  #aliasCount = 0;
  #valueCount = 0;

  constructor(document: Document, fail: Fail) {
    this.#document = document;
    this.#fail = fail;
  }

  read(node: unknown, depth: number): unknown {
    if (node === null || node === undefined) return null;
    if (depth > depthLimit) throw this.#error(`nested deeper than ${depthLimit} levels`, node);
    if (++this.#valueCount > valueCountLimit) throw this.#error(`has more than ${valueCountLimit} values`, node);
    if (isScalar(node)) return node.value;
    if (isSeq(node)) return node.items.map((item) => this.read(item, depth + 1));
    if (isAlias(node)) {
      if (++this.#aliasCount > aliasCountLimit) throw this.#error(`has more than ${aliasCountLimit} aliases`, node);
      const target = node.resolve(this.#document);
      if (target === undefined) throw this.#error(`the alias *${node.source} refers to no anchor before it`, node);
      return this.read(target, depth + 1);
    }
    if (!isMap(node)) throw this.#error('has a value that is neither text, number, list nor map', node);
    const members = new Map<string, unknown>();
    for (const { key, value } of node.items) {
      const name: unknown = this.read(key, depth + 1);
      if (typeof name !== 'string') throw this.#error('a key must be a text', key);
      if (members.has(name)) throw this.#error(`the key '${name}' stands twice in the same map`, key);
      members.set(name, this.read(value, depth + 1));
    }
    return members;
  }

  #error(message: string, node: unknown): InputError {
    return this.#fail(message, (node as Node | null)?.range?.[0] ?? 0);
  }
}

function offsetOf(document: Document, contents: Node, path: Path): number {
  let node: unknown = contents;
  let offset = contents.range?.[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      if (pair === undefined) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    }
  }
  return offset;
}
