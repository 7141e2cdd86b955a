import { cniCode, CniError } from './cni-error.ts';

/** Most calls that wait or are under way: several times the pods that a host may have. */
const workLimit = 1024;

/** Work on one thing after the other, work on different things at the same time. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();
  #count = 0;

  /** Runs `work` when all that came before for `name` has ended, however it ended. Throws CniError (try again) beyond the limit. */
  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (this.#count >= workLimit) throw new CniError(cniCode.tryAgain, 'too many calls wait already');
    this.#count++;
    const before = this.#last.get(name);
    const mine = before === undefined ? work() : before.then(work, work);
    this.#last.set(name, mine);
    try {
      return await mine;
    } finally {
      this.#count--;
      if (this.#last.get(name) === mine) this.#last.delete(name);
    }
  }
}
