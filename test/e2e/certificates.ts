import { randomFillSync, webcrypto } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRoot, issueLeaf, issueMembership, networkIdOfKey } from '../../src/pki/issue-certificate.ts';
import { generatePrivateKey, importPrivateKey, publicKeyOf } from '../../src/pki/keys.ts';
import { everyAddress } from '../../src/pki/membership.ts';
import { encodePem } from '../../src/pki/pem.ts';
import type { PkiCrypto } from '../../src/pki/pki-crypto.ts';
import { generateSigningKey, signingPublicKey } from '../../src/pki/signing-key.ts';
import type { Entity } from './router-process.ts';

const pkiCrypto: PkiCrypto = {
  subtle: webcrypto.subtle as SubtleCrypto,
  random: { fill: (target) => void randomFillSync(target), number: () => Math.random() },
};
const dayMs = 86_400_000;
/** Longer than any jump of a clock in a test. */
const membershipMs = 1000 * dayMs;

/** Files of one certificate. */
export interface Credentials {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** A root of its own whose certificates lie in a temporary folder; disposing removes them. */
export class Authority implements AsyncDisposable {
  readonly #folder: string;
  readonly #key: CryptoKey;
  readonly #root: Uint8Array<ArrayBuffer>;
  readonly networkId: string;
  readonly rootFile: string;
  /** The root's own certificate and key, as if they were a router's. */
  readonly selfSigned: Credentials;

  private constructor(folder: string, key: CryptoKey, root: Uint8Array<ArrayBuffer>, networkId: string) {
    this.#folder = folder;
    this.#key = key;
    this.#root = root;
    this.networkId = networkId;
    this.rootFile = join(folder, 'root.pem');
    this.selfSigned = { certificateFile: this.rootFile, keyFile: join(folder, 'root-key.pem') };
  }

  static async make(parentFolder: string = tmpdir()): Promise<Authority> {
    const pem = await generatePrivateKey(pkiCrypto);
    const key = await importPrivateKey(pkiCrypto, pem);
    // Old enough that certificates of the past can be made with it.
    const root = await createRoot(pkiCrypto, key, Date.now() - 30 * dayMs);
    const networkId = await networkIdOfKey(pkiCrypto, await publicKeyOf(pkiCrypto, key));
    const authority = new Authority(await mkdtemp(join(parentFolder, 'caravan-pki-')), key, root, networkId);
    await writeFile(authority.rootFile, encodePem('CERTIFICATE', root));
    await writeFile(authority.selfSigned.keyFile, pem, { mode: 0o600 });
    return authority;
  }

  /** A certificate for a router, valid for a day from `startMs` on. `networkId` is another's to pretend. */
  async issue(routerId: string, options: { startMs?: number; networkId?: string; fileName?: string } = {}): Promise<Credentials> {
    const { startMs = Date.now(), networkId = this.networkId, fileName = routerId } = options;
    const pem = await generatePrivateKey(pkiCrypto);
    const publicKey = await publicKeyOf(pkiCrypto, await importPrivateKey(pkiCrypto, pem));
    const siteName = routerId.slice(0, routerId.lastIndexOf('-'));
    const certificate = await issueLeaf(
      pkiCrypto,
      { certificate: this.#root, privateKey: this.#key },
      { publicKey, identity: { networkId, siteName, routerId }, hosts: ['127.0.0.1', 'localhost'], wallMs: startMs, lifetimeMs: dayMs },
    );
    const credentials = {
      certificateFile: join(this.#folder, `${fileName}.pem`),
      keyFile: join(this.#folder, `${fileName}-key.pem`),
    };
    await writeFile(credentials.certificateFile, encodePem('CERTIFICATE', certificate));
    await writeFile(credentials.keyFile, pem, { mode: 0o600 });
    return credentials;
  }

  /** A membership with a key to sign with, and the entity for it; its state lies in `stateFolder`. `addresses`: patterns of all that it may use. */
  async signing(routerId: string, stateFolder: string, addresses: readonly string[] = everyAddress): Promise<Entity> {
    const publicKey = await publicKeyOf(pkiCrypto, await importPrivateKey(pkiCrypto, await generatePrivateKey(pkiCrypto)));
    const signingKeyPem = await generateSigningKey(pkiCrypto);
    const signingKey = await signingPublicKey(pkiCrypto, signingKeyPem);
    const siteName = routerId.slice(0, routerId.lastIndexOf('-'));
    const certificate = await issueMembership(
      pkiCrypto,
      { certificate: this.#root, privateKey: this.#key },
      {
        publicKey,
        identity: { networkId: this.networkId, siteName, routerId },
        rights: { mayIssue: false, pathLength: 0, leafLifetimeMs: dayMs, signingKey, advertise: addresses, consume: addresses },
        wallMs: Date.now() - dayMs,
        lifetimeMs: membershipMs,
      },
    );
    const [membershipFile, privateKeyFile] = [join(stateFolder, 'membership.pem'), join(stateFolder, 'signing-key.pem')];
    await writeFile(membershipFile, encodePem('CERTIFICATE', certificate));
    await writeFile(privateKeyFile, signingKeyPem, { mode: 0o600 });
    return ['signing', { name: 'signing', caCertFile: this.rootFile, membershipFile, privateKeyFile, stateFolder }];
  }

  /** The sslProfile `links` with these credentials (or none), which trusts this root; with `ownNetwork` only for routers of the network. */
  profile(credentials: Credentials | undefined, ownNetwork = true): Entity {
    return [
      'sslProfile',
      {
        name: 'links',
        caCertFile: this.rootFile,
        ...(ownNetwork ? { networkId: this.networkId } : {}),
        ...(credentials === undefined ? {} : { certFile: credentials.certificateFile, privateKeyFile: credentials.keyFile }),
      },
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
