/** What was expected, and what came of it. */
export interface Expectation {
  readonly name: string;
  readonly passed: boolean;
  readonly found: string;
}

/** Gathers what a run shows. */
export class Results {
  readonly expectations: Expectation[] = [];
  readonly figures: Record<string, number> = {};
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  expect(name: string, passed: boolean, found: string): void {
    this.expectations.push({ name, passed, found });
    this.#print(`${passed ? '  as expected    ' : '  NOT AS EXPECTED'} ${name}: ${found}`);
  }

  figure(name: string, value: number): void {
    this.figures[name] = Math.round(value * 100) / 100;
  }

  get passed(): boolean {
    return this.expectations.length > 0 && this.expectations.every(({ passed }) => passed);
  }
}

/** The value below which this share of all lie: nearest rank. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
