import { nearestName } from '../base/nearest-name.ts';

/**
 * Schemas: one table says what a document may contain, and reading, validation and documentation all follow from it.
 *
 * A schema reads an untyped value (from JSON, YAML or a management request) into a typed one or throws a SchemaProblem
 * that names the path inside the document. The caller turns the path into a place a person can find.
 */

export type Path = readonly (string | number)[];

export type ProblemKind = 'invalid' | 'missing' | 'unknown' | 'unsupported';

/** What is wrong with a value, and where inside its document. The reader of the document adds the file and line. */
export class SchemaProblem extends Error {
  override readonly name = 'SchemaProblem';
  readonly kind: ProblemKind;
  readonly path: Path;
  readonly remedy: string | undefined;

  constructor(kind: ProblemKind, path: Path, message: string, remedy?: string) {
    super(message);
    this.kind = kind;
    this.path = path;
    this.remedy = remedy;
  }
}

export interface Schema<T> {
  /** What the value is, for messages and documentation: `integer from 1 to 65535`. */
  readonly type: string;
  /** Reads `value` found at `path`. Throws SchemaProblem. */
  read(value: unknown, path: Path): T;
}

/** A key that must be present, or has a default. */
export type PresentField<T> =
  | { readonly presence: 'required'; readonly schema: Schema<T>; readonly meaning: string }
  | { readonly presence: 'default'; readonly schema: Schema<T>; readonly meaning: string; readonly default: T };

/** A key that may be absent. */
export interface OptionalField<T> {
  readonly presence: 'optional';
  readonly schema: Schema<T>;
  readonly meaning: string;
}

/** The fields of T: TypeScript checks that the table and the interface agree in names, types and presence. */
export type Fields<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K> ? OptionalField<Exclude<T[K], undefined>> : PresentField<T[K]>;
};

/** A key that is known but that this program does not implement. Values in `accept` mean the same as leaving it out. */
export interface UnsupportedKey {
  readonly reason: string;
  readonly accept?: readonly unknown[];
  readonly remedy?: string;
}

export interface RecordOptions {
  /** Keys that are read and dropped, each with the reason why nothing is lost by that. */
  readonly ignored?: Readonly<Record<string, string>>;
  readonly unsupported?: Readonly<Record<string, UnsupportedKey>>;
  /** What a key is called in messages: `attribute` or `key`. */
  readonly keyWord?: string;
}

export function required<T>(schema: Schema<T>, meaning: string): PresentField<T> {
  return { presence: 'required', schema, meaning };
}

export function optional<T>(schema: Schema<T>, meaning: string): OptionalField<T> {
  return { presence: 'optional', schema, meaning };
}

export function withDefault<T>(schema: Schema<T>, value: T, meaning: string): PresentField<T> {
  return { presence: 'default', schema, meaning, default: value };
}

/** Longest text in any document, in UTF-16 units. Certificates are the longest thing people put in one (a few KiB). */
const textLengthLimit = 256 * 1024;

/** Longest list in any document: the most routing keys a MultiKeyListener may have; nothing else comes near. */
const listLengthLimit = 256;

/** Most keys in a free-form map (labels, annotations, settings). */
const mapSizeLimit = 256;

export interface TextOptions {
  readonly minimumLength?: number;
  readonly maximumLength?: number;
  readonly pattern?: RegExp;
  /** What the pattern asks for, in words. */
  readonly patternMeaning?: string;
  /** Never repeat the value in a message. */
  readonly secret?: boolean;
}

export function text(options: TextOptions = {}): Schema<string> {
  const { minimumLength = 1, maximumLength = textLengthLimit, pattern, patternMeaning = 'text', secret = false } = options;
  const type = pattern === undefined ? 'text' : patternMeaning;
  return {
    type,
    read(value, path): string {
      if (typeof value !== 'string') throw mismatch(path, type, value, secret);
      if (value.length < minimumLength)
        throw new SchemaProblem('invalid', path, minimumLength === 1 ? 'must not be empty' : 'is too short');
      if (value.length > maximumLength) {
        throw new SchemaProblem('invalid', path, `is ${value.length} characters long; the limit is ${maximumLength}`);
      }
      if (pattern !== undefined && !pattern.test(value)) throw mismatch(path, type, value, secret);
      return value;
    },
  };
}

export function integer(minimum: number, maximum: number): Schema<number> {
  const type = `integer from ${minimum} to ${maximum}`;
  return {
    type,
    read(value, path): number {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < minimum || value > maximum) {
        throw mismatch(path, `an ${type}`, value);
      }
      return value;
    },
  };
}

export function flag(): Schema<boolean> {
  return {
    type: 'true or false',
    read(value, path): boolean {
      if (typeof value !== 'boolean') throw mismatch(path, 'true or false', value);
      return value;
    },
  };
}

