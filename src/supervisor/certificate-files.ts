import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import type { SigningCredentials } from '../host/routing-trust.ts';
import type { TlsCredentials } from '../host/trust-store.ts';
import { writeFailure, writeFileAtomic } from '../host/atomic-file.ts';
import type { CertificateFiles, SigningFiles } from '../site/derive.ts';
import type { NamedCertificates } from '../site/derive-services.ts';
import { secretFile } from '../site/resources.ts';
import { resourcesOf, type Resource } from '../site/resource-types.ts';
import type { SiteLayout } from '../site/state-layout.ts';

/** Of what the router signs with. */
const signingFileNames = { ca: 'ca.crt', membership: 'membership.crt', key: 'signing.key' } as const;
/** The key first: a certificate without its key is of no use, a key without its certificate does no harm. */
const fileNames = ['tls.key', 'ca.crt', 'tls.crt'] as const;
type FileName = (typeof fileNames)[number];
type Texts = ReadonlyMap<FileName, string>;

/** Certificates as files, because that is how a router's configuration names them. Each gets an ordinal that grows when its content changes. */
export class CertificateFolders {
  readonly #layout: SiteLayout;
  /** By folder. */
  readonly #versions = new Map<string, { readonly hash: string; readonly ordinal: number }>();

  constructor(layout: SiteLayout) {
    this.#layout = layout;
  }

  /** Puts the site's own TLS credentials into files. Throws WeatherError `disk-full`. */
  async own(credentials: TlsCredentials): Promise<CertificateFiles> {
    const { ca, cert, key } = credentials;
    const folder = `${this.#layout.routerFolder}/tls`;
    const texts: Texts = new Map([
      ['ca.crt', ca],
      ['tls.crt', cert],
      ['tls.key', key],
    ]);
    const { ordinal } = await this.#write(folder, texts);
    return { caCertFile: `${folder}/ca.crt`, certFile: `${folder}/tls.crt`, privateKeyFile: `${folder}/tls.key`, ordinal };
  }

  /** Puts what the router signs with into files. `stateFolder`: where the router keeps its epoch. Throws WeatherError `disk-full`. */
  async signing(credentials: SigningCredentials, stateFolder: string): Promise<SigningFiles> {
    const folder = `${this.#layout.routerFolder}/signing`;
    const { ca, membership, key } = signingFileNames;
    const hash = createHash('sha256').update(credentials.membership).digest('hex');
    const known = this.#versions.get(folder);
    if (known?.hash !== hash) {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
      } catch (cause) {
        throw writeFailure(folder, cause);
      }
      await writeFileAtomic(`${folder}/${key}`, credentials.key);
      await writeFileAtomic(`${folder}/${ca}`, credentials.ca);
      await writeFileAtomic(`${folder}/${membership}`, credentials.membership);
    }
    const ordinal = this.#raise(folder, hash);
    const files = { caCertFile: `${folder}/${ca}`, membershipFile: `${folder}/${membership}`, privateKeyFile: `${folder}/${key}` };
    return { ...files, stateFolder, ordinal };
  }

  /**
   * The certificates that resources may name: those of Secrets, written to files, and the folders that the user supplies.
   * Files of Secrets that are gone are removed, for they hold keys.
   */
  async named(resources: readonly Resource[]): Promise<ReadonlyMap<string, NamedCertificates>> {
    const files = new Map<string, NamedCertificates>();
    for (const name of await readdir(this.#layout.suppliedCertificateFolder).catch(() => [])) {
      const folder = `${this.#layout.suppliedCertificateFolder}/${name}`;
      const texts = await readTexts(folder);
      if (texts !== undefined) files.set(name, this.#files(folder, texts));
    }
    const secrets = new Set<string>();
    for (const secret of resourcesOf(resources, 'Secret')) {
      const texts = textsOf((name) => secretFile(secret, name));
      if (texts === undefined) continue;
      const { name } = secret.metadata;
      secrets.add(name);
      files.set(name, await this.#write(`${this.#layout.certificateFolder}/${name}`, texts));
    }
    for (const name of await readdir(this.#layout.certificateFolder).catch(() => [])) {
      if (!secrets.has(name)) await rm(`${this.#layout.certificateFolder}/${name}`, { recursive: true, force: true });
    }
    return files;
  }

  async #write(folder: string, texts: Texts): Promise<NamedCertificates> {
    if (this.#versions.get(folder)?.hash !== hashOf(texts)) {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
      } catch (cause) {
        throw writeFailure(folder, cause);
      }
      for (const name of fileNames) {
        const text = texts.get(name);
        if (text === undefined) await rm(`${folder}/${name}`, { force: true });
        else await writeFileAtomic(`${folder}/${name}`, text);
      }
    }
    return this.#files(folder, texts);
  }

  #files(folder: string, texts: Texts): NamedCertificates {
    return {
      ...(texts.has('ca.crt') ? { caCertFile: `${folder}/ca.crt` } : {}),
      ...(texts.has('tls.crt') ? { certFile: `${folder}/tls.crt` } : {}),
      ...(texts.has('tls.key') ? { privateKeyFile: `${folder}/tls.key` } : {}),
      ordinal: this.#raise(folder, hashOf(texts)),
    };
  }

  /** The ordinal of a folder whose content has this hash now. */
  #raise(folder: string, hash: string): number {
    const known = this.#versions.get(folder);
    const ordinal = known === undefined ? 1 : known.hash === hash ? known.ordinal : known.ordinal + 1;
    this.#versions.set(folder, { hash, ordinal });
    return ordinal;
  }
}

async function readTexts(folder: string): Promise<Texts | undefined> {
  const texts = new Map<string, string>();
  for (const name of fileNames) {
    const text = await readFile(`${folder}/${name}`, 'utf8').catch(() => undefined);
    if (text !== undefined) texts.set(name, text);
  }
  return textsOf((name) => texts.get(name));
}

/** What there is of the files; undefined when there is none. */
function textsOf(read: (name: FileName) => string | undefined): Texts | undefined {
  const texts = new Map<FileName, string>();
  for (const name of fileNames) {
    const text = read(name);
    if (text !== undefined) texts.set(name, text);
  }
  return texts.size === 0 ? undefined : texts;
}

function hashOf(texts: Texts): string {
  const hash = createHash('sha256');
  for (const name of fileNames) hash.update(`${name}\0${texts.get(name) ?? ''}\0`);
  return hash.digest('hex');
}
