/** First in, first out, up to a limit; what does not fit is refused and counted. */
export class BoundedQueue<T> {
  readonly #limit: number;
  #items: (T | undefined)[] = [];
  #head = 0;
  #refused = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Items refused since the start because the queue was full. */
  get refused(): number {
    return this.#refused;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Adds at the end; false if the queue is full. */
  push(item: T): boolean {
    if (this.length >= this.#limit) {
      this.#refused++;
      return false;
    }
    this.#items.push(item);
    return true;
  }

  /** Takes from the front. */
  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head++;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    }
    return item;
  }
}
