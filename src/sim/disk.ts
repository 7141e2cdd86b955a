/** The disk of a machine: what has not been synced is lost when the machine loses its power. */
export class VirtualDisk {
  readonly #synced = new Map<string, string>();
  readonly #written = new Map<string, string>();

  read(name: string): string | undefined {
    return this.#written.get(name) ?? this.#synced.get(name);
  }

  write(name: string, text: string): void {
    this.#written.set(name, text);
  }

  /** Gets all that another disk has. */
  copyFrom(other: VirtualDisk): void {
    for (const [name, text] of [...other.#synced, ...other.#written]) this.#synced.set(name, text);
  }

  /** What has been written so far outlives a crash. */
  sync(): void {
    for (const [name, text] of this.#written) this.#synced.set(name, text);
    this.#written.clear();
  }

  /** The machine has lost its power. */
  loseUnsynced(): void {
    this.#written.clear();
  }
}
