import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { InputError, WeatherError } from '../base/errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';

/**
 * Users of the console and their passwords, in `users.json` (mode 0600) of the observer's folder:
 *
 *   {"version": 1, "users": {"<name>": {"salt": base64, "hash": base64, "cost": 131072}}}
 *
 * The hash is scrypt with block size 8 and no parallelism: 128 MiB and about half a second for each try.
 */

export const passwordMinLength = 12;
/** Longer than any password manager makes. What is hashed is bounded, too. */
export const passwordMaxLength = 256;
const scryptCost: number = 2 ** 17;
const scryptBlockSize = 8;
const scryptMemoryLimitBytes: number = 256 * 1024 * 1024;
const hashBytes = 32;
/** Users of one console. Its file is read whole. */
const maxUsers = 200;
const maxFileBytes: number = 256 * 1024;
/** A change of the file ends the sessions of those that it concerns within this time. New logins obey it at once. */
const rereadMs = 1000;

interface User {
  readonly salt: string;
  readonly hash: string;
  readonly cost: number;
}
type Users = ReadonlyMap<string, User>;

/** What a check of a password found. `mark` changes with the password. */
export interface PasswordMatch {
  readonly mark: string;
}

/** The users of one observer. Reads the file again when somebody changes it, also another process. */
export class Passwords {
  readonly #folder: string;
  readonly #nowMs: () => number;
  #users: Users = new Map();
  #readMs = -Infinity;

  constructor(folder: string, nowMs: () => number) {
    this.#folder = folder;
    this.#nowMs = nowMs;
  }

  /**
   * Compares in the same time whether the user exists or not, by the file as it is now: who was removed a moment ago gets no new session.
   * Throws WeatherError when the file cannot be used.
   */
  async check(name: string, password: string): Promise<PasswordMatch | undefined> {
    const user = (await this.#read()).get(name);
    const { salt, hash, cost } = user ?? { salt: '', hash: '', cost: scryptCost };
    const actual = await derive(password, Buffer.from(salt, 'base64'), cost);
    const expected = Buffer.from(hash, 'base64');
    const isRight = timingSafeEqual(actual, expected.length === hashBytes ? expected : Buffer.alloc(hashBytes));
    return user !== undefined && expected.length === hashBytes && isRight ? { mark: salt } : undefined;
  }

  /** What `check` gave as mark as long as the user has the same password; undefined when there is no such user any more. */
  async mark(name: string): Promise<string | undefined> {
    return (await this.#current()).get(name)?.salt;
  }

  /** Adds a user or changes the password. Throws InputError `bad-user` or `bad-password`. */
  async set(name: string, password: string): Promise<void> {
    if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/.test(name)) {
      throw new InputError('bad-user', 'USER', 'must be 1 to 64 letters, digits, dots, dashes or @, and begin with a letter or digit');
    }
    if (password.length < passwordMinLength || password.length > passwordMaxLength) {
      throw new InputError('bad-password', 'password', `must have ${passwordMinLength} to ${passwordMaxLength} characters`);
    }
    const users = new Map(await readUsers(this.#file));
    if (!users.has(name) && users.size >= maxUsers) throw new InputError('too-many-users', 'USER', `there are ${maxUsers} already`);
    const salt = randomBytes(16);
    const hash = await derive(password, salt, scryptCost);
    users.set(name, { salt: salt.toString('base64'), hash: hash.toString('base64'), cost: scryptCost });
    await this.#write(users);
  }

  /** Removes a user; false when there is none of that name. */
  async remove(name: string): Promise<boolean> {
    const users = new Map(await readUsers(this.#file));
    if (!users.delete(name)) return false;
    await this.#write(users);
    return true;
  }

  get #file(): string {
    return `${this.#folder}/users.json`;
  }

  async #write(users: Users): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#file, `${JSON.stringify({ version: 1, users: Object.fromEntries(users) }, undefined, 2)}\n`);
    this.#readMs = -Infinity;
  }

  async #current(): Promise<Users> {
    return this.#nowMs() - this.#readMs < rereadMs ? this.#users : this.#read();
  }

  async #read(): Promise<Users> {
    this.#users = await readUsers(this.#file);
    this.#readMs = this.#nowMs();
    return this.#users;
  }
}

async function readUsers(file: string): Promise<Users> {
  const text = await readPrivateFile(file, maxFileBytes);
  if (text === undefined) return new Map();
  let users: unknown;
  try {
    ({ users } = JSON.parse(text) as { users?: unknown });
  } catch (cause) {
    throw unusable(file, 'it is no JSON', cause);
  }
  if (typeof users !== 'object' || users === null || Object.keys(users).length > maxUsers) throw unusable(file, 'it has no table of users');
  const entries = Object.entries(users as Readonly<Record<string, Partial<User> | null>>);
  return new Map(
    entries.map(([name, user]) => {
      const { salt, hash, cost } = user ?? {};
      // Another cost would let whoever writes the file make each login as dear as he likes.
      if (typeof salt !== 'string' || typeof hash !== 'string' || cost !== scryptCost) throw unusable(file, `user '${name}' is not valid`);
      return [name, { salt, hash, cost }];
    }),
  );
}

/** The text of a file of the user's own that nobody else can read or write; undefined when there is none. Throws WeatherError. */
export async function readPrivateFile(file: string, limitBytes: number): Promise<string | undefined> {
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unusable(file, 'it cannot be read', cause);
  }
  await using opened = handle;
  const { mode, uid, size } = await opened.stat();
  if ((mode & 0o077) !== 0) throw unusable(file, 'others may read or write it');
  if (process.getuid !== undefined && uid !== process.getuid()) throw unusable(file, 'it belongs to somebody else');
  if (size > limitBytes) throw unusable(file, `it has more than ${limitBytes} bytes`);
  return opened.readFile('utf8');
}

function unusable(file: string, why: string, cause?: unknown): WeatherError {
  return new WeatherError('console-users', `${file} cannot be used: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    remedy: `chmod 600 ${file}, or remove it and set the passwords again: van console password USER`,
  });
}

function derive(password: string, salt: Buffer, cost: number): Promise<Buffer> {
  const options = { N: cost, r: scryptBlockSize, p: 1, maxmem: scryptMemoryLimitBytes };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, hashBytes, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}
