/** Different statuses that are counted one by one; those beyond are counted as one. Servers use a handful. */
const maxStatuses = 16;
/** What is not among these is counted as one: methods come from clients, and must not become a table without end. */
const knownMethods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'OTHER'] as const;
const otherMethod = 9;
const other = 'OTHER';
/** Entries of a text that are read. */
const maxEntries = 64;
const maxTextLength = 4096;

/** How often which status occurred. Nothing is allocated to count. */
export class StatusCounts {
  readonly #statuses = new Uint16Array(maxStatuses);
  readonly #counts = new Float64Array(maxStatuses);
  #used = 0;
  #others = 0;

  count(status: number): void {
    const used = this.#used;
    for (let place = 0; place < used; place++) {
      if (this.#statuses[place] === status) {
        this.#counts[place] = (this.#counts[place] as number) + 1;
        return;
      }
    }
    if (used === maxStatuses || status > 0xffff) {
      this.#others++;
      return;
    }
    this.#statuses[used] = status;
    this.#counts[used] = 1;
    this.#used++;
  }

  /** `200=17 404=2`, and `OTHER=1` for those without a place of their own. */
  toText(): string {
    const entries: string[] = [];
    for (let place = 0; place < this.#used; place++) entries.push(`${this.#statuses[place]}=${this.#counts[place]}`);
    if (this.#others > 0) entries.push(`${other}=${this.#others}`);
    return entries.join(' ');
  }
}

/** How often which method occurred. Nothing is allocated to count. */
export class MethodCounts {
  readonly #counts = new Float64Array(knownMethods.length);

  count(method: string): void {
    const place = placeOf(method);
    this.#counts[place] = (this.#counts[place] as number) + 1;
  }

  /** `GET=17 OTHER=2`. */
  toText(): string {
    const entries: string[] = [];
    for (let place = 0; place < knownMethods.length; place++) {
      const count = this.#counts[place] as number;
      if (count > 0) entries.push(`${knownMethods[place]}=${count}`);
    }
    return entries.join(' ');
  }
}

function placeOf(method: string): number {
  switch (method) {
    case 'GET':
      return 0;
    case 'POST':
      return 1;
    case 'PUT':
      return 2;
    case 'DELETE':
      return 3;
    case 'PATCH':
      return 4;
    case 'HEAD':
      return 5;
    case 'OPTIONS':
      return 6;
    case 'CONNECT':
      return 7;
    case 'TRACE':
      return 8;
    default:
      return otherMethod;
  }
}

/** Reads counts by status or method, as another router tells them: what is no count is skipped. */
export function parseCounts(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  if (text.length > maxTextLength) return counts;
  for (const entry of text.split(' ', maxEntries)) {
    const parts = /^([A-Z]{1,16}|\d{1,5})=(\d{1,16})$/.exec(entry);
    if (parts?.[1] !== undefined) counts.set(parts[1], Number(parts[2]));
  }
  return counts;
}
