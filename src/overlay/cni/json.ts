import { cniCode, CniError } from './cni-error.ts';

/** JSON from outside, narrowed member by member. */

export type JsonObject = Readonly<Record<string, unknown>>;

/** Deepest nesting: results and settings have 5 levels. Keeps recursion over a document far from the end of the stack. */
const depthLimit = 32;

/** An object with members of its own only. Throws CniError (decoding failure). */
export function parseObject(text: string, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CniError(cniCode.decodingFailure, `${what} is not JSON`, (cause as Error).message.slice(0, 200), { cause });
  }
  if (!isObject(value)) throw new CniError(cniCode.decodingFailure, `${what} is not a JSON object`);
  if (isDeeper(value)) throw new CniError(cniCode.decodingFailure, `${what} is nested deeper than ${depthLimit} levels`);
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member of the object's own; null counts as absent. */
export function memberOf(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? (object[name] ?? undefined) : undefined;
}

/** An optional text. Throws CniError (invalid configuration). */
export function textOf(object: JsonObject, name: string, where: string = ''): string | undefined {
  const value = memberOf(object, name);
  if (value === undefined || typeof value === 'string') return value;
  throw invalid(`${where}${name}`, 'a text');
}

export function objectOf(object: JsonObject, name: string, where: string = ''): JsonObject | undefined {
  const value = memberOf(object, name);
  if (value === undefined || isObject(value)) return value;
  throw invalid(`${where}${name}`, 'an object');
}

/** An optional list of texts. */
export function textsOf(object: JsonObject, name: string, where: string = ''): readonly string[] | undefined {
  const values = listOf(object, name, where);
  return values?.map((value, index) => {
    if (typeof value !== 'string') throw invalid(`${where}${name}[${index}]`, 'a text');
    return value;
  });
}

export function objectsOf(object: JsonObject, name: string, where: string = ''): readonly JsonObject[] | undefined {
  const values = listOf(object, name, where);
  return values?.map((value, index) => {
    if (!isObject(value)) throw invalid(`${where}${name}[${index}]`, 'an object');
    return value;
  });
}

function listOf(object: JsonObject, name: string, where: string): readonly unknown[] | undefined {
  const value = memberOf(object, name);
  if (value === undefined || Array.isArray(value)) return value as readonly unknown[] | undefined;
  throw invalid(`${where}${name}`, 'a list');
}

export function invalid(where: string, expected: string): CniError {
  return new CniError(cniCode.invalidConfig, `'${where}' must be ${expected}`);
}

function isDeeper(value: unknown): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; depth <= depthLimit; depth++) {
    level = level.flatMap((item): readonly unknown[] => (typeof item === 'object' && item !== null ? Object.values(item) : []));
    if (level.length === 0) return false;
  }
  return true;
}
