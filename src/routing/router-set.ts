/** Routers by number, gathered and then taken all at once: a few octets for each, where a `Set` would take hundreds for thousands of routers. */
export class RouterSet {
  #routers: number[] = [];
  #marks = new Uint8Array(0);

  add(router: number): void {
    if (this.#marks[router] === 1) return;
    if (router >= this.#marks.length) {
      const marks = new Uint8Array(router + 1 + (router >> 1));
      marks.set(this.#marks);
      this.#marks = marks;
    }
    this.#marks[router] = 1;
    this.#routers.push(router);
  }

  /** The routers in the order in which they came; the set is empty then. */
  take(): readonly number[] {
    const routers = this.#routers;
    for (const router of routers) this.#marks[router] = 0;
    this.#routers = [];
    return routers;
  }
}
