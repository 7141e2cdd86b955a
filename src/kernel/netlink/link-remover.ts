import { WeatherError, assert } from '../../base/errors.ts';
import { type LinkReference, changeLink, deleteLinkGroup, linkText } from './link-message.ts';
import { NetlinkError, errorNumbers } from './netlink-error.ts';
import { NetlinkSocket, type Outcome, maxRequestsPerSend } from './netlink-socket.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import type { SocketCalls } from './socket-calls.ts';

/** All links that a host may have, some times over: more are not deleted faster by waiting. */
const maxWaiting = 16_384;
/** As many as leave room for the deletion itself. */
const maxBatch = maxRequestsPerSend - 1;

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
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  /** `group` is this remover's alone in the namespace: a link that is in it is deleted with the next. Not 0. Throws NetlinkError. */
  constructor(calls: SocketCalls, group: number, namespace?: NetworkNamespace) {
    assert(group > 0 && group <= 0x7fffffff, 'a group of links to delete has a number of its own');
    this.#group = group;
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
    assert(!this.#closed, 'a link is given to a closed remover');
    if (this.#waiting.length >= maxWaiting) {
      return Promise.reject(
        new WeatherError('link-removals-full', `${maxWaiting} links wait to be deleted`, { remedy: 'try again later' }),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ link, resolve, reject });
    // Those that come in the same turn go together.
    this.#running ??= Promise.resolve().then(() => this.#run());
    return promise;
  }

  /** Deletes what waits, then ends. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    this.#socket.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
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
