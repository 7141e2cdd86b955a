import { lstat, mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, WeatherError } from '../base/errors.ts';
import type { Grant, LinkEndpoint } from '../pki/grant.ts';
import { removeFileDurably, temporaryMark, writeFailure, writeFileAtomic } from './atomic-file.ts';
import { lockFolder } from './folder-lock.ts';
import type { FolderLock } from './folder-lock.ts';

/**
 * A site's trust on disk (folder mode 0700, files 0600):
 *
 *     version            layout of this folder, a number
 *     lock               the process that owns it
 *     identity.json      everything about the site's place in a network, private keys included
 *     grants/<id>.json   one per token issued, with its redemptions
 *
 * The identity is one file, not one per key and certificate, so that one atomic write takes the site from one
 * consistent state to the next.
 */

const layoutVersion = 1;
/** Grants kept. A grant is 1 to 200 KiB; expired ones that nobody used are removed to make room. */
export const maxGrants = 1000;
const maxFileBytes: number = 1024 * 1024;

/** Certificates and keys as PEM; chains without the root. */
export interface StoredIdentity {
  readonly role: 'founder' | 'member';
  readonly networkId: string;
  readonly siteName: string;
  readonly routerId: string;
  readonly hosts: readonly string[];
  readonly root: string;
  readonly siteKey: string;
  /** Ed25519 key for routing. Absent in what was written before routers signed, until the next start. */
  readonly signingKey?: string;
  readonly certificate: string;
  readonly membership: string;
  /** The founder: the root's key. Others: the key made for a delegated issuer, in use once its certificate is there. */
  readonly issuerKey: string;
  /** Delegated issuer chain. Absent for the founder, and for members that may not issue. */
  readonly issuerCertificate?: string;
  /** Issuers that this site has linked to with a token: where it renews. */
  readonly renewAt: readonly LinkEndpoint[];
}

export class TrustFolder implements AsyncDisposable {
  readonly path: string;
  readonly #lock: FolderLock;

  private constructor(path: string, lock: FolderLock) {
    this.path = path;
    this.#lock = lock;
  }

  /**
   * Makes the folder when it is not there, and takes it. Throws WeatherError `state-in-use`, `disk-full` or
   * `state-not-writable`, and InputError `state-version` for a folder that a newer program wrote.
   */
  static async open(path: string): Promise<TrustFolder> {
    try {
      await mkdir(join(path, 'grants'), { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw writeFailure(path, cause);
    }
    await checkPrivate(path);
    const lock = await lockFolder(path);
    try {
      await checkVersion(path);
      for (const folder of [path, join(path, 'grants')]) await removeTemporaries(folder);
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
    return new TrustFolder(path, lock);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lock[Symbol.asyncDispose]();
  }

  async readIdentity(): Promise<StoredIdentity | undefined> {
    return (await readJson(join(this.path, 'identity.json'))) as StoredIdentity | undefined;
  }

  async writeIdentity(identity: StoredIdentity): Promise<void> {
    await writeFileAtomic(join(this.path, 'identity.json'), toText(identity));
  }

  async removeIdentity(): Promise<void> {
    await removeFileDurably(join(this.path, 'identity.json'));
  }

  async readGrants(): Promise<Grant[]> {
    const grants: Grant[] = [];
    for (const name of await readdir(join(this.path, 'grants'))) {
      if (!name.endsWith('.json') || name.startsWith(temporaryMark)) continue;
      const grant = (await readJson(join(this.path, 'grants', name))) as Grant | undefined;
      if (grant !== undefined) grants.push(grant);
    }
    return grants;
  }

  async readGrant(id: string): Promise<Grant | undefined> {
    return (await readJson(this.#grantPath(id))) as Grant | undefined;
  }

  async writeGrant(grant: Grant): Promise<void> {
    await writeFileAtomic(this.#grantPath(grant.id), toText(grant));
  }

  async removeGrant(id: string): Promise<void> {
    await removeFileDurably(this.#grantPath(id));
  }

  /** Writes and removes a file of the size of an identity, to learn of a full disk before anything depends on it. */
  async probeWritable(): Promise<void> {
    const path = join(this.path, `${temporaryMark}probe`);
    await writeFileAtomic(path, new Uint8Array(32 * 1024));
    await removeFileDurably(path);
  }

  #grantPath(id: string): string {
    return join(this.path, 'grants', `${id}.json`);
  }
}

function toText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 1)}\n`;
}

async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new WeatherError('state-not-readable', `cannot read ${path}: ${(cause as NodeJS.ErrnoException).code ?? 'unknown'}`, {
      cause,
      remedy: 'run as the user that made the site',
    });
  }
  try {
    if (text.length > maxFileBytes) throw new RangeError(`longer than ${maxFileBytes} bytes`);
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError('state-damaged', path, 'this file was changed by something else and cannot be read', {
      cause,
      remedy: 'restore it from a backup, or delete the site and redeem a new token',
    });
  }
}

/** The folder holds private keys: it must be this user's own and closed to others. */
async function checkPrivate(path: string): Promise<void> {
  const found = await lstat(path);
  const owner = process.getuid?.();
  if (!found.isDirectory() || (owner !== undefined && (found.uid !== owner || (found.mode & 0o077) !== 0))) {
    throw new WeatherError('state-not-private', `${path} is not a folder of this user alone`, {
      remedy: `chown it to this user and chmod 700 ${path}`,
    });
  }
}

async function checkVersion(path: string): Promise<void> {
  const versionPath = join(path, 'version');
  const text = await readFile(versionPath, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw cause;
  });
  if (text === undefined) await writeFileAtomic(versionPath, `${layoutVersion}\n`);
  else if (text.trim() !== String(layoutVersion)) {
    throw new InputError('state-version', versionPath, `layout ${text.trim().slice(0, 20)} is not known, only ${layoutVersion}`, {
      remedy: 'run the version of the program that wrote this folder, or a newer one',
    });
  }
}

async function removeTemporaries(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(temporaryMark)) await rm(join(folder, name), { force: true });
  }
}
