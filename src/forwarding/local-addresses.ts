import { discriminator } from '../base/random.ts';
import type { Random } from '../base/random.ts';
import type { LocalConsumer } from './leg.ts';

/** Random characters in a name: 90 bits, so that nobody guesses one that he was not told. */
const randomLength = 15;
/** Digits that are read of a place: more places than there can be. */
const maxDigits = 9;

/**
 * Addresses of one router. Most live as long as one request, and to keep texts in a map costs more than all else that is done with them; so
 * a name ends with its place in a table:
 *
 *     <kind> "." <random> "." <place>       e.g. temp.h3V+x_0aQzLwP7k.12
 *
 * A few have names that everybody knows.
 */
export class LocalAddresses {
  readonly #random: Random;
  readonly #names: (string | undefined)[] = [];
  readonly #consumers: (LocalConsumer | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #named = new Map<string, LocalConsumer>();
  /** Names that lead to nobody for now. */
  #parked = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Addresses that were made and lead to somebody. */
  get size(): number {
    return this.#names.length - this.#free.length - this.#parked;
  }

  /** Makes a name that leads to `consumer`. */
  make(kind: string, consumer: LocalConsumer): string {
    const place = this.#free.pop() ?? this.#names.length;
    const name = `${kind}.${discriminator(this.#random, randomLength)}.${place}`;
    this.#names[place] = name;
    this.#consumers[place] = consumer;
    return name;
  }

  /** Gives `consumer` this name. */
  set(name: string, consumer: LocalConsumer): void {
    this.#named.set(name, consumer);
  }

  find(name: string): LocalConsumer | undefined {
    const place = placeOf(name);
    if (place >= 0 && place < this.#names.length && this.#names[place] === name) return this.#consumers[place];
    return this.#named.get(name);
  }

  remove(name: string): void {
    const place = placeOf(name);
    if (place < 0 || place >= this.#names.length || this.#names[place] !== name) {
      this.#named.delete(name);
      return;
    }
    if (this.#consumers[place] === undefined) this.#parked--;
    this.#names[place] = undefined;
    this.#consumers[place] = undefined;
    this.#free.push(place);
  }

  /** Keeps a name that was made, and leads it to another consumer, or to nobody for now. */
  lead(name: string, consumer: LocalConsumer | undefined): void {
    const place = placeOf(name);
    if (place < 0 || place >= this.#names.length || this.#names[place] !== name) return;
    if (this.#consumers[place] === undefined) this.#parked--;
    if (consumer === undefined) this.#parked++;
    this.#consumers[place] = consumer;
  }
}

/** The number at the end of a name; -1 when there is none. */
function placeOf(name: string): number {
  let place = 0;
  let factor = 1;
  let at = name.length - 1;
  for (; at >= 0; at--) {
    const digit = name.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) break;
    place += digit * factor;
    factor *= 10;
  }
  const digits = name.length - 1 - at;
  return digits > 0 && digits <= maxDigits && at > 0 && name.charCodeAt(at) === 0x2e ? place : -1;
}
