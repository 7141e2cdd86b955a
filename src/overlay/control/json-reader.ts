/** Reads members of JSON that came from another host or from a disk. What is not as it must be is undefined, and so is what it is part of. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function objectOf(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/** A list of at most `limit` items that `read` accepts. */
export function listOf<T>(value: unknown, limit: number, read: (item: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(value) || value.length > limit) return undefined;
  const list: T[] = [];
  for (const item of value) {
    const one = read(item);
    if (one === undefined) return undefined;
    list.push(one);
  }
  return list;
}

/** A whole number from 0 to `most`. */
export function numberOf(value: unknown, most: number): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most ? value : undefined;
}

export function u32Of(value: unknown): number | undefined {
  return numberOf(value, 0xffffffff);
}

/** Lower-case hex digits, exactly so many. */
export function hexOf(value: unknown, digits: number): string | undefined {
  return typeof value === 'string' && value.length === digits && /^[0-9a-f]*$/.test(value) ? value : undefined;
}

export function flagOf(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

/** Fields of `T`, each with its reader. */
export type Shape<T> = { readonly [Name in keyof T]: (value: unknown) => T[Name] | undefined };

/** An object with exactly these members. */
export function shapeOf<T>(value: unknown, shape: Shape<T>): T | undefined {
  const object = objectOf(value);
  if (object === undefined) return undefined;
  const names = Object.keys(shape) as (keyof T & string)[];
  const record: Partial<T> = {};
  for (const name of names) {
    if (!Object.hasOwn(object, name)) return undefined;
    const member = shape[name](object[name]);
    if (member === undefined) return undefined;
    record[name] = member;
  }
  return Object.keys(object).length === names.length ? (record as T) : undefined;
}
