import { record, type Fields, type Path, type RecordOptions, type Schema } from '../management/schema.ts';

/** The schema of a map with known keys, whose table can be read: the page about resources is checked against it. */
export interface TableSchema<T extends object> extends Schema<T> {
  readonly fields: Fields<T>;
  readonly options: RecordOptions;
}

export function table<T extends object>(fields: Fields<T>, options: RecordOptions = {}): TableSchema<T> {
  return { ...record(fields, options), fields, options };
}

/** `schema` and a check of what its parts say together: `check` throws SchemaProblem. */
export function checked<T, S extends Schema<T>>(schema: S & Schema<T>, check: (value: T, path: Path) => void): S {
  return {
    ...schema,
    read(value: unknown, path: Path): T {
      const read = schema.read(value, path);
      check(read, path);
      return read;
    },
  };
}
