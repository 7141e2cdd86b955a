/** What the kernel holds for this process until it is given back: descriptors, objects, mappings. The owner sees what is open and can close the rest. */
export class OpenHandles {
  readonly #open = new Map<() => void, string>();

  /** Takes note of something open. The function that comes back releases it, once; more calls do nothing. */
  add(what: string, release: () => void): () => void {
    const releaseOnce = (): void => {
      if (this.#open.delete(releaseOnce)) release();
    };
    this.#open.set(releaseOnce, what);
    return releaseOnce;
  }

  /** What is open now, oldest first, in words. */
  names(): string[] {
    return [...this.#open.values()];
  }

  /** Releases everything that is left, newest first. */
  closeAll(): void {
    for (const release of [...this.#open.keys()].toReversed()) release();
  }
}
