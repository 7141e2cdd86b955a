/** Remembers texts up to a limit; beyond it the oldest are forgotten. */
export class BoundedSet {
  readonly #limit: number;
  readonly #items = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  has(text: string): boolean {
    return this.#items.has(text);
  }

  delete(text: string): void {
    this.#items.delete(text);
  }

  /** True if the text was not in the set. */
  add(text: string): boolean {
    if (this.#items.has(text)) return false;
    if (this.#items.size >= this.#limit) {
      const [oldest] = this.#items;
      if (oldest !== undefined) this.#items.delete(oldest);
    }
    this.#items.add(text);
    return true;
  }
}
