import { InputError } from '../base/errors.ts';

/**
 * JSON (RFC 8259) read so that every error has a line and a column and every container a line. The platform's parser
 * says where an error is only inside its message text, and takes the last of two equal keys without a word.
 */

/** An object is a Map, so that no key of a document can touch a prototype. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | ReadonlyMap<string, JsonValue>;

export interface JsonDocument {
  readonly value: JsonValue;
  /** The line, counted from 1, on which `container` (an array or Map inside value) begins. */
  lineOf(container: object): number;
}

/** Deepest nesting. A router configuration needs three levels; recursion below stays far from the end of the stack. */
const depthLimit = 64;

/** Longest document in UTF-16 units: about 20 times a router with every table full of typical entities. */
export const jsonLengthLimit: number = 16 * 1024 * 1024;

const backslash = 0x5c;

const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** Reads one JSON document. `where` names it in errors. Throws InputError with code `json-syntax`. */
export function parseJson(text: string, where: string): JsonDocument {
  return new JsonReader(text, where).document();
}

class JsonReader {
  readonly #text: string;
  readonly #where: string;
  readonly #offsets = new Map<object, number>();
  #lineStarts: readonly number[] | undefined;
  #position = 0;

  constructor(text: string, where: string) {
    this.#text = text;
    this.#where = where;
  }

  document(): JsonDocument {
    if (this.#text.length > jsonLengthLimit) throw this.#error(`is longer than ${jsonLengthLimit} characters`, 0);
    if (this.#text.startsWith('\uFEFF')) this.#position = 1;
    const value = this.#value(0);
    this.#skipBlanks();
    if (this.#position < this.#text.length) throw this.#error(`unexpected ${this.#here()} after the end of the document`);
    return { value, lineOf: (container) => this.#lineAndColumn(this.#offsets.get(container) ?? 0).line };
  }

  #value(depth: number): JsonValue {
    if (depth > depthLimit) throw this.#error(`nested deeper than ${depthLimit} levels`);
    this.#skipBlanks();
    switch (this.#text[this.#position]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  #object(depth: number): ReadonlyMap<string, JsonValue> {
    const start = this.#position++;
    const members = new Map<string, JsonValue>();
    this.#offsets.set(members, start);
    if (this.#take('}')) return members;
    for (;;) {
      this.#skipBlanks();
      const keyPosition = this.#position;
      if (this.#text[keyPosition] !== '"') throw this.#error(`expected a key in double quotes, found ${this.#here()}`);
      const key = this.#string();
      if (members.has(key)) throw this.#error(`the key '${key}' stands twice in the same object`, keyPosition);
      if (!this.#take(':')) throw this.#error(`expected ':' after the key '${key}', found ${this.#here()}`);
      members.set(key, this.#value(depth + 1));
      if (this.#take('}')) return members;
      if (!this.#take(',')) throw this.#error(`expected ',' or '}', found ${this.#here()}`);
    }
  }

  #array(depth: number): readonly JsonValue[] {
    const start = this.#position++;
    const items: JsonValue[] = [];
    this.#offsets.set(items, start);
    if (this.#take(']')) return items;
    for (;;) {
      items.push(this.#value(depth + 1));
      if (this.#take(']')) return items;
      if (!this.#take(',')) throw this.#error(`expected ',' or ']', found ${this.#here()}`);
    }
  }

  #string(): string {
    const start = this.#position;
    let end = start + 1;
    for (; this.#text[end] !== '"'; end++) {
      const code = this.#text.charCodeAt(end);
      // NaN stands for the end of the text.
      if (Number.isNaN(code) || code < 0x20) throw this.#error('this text is not closed before the end of its line', start);
      if (code === backslash) end++;
    }
    this.#position = end + 1;
    try {
      return JSON.parse(this.#text.slice(start, end + 1)) as string;
    } catch {
      throw this.#error('this text has an escape that JSON does not know', start);
    }
  }

  #scalar(): JsonValue {
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (this.#text.startsWith(word, this.#position)) {
        this.#position += word.length;
        return value;
      }
    }
    numberPattern.lastIndex = this.#position;
    const literal = numberPattern.exec(this.#text)?.[0];
    if (literal === undefined) throw this.#error(`expected a value, found ${this.#here()}`);
    this.#position += literal.length;
    return Number(literal);
  }

  #take(character: string): boolean {
    this.#skipBlanks();
    if (this.#text[this.#position] !== character) return false;
    this.#position++;
    return true;
  }

  #skipBlanks(): void {
    while (' \t\r\n'.includes(this.#text[this.#position] ?? 'x')) this.#position++;
  }

  #here(): string {
    const character = this.#text[this.#position];
    return character === undefined ? 'the end of the text' : `'${character}'`;
  }

  #error(message: string, position = this.#position): InputError {
    const { line, column } = this.#lineAndColumn(position);
    return new InputError('json-syntax', `${this.#where}:${line}:${column}`, message);
  }

  #lineAndColumn(position: number): { line: number; column: number } {
    const starts = (this.#lineStarts ??= lineStartsOf(this.#text));
    let line = 0;
    for (let step = 1 << 24; step > 0; step >>= 1) if ((starts[line + step] ?? Infinity) <= position) line += step;
    return { line: line + 1, column: position - (starts[line] ?? 0) + 1 };
  }
}

function lineStartsOf(text: string): readonly number[] {
  const starts = [0];
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', end + 1)) starts.push(end + 1);
  return starts;
}
