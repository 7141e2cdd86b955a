import { setTimeout } from 'node:timers/promises';
import { WeatherError, assert } from '../../base/errors.ts';
import { type LinkReference, changeLink, deleteLinkGroup, linkText } from './link-message.ts';
import { NetlinkError, errorNumbers } from './netlink-error.ts';
import { NetlinkSocket, type Outcome } from './netlink-socket.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import type { SocketCalls } from './socket-calls.ts';

/** All links that a host may have, some times over: more are not deleted faster by waiting. */
const maxWaiting = 16_384;
/**
 * The kernel's lock of all links is held for the most part of a deletion: other changes of links wait for it, here some 20 ms and
 * 0.2 ms more for each link.
 */
const maxBatch = 128;
/** So that a host that deletes one link after the other does not hold that lock all the time. */
const defaultGatherMs = 100;

interface Waiting {
  readonly link: LinkReference;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Deletes links on another thread. The kernel waits some 20 ms for each call that deletes, however many links go with it, so all that
 * gather while one call runs are put into a group and deleted together by the next.
 *
 *   remove() -> waiting -> one send: [ into the group ]* [ delete the group ] -> resolved
 */
export class LinkRemover implements AsyncDisposable {
  readonly #socket: NetlinkSocket;
  readonly #group: number;
  readonly #gatherMs: number;
  /** Ends the waiting for more links. */
  readonly #hurry = new AbortController();
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /**
   * A first link waits `gatherMs` for others.
   * `group` is this remover's alone in the namespace: a link that is in it is deleted with the next. Not 0. Throws NetlinkError.
   */
  constructor(
    calls: SocketCalls,
    {
      group,
      namespace,
      gatherMs = defaultGatherMs,
    }: { readonly group: number; readonly namespace?: NetworkNamespace; readonly gatherMs?: number },
  ) {
    assert(group > 0 && group <= 0x7fffffff, 'a group of links to delete has a number of its own');
    this.#group = group;
    this.#gatherMs = gatherMs;
    this.#socket = new NetlinkSocket(calls, namespace);
  }

  /** Links that were given and are not yet deleted by a call that ended or runs. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Resolves when the link is gone, also if it was gone before. Of a name or index that was kept for long the caller makes sure that it is
   * still the same link. Rejects with WeatherError.
   */
  remove(link: LinkReference): Promise<void> {
    assert(this.#closing === undefined, 'a link is given to a closed remover');
    if (this.#waiting.length >= maxWaiting) {
      return Promise.reject(
        new WeatherError('link-removals-full', `${maxWaiting} links wait to be deleted`, { remedy: 'try again later' }),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ link, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  /** Deletes what waits, at once, then ends. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#hurry.abort();
    await this.#running;
    this.#socket.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#gather();
      const batch = this.#waiting.slice(0, maxBatch);
      this.#waiting = this.#waiting.slice(maxBatch);
      try {
        const requests = [...batch.map(({ link }) => changeLink(link, { group: this.#group })), deleteLinkGroup(this.#group)];
        this.#settle(batch, await this.#socket.exchangeAway(requests));
      } catch (error) {
        for (const { reject } of batch) reject(error as Error);
      }
    }
    this.#running = undefined;
  }

  async #gather(): Promise<void> {
    if (this.#closing !== undefined || this.#waiting.length >= maxBatch) return;
    try {
      await setTimeout(this.#gatherMs, undefined, { signal: this.#hurry.signal });
    } catch {
      // Closed meanwhile.
    }
  }

  #settle(batch: readonly Waiting[], outcomes: readonly Outcome[]): void {
    const deletion = outcomes.at(-1)?.error;
    batch.forEach(({ link, resolve, reject }, index) => {
      // No such device: it went before, or it went with its other end.
      const errors = [outcomes[index]?.error, deletion].filter((error) => error !== undefined);
      const [error] = errors.filter(({ errorNumber }) => errorNumber !== errorNumbers.noDevice);
      if (error === undefined || outcomes[index]?.error?.errorNumber === errorNumbers.noDevice) resolve();
      else reject(new NetlinkError(error.code, `deleting ${linkText(link)}: ${error.message}`, error.errorNumber, { cause: error }));
    });
  }
}
