import type { Logger } from '../base/log.ts';
import { formatCatalogMessages, parseCatalogMessages } from '../overlay/catalog/catalog-messages.ts';
import type { Catalog } from '../overlay/catalog/catalog.ts';
import type { StateStore } from './store/state-store.ts';

export interface CatalogLoopOptions {
  readonly catalog: Catalog;
  readonly store: StateStore;
  readonly send: (to: number, text: string) => void;
  /** Called soon after records have changed, once for all that changed together. */
  readonly changed: () => void;
  /** The disk fails, or `changed` does: the daemon cannot go on. */
  readonly failed: (error: Error) => void;
  /** Of the wall clock. */
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Keys of the store that are the catalog's. */
export const catalogStorePrefix = 'catalog/';
const messageStart = '{"catalog"';
const longestSleepMs = 1000;

/** Runs the catalog: gives it time and messages, and does what it says. */
export class CatalogLoop implements Disposable {
  readonly #options: CatalogLoopOptions;
  #timer: NodeJS.Timeout | undefined;
  #telling: NodeJS.Immediate | undefined;
  #toldVersion: number;
  #isClosed = false;

  constructor(options: CatalogLoopOptions) {
    this.#options = options;
    this.#toldVersion = options.catalog.version;
  }

  connected(hostId: number): void {
    const { catalog, nowMs } = this.#options;
    catalog.connected(hostId, nowMs());
    this.act();
  }

  disconnected(hostId: number): void {
    this.#options.catalog.disconnected(hostId);
  }

  /** Whether the text was for the catalog. */
  received(from: number, text: string): boolean {
    if (!text.startsWith(messageStart)) return false;
    const { catalog, nowMs, log } = this.#options;
    const messages = parseCatalogMessages(text);
    if (messages === undefined) log.warn('a host sent a malformed message of the catalog', { hostId: from });
    else catalog.receive(from, messages, nowMs());
    this.act();
    return true;
  }

  /** Throws WeatherError of the catalog. */
  set(key: string, value: unknown): void {
    const { catalog, nowMs } = this.#options;
    catalog.set(key, value, nowMs());
    this.act();
  }

  /** Throws WeatherError of the catalog. */
  delete(key: string): void {
    const { catalog, nowMs } = this.#options;
    catalog.delete(key, nowMs());
    this.act();
  }

  /** Does what the catalog has said, and waits for its next time. Whoever has written to the catalog calls it. */
  act(): void {
    if (this.#isClosed) return;
    const { catalog, store, send, nowMs } = this.#options;
    for (const output of catalog.takeOutputs()) {
      if (output.kind === 'store') store.set(catalogStorePrefix + output.key, output.value);
      else send(output.to, formatCatalogMessages(output.messages));
    }
    if (catalog.version !== this.#toldVersion) this.#telling ??= setImmediate(() => this.#tell());
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        catalog.handleTimeout(nowMs());
        this.act();
      },
      Math.min(Math.max(catalog.nextDeadlineMs() - nowMs(), 0), longestSleepMs),
    );
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#telling);
  }

  #tell(): void {
    this.#telling = undefined;
    const { catalog, changed, failed } = this.#options;
    this.#toldVersion = catalog.version;
    try {
      changed();
    } catch (error) {
      failed(error as Error);
    }
  }
}
