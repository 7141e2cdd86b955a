import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../host/atomic-file.ts';
import type { ResourceOf } from '../site/resource-types.ts';
import type { TokenState } from '../site/status.ts';

/** An AccessToken resource that has been redeemed, so that it is not tried again after a restart. */
interface TokenRecord {
  readonly name: string;
  /** Tells a new token from an old one of the same name: it holds the id of the grant. */
  readonly url: string;
}

/** What became of AccessToken resources. Redeemed ones are remembered on disk, failures in memory. */
export class TokenRecords {
  readonly #path: string;
  readonly #redeemed: TokenRecord[];
  readonly #errors = new Map<string, string>();

  private constructor(path: string, redeemed: TokenRecord[]) {
    this.#path = path;
    this.#redeemed = redeemed;
  }

  /** Reads the records; a file that cannot be read counts as empty: the worst is that a used token is refused once more. */
  static async open(path: string): Promise<TokenRecords> {
    try {
      const value: unknown = JSON.parse(await readFile(path, 'utf8'));
      return new TokenRecords(path, Array.isArray(value) ? value.filter(isRecord) : []);
    } catch {
      return new TokenRecords(path, []);
    }
  }

  isRedeemed(token: ResourceOf<'AccessToken'>): boolean {
    return this.#redeemed.some(({ name, url }) => name === token.metadata.name && url === token.spec.url);
  }

  async redeemed(token: ResourceOf<'AccessToken'>): Promise<void> {
    this.#errors.delete(token.metadata.name);
    this.#forget(token.metadata.name);
    this.#redeemed.push({ name: token.metadata.name, url: token.spec.url });
    await this.#write();
  }

  failed(name: string, reason: string): void {
    this.#errors.set(name, reason);
  }

  /** The resource is gone. */
  async removed(name: string): Promise<void> {
    this.#errors.delete(name);
    if (this.#forget(name)) await this.#write();
  }

  states(tokens: readonly ResourceOf<'AccessToken'>[]): ReadonlyMap<string, TokenState> {
    return new Map(
      tokens.map((token) => {
        const { name } = token.metadata;
        return [name, { redeemed: this.isRedeemed(token), error: this.#errors.get(name) ?? '' }];
      }),
    );
  }

  #forget(name: string): boolean {
    const index = this.#redeemed.findIndex((record) => record.name === name);
    if (index >= 0) this.#redeemed.splice(index, 1);
    return index >= 0;
  }

  async #write(): Promise<void> {
    await writeFileAtomic(this.#path, `${JSON.stringify(this.#redeemed)}\n`);
  }
}

function isRecord(value: unknown): value is TokenRecord {
  return typeof value === 'object' && value !== null && 'name' in value && 'url' in value;
}
