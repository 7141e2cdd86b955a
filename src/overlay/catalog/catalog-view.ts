/** The catalog as those see it who only read. Values are plain data that came as JSON: whoever reads one checks its shape. */
export interface CatalogView {
  /** Rises with each change of what `get` and `entries` say. Of this process only. */
  readonly version: number;
  get(key: string): unknown;
  /** Records whose keys begin so, in the order of their keys. */
  entries(prefix: string): Iterable<readonly [key: string, value: unknown]>;
}
