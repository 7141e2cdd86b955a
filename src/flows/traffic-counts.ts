/** Different statuses that are counted one by one; those beyond are counted as one. Servers use a handful. */
const maxStatuses = 16;
/** What is not among these is counted as one: methods come from clients, and must not become a table without end. */
const knownMethods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'OTHER', ''] as const;
const otherMethod = 9;
const noMethod = 10;
const otherStatusRow: number = maxStatuses;
const noStatusRow: number = maxStatuses + 1;
const other = 'OTHER';
/** Entries of a text that are read: more than there are of methods and statuses together. */
const maxEntries = 256;
const maxTextLength = 8192;

/** How often which status and method occurred, together. Nothing is allocated to count. */
export class ResponseCounts {
  readonly #statuses = new Uint16Array(maxStatuses);
  /** A row of methods for each status, and behind them for other statuses and for none. */
  readonly #counts = new Float64Array((maxStatuses + 2) * knownMethods.length);
  #used = 0;

  /** `status` is 0 when there was none, `method` empty. What has neither is not counted. */
  count(method: string, status: number): void {
    if (status === 0 && method === '') return;
    const place = this.#rowOf(status) * knownMethods.length + (method === '' ? noMethod : placeOf(method));
    this.#counts[place] = (this.#counts[place] as number) + 1;
  }

  #rowOf(status: number): number {
    if (status <= 0) return noStatusRow;
    const used = this.#used;
    for (let row = 0; row < used; row++) if (this.#statuses[row] === status) return row;
    if (used === maxStatuses || status > 0xffff) return otherStatusRow;
    this.#statuses[used] = status;
    return this.#used++;
  }

  #statusOf(row: number): string {
    return row < maxStatuses ? String(this.#statuses[row]) : other;
  }

  /** By status: `200=17 404=2`, and `OTHER=1` for those without a place of their own. */
  statusText(): string {
    const entries: string[] = [];
    for (let row = 0; row < noStatusRow; row++) {
      let sum = 0;
      for (let place = 0; place < knownMethods.length; place++) sum += this.#counts[row * knownMethods.length + place] as number;
      if (sum > 0) entries.push(`${this.#statusOf(row)}=${sum}`);
    }
    return entries.join(' ');
  }

  /** By method and status: `GET-200=17 POST-404=2 GET-OTHER=1`, and `GET=1` for those without a status. */
  methodText(): string {
    const entries: string[] = [];
    for (let row = 0; row <= noStatusRow; row++) {
      for (let place = 0; place < noMethod; place++) {
        const count = this.#counts[row * knownMethods.length + place] as number;
        if (count > 0) entries.push(`${knownMethods[place]}${row === noStatusRow ? '' : `-${this.#statusOf(row)}`}=${count}`);
      }
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

/** Reads counts by status, or by method and status, as another router tells them: what is no count is skipped. */
export function parseCounts(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  if (text.length > maxTextLength) return counts;
  for (const entry of text.split(' ', maxEntries)) {
    const parts = /^([A-Z]{1,16}(?:-(?:\d{1,5}|OTHER))?|\d{1,5})=(\d{1,16})$/.exec(entry);
    if (parts?.[1] !== undefined) counts.set(parts[1], Number(parts[2]));
  }
  return counts;
}
