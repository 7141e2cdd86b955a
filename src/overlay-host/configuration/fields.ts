import { InputError } from '../../base/errors.ts';

/** Members of an object of a configuration, narrowed one by one, with the place in every error. */
export class Fields {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #where: string;
  readonly #asked = new Set<string>();

  /** Throws InputError `bad-configuration` when it is no object. */
  constructor(value: unknown, where: string) {
    this.#where = where;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new InputError('bad-configuration', where, 'must be an object');
    }
    this.#object = value as Readonly<Record<string, unknown>>;
  }

  text(name: string): string | undefined {
    const value = this.#get(name);
    if (value === undefined || (typeof value === 'string' && value !== '')) return value;
    throw this.wrong(name, 'must be a text');
  }

  neededText(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw this.wrong(name, 'is missing');
    return value;
  }

  /** A whole number. */
  number(name: string, least: number, most: number): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw this.wrong(name, `must be a whole number from ${least} to ${most}`);
  }

  neededNumber(name: string, least: number, most: number): number {
    const value = this.number(name, least, most);
    if (value === undefined) throw this.wrong(name, 'is missing');
    return value;
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name);
    const found = choices.find((choice) => choice === value);
    if (value === undefined || found !== undefined) return found;
    throw this.wrong(name, `must be ${choices.join(' or ')}`);
  }

  /** A list of objects; empty when it is absent. */
  list(name: string, limit: number): readonly Fields[] {
    const value = this.#get(name) ?? [];
    if (!Array.isArray(value)) throw this.wrong(name, 'must be a list');
    if (value.length > limit) throw this.wrong(name, `has more than ${limit} items`);
    return value.map((item: unknown, index) => new Fields(item, `${this.#where}: ${name}[${index}]`));
  }

  /** A member that nobody has asked for is a mistake. Throws InputError. */
  refuseOthers(): void {
    const other = Object.keys(this.#object).find((name) => !this.#asked.has(name));
    if (other !== undefined) throw this.wrong(other, `is not known; there are ${[...this.#asked].join(', ')}`);
  }

  wrong(name: string, message: string): InputError {
    return new InputError('bad-configuration', `${this.#where}: ${name}`, message);
  }

  #get(name: string): unknown {
    this.#asked.add(name);
    return Object.hasOwn(this.#object, name) ? (this.#object[name] ?? undefined) : undefined;
  }
}