/** One of `choices`; a name in `unsupported` is refused with its reason instead of as a typing error. */
export function choice<const T extends string>(choices: readonly T[], unsupported: Readonly<Record<string, string>> = {}): Schema<T> {
  const type = choices.length === 1 ? `'${choices[0]}'` : `one of ${choices.join(', ')}`;
  return {
    type,
    read(value, path): T {
      const found = choices.find((candidate) => candidate === value);
      if (found !== undefined) return found;
      if (typeof value === 'string' && Object.hasOwn(unsupported, value)) {
        throw new SchemaProblem(
          'unsupported',
          path,
          `${String(path.at(-1) ?? 'value')} '${value}' is not supported: ${unsupported[value]}`,
        );
      }
      const near = typeof value === 'string' ? nearestName(value, choices) : undefined;
      throw mismatch(path, type, value, false, near);
    },
  };
}

/** A map from text to text, as in labels and settings. Keys of the document become own properties, whatever they are called. */
export function textMap(): Schema<Readonly<Record<string, string>>> {
  return mapOf(text({ minimumLength: 0 }));
}

/** A map from text to whatever `item` reads. */
export function mapOf<T>(item: Schema<T>): Schema<Readonly<Record<string, T>>> {
  const type = `map of text to ${item.type}`;
  return {
    type,
    read(value, path): Readonly<Record<string, T>> {
      const entries = entriesOf(value);
      if (entries === undefined) throw mismatch(path, `a ${type}`, value);
      if (entries.length > mapSizeLimit) throw new SchemaProblem('invalid', path, `has more than ${mapSizeLimit} keys`);
      return Object.fromEntries(entries.map(([key, member]) => [key, item.read(member, [...path, key])]));
    },
  };
}

export function list<T>(item: Schema<T>, minimumLength = 0): Schema<readonly T[]> {
  return {
    type: `list of ${item.type}`,
    read(value, path): readonly T[] {
      if (!Array.isArray(value)) throw mismatch(path, `a list of ${item.type}`, value);
      if (value.length < minimumLength) throw new SchemaProblem('invalid', path, `needs at least ${minimumLength} item`);
      if (value.length > listLengthLimit) throw new SchemaProblem('invalid', path, `has more than ${listLengthLimit} items`);
      return value.map((member, index) => item.read(member, [...path, index]));
    },
  };
}

/** A map with known keys. Unknown keys are refused with the nearest known one. A key whose value is null counts as absent. */
export function record<T extends object>(fields: Fields<T>, options: RecordOptions = {}): Schema<T> {
  const { ignored = {}, unsupported = {}, keyWord = 'key' } = options;
  const table = fields as Readonly<Record<string, PresentField<unknown> | OptionalField<unknown>>>;
  return {
    type: 'map',
    read(value, path): T {
      const entries = entriesOf(value ?? {});
      if (entries === undefined) throw mismatch(path, 'a map', value);
      const given = new Map(entries.filter(([, item]) => item !== null && item !== undefined));
      for (const [key, item] of given) {
        if (Object.hasOwn(table, key) || Object.hasOwn(ignored, key)) continue;
        const refusal = Object.hasOwn(unsupported, key) ? unsupported[key] : undefined;
        if (refusal === undefined) {
          const near = nearestName(key, [...Object.keys(table), ...Object.keys(ignored), ...Object.keys(unsupported)]);
          const suggestion = near === undefined ? '' : `; did you mean '${near}'?`;
          throw new SchemaProblem('unknown', [...path, key], `${keyWord} '${key}' is unknown${suggestion}`);
        }
        if (refusal.accept?.includes(item) === true) continue;
        throw new SchemaProblem('unsupported', [...path, key], `${keyWord} '${key}' is not supported: ${refusal.reason}`, refusal.remedy);
      }
      const result: [string, unknown][] = [];
      for (const [key, field] of Object.entries(table)) {
        const item = given.get(key);
        if (item !== undefined) result.push([key, field.schema.read(item, [...path, key])]);
        else if (field.presence === 'default') result.push([key, field.default]);
        else if (field.presence === 'required') {
          throw new SchemaProblem('missing', path, `${keyWord} '${key}' is required (${field.schema.type}: ${field.meaning})`);
        }
      }
      return Object.fromEntries(result) as T;
    },
  };
}

/** The entries of a Map or a plain object; undefined when `value` is neither. */
function entriesOf(value: unknown): [string, unknown][] | undefined {
  if (value instanceof Map) return [...value].map(([key, item]) => [String(key), item]);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.entries(value);
}

/** The problem of a value that is not what `expected` says. `near` is what was probably meant. */
export function mismatch(path: Path, expected: string, value: unknown, secret = false, near?: string): SchemaProblem {
  const suggestion = near === undefined ? '' : `; did you mean '${near}'?`;
  return new SchemaProblem('invalid', path, `must be ${expected}, not ${secret ? 'this' : describe(value)}${suggestion}`);
}

/** Longest value repeated in a message. */
const quoteLengthLimit = 60;

function describe(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (typeof value === 'string') return value === '' ? 'empty text' : `the text '${value.slice(0, quoteLengthLimit)}'`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? 'a list' : 'a map';
}
