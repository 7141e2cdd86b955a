import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Authority } from '../../e2e/certificates.ts';
import type { Credentials } from '../../e2e/certificates.ts';
import { routerId } from '../../e2e/network.ts';
import { run } from './program.ts';

/** A certificate that a link must refuse, in the form for each role; undefined = the role comes without one. */
export interface BadCertificate {
  readonly name: string;
  /** Of a router that dials, and of one that is dialled. */
  readonly client: Credentials | undefined;
  readonly server: Credentials | undefined;
  /** The id that the bad one gives in OPEN. */
  readonly claimedId: string;
}

/** Who signs: certificate, key, and the chain that goes out behind what is signed (without the root). */
interface Signer {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly chain: string;
}

/** What differs from a good certificate. */
interface Defects {
  readonly signer?: Signer;
  readonly key?: readonly string[];
  readonly digest?: string;
  readonly startDays?: number;
  readonly endDays?: number;
  readonly extensions?: Readonly<Record<string, string | undefined>>;
}

const dayMs = 86_400_000;

/** Makes certificates with OpenSSL's command line, which knows nothing of this project's rules. */
export class BadCertificates {
  readonly #folder: string;
  readonly #root: Signer;
  readonly #networkId: string;
  #count = 0;

  constructor(folder: string, authority: Authority) {
    this.#folder = folder;
    this.#root = { certificateFile: authority.rootFile, keyFile: authority.selfSigned.keyFile, chain: '' };
    this.#networkId = authority.networkId;
  }

  /** A key, a request and a certificate. */
  async #make(id: string, defects: Defects = {}): Promise<Credentials> {
    const {
      signer = this.#root,
      key = ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
      digest = 'sha256',
      startDays = -0.1,
      endDays = 1,
    } = defects;
    const base = join(this.#folder, `bad${this.#count++}`);
    const [keyFile, requestFile, certificateFile] = [`${base}-key.pem`, `${base}.csr`, `${base}.pem`];
    await run(['openssl', 'genpkey', '-algorithm', ...key, '-out', keyFile]);
    await run(['openssl', 'req', '-new', '-key', keyFile, '-subj', `/CN=${id}`, '-out', requestFile]);
    const site = id.slice(0, id.lastIndexOf('-'));
    const extensions: Record<string, string | undefined> = {
      basicConstraints: 'critical,CA:FALSE',
      keyUsage: 'critical,digitalSignature',
      extendedKeyUsage: 'serverAuth,clientAuth',
      subjectAltName: `URI:van://${this.#networkId}/${site}/${id},DNS:localhost,IP:127.0.0.1`,
      ...defects.extensions,
    };
    const lines = Object.entries(extensions).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
    const at = (days: number): string =>
      new Date(Date.now() + days * dayMs)
        .toISOString()
        .replaceAll(/[-:T]/g, '')
        .replace(/\.\d+Z/, 'Z');
    await writeFile(
      `${base}.cnf`,
      `[ca]\ndefault_ca=this\n[this]\nnew_certs_dir=${this.#folder}\ndatabase=${base}.db\nserial=${base}.serial\nunique_subject=no\npolicy=any\n[any]\ncommonName=supplied\n[more]\n${lines.join('\n')}\n`,
    );
    await writeFile(`${base}.db`, '');
    await writeFile(`${base}.serial`, `${randomBytes(8).toString('hex')}\n`);
    const issue = ['openssl', 'ca', '-batch', '-notext', '-config', `${base}.cnf`, '-in', requestFile, '-out', certificateFile];
    const from = ['-cert', signer.certificateFile, '-keyfile', signer.keyFile, '-md', digest, '-extensions', 'more'];
    await run([...issue, ...from, '-startdate', at(startDays), '-enddate', at(endDays)]);
    await writeFile(certificateFile, (await readFile(certificateFile, 'utf8')) + signer.chain);
    return { certificateFile, keyFile };
  }

  /** A certificate authority below the root. */
  async #issuer(extensions: Readonly<Record<string, string | undefined>> = {}, more: Defects = {}, name = 'issuer'): Promise<Signer> {
    const ca = {
      basicConstraints: 'critical,CA:TRUE,pathlen:0',
      keyUsage: 'critical,keyCertSign',
      extendedKeyUsage: undefined,
      nameConstraints: `critical,permitted;URI:${this.#networkId}`,
    };
    const made = await this.#make(routerId(name), { ...more, extensions: { ...ca, ...extensions } });
    return { ...made, chain: await readFile(made.certificateFile, 'utf8') };
  }

  /** A good one, made in the same way: that the others are refused must have its cause in their defects. */
  async good(id: string): Promise<Credentials> {
    return await this.#make(id);
  }

  async goodBelowIssuer(id: string): Promise<Credentials> {
    return await this.#make(id, { signer: await this.#issuer() });
  }

  async all(otherRoot: Authority): Promise<readonly BadCertificate[]> {
    const made: BadCertificate[] = [];
    const id = routerId('bad');
    const add = (name: string, client: Credentials | undefined, server = client, claimedId = id): void => {
      made.push({ name, client, server, claimedId });
    };
    const foreign: Signer = { certificateFile: otherRoot.rootFile, keyFile: otherRoot.selfSigned.keyFile, chain: '' };
    const uri = (text: string): Defects => ({ extensions: { subjectAltName: text } });
    add('none', undefined);
    add('of another root', await this.#make(id, { signer: foreign }));
    add('expired', await this.#make(id, { startDays: -3, endDays: -1 }));
    add('not yet valid', await this.#make(id, { startDays: 1, endDays: 3 }));
    add('self-signed', otherRoot.selfSigned);
    const [forServers, forClients] = [
      await this.#make(id, { extensions: { extendedKeyUsage: 'serverAuth' } }),
      await this.#make(id, { extensions: { extendedKeyUsage: 'clientAuth' } }),
    ];
    add('for the other role', forServers, forClients);
    add('for signing code', await this.#make(id, { extensions: { extendedKeyUsage: 'codeSigning' } }));
    add('for no digital signature', await this.#make(id, { extensions: { keyUsage: 'critical,keyCertSign' } }));
    add('of another router', await this.#make(routerId('other')));
    add('without a name', await this.#make(id, { extensions: { subjectAltName: undefined } }));
    add('with a host name alone', await this.#make(id, uri('DNS:localhost,IP:127.0.0.1')));
    const own = (network: string, site = 'bad'): string => `URI:van://${network}/${site}/${id}`;
    add('with two routers', await this.#make(id, uri(`${own(this.#networkId)},URI:van://${this.#networkId}/other/${routerId('other')}`)));
    add('of another network', await this.#make(id, uri(own(otherRoot.networkId))));
    add('with a malformed name', await this.#make(id, uri(`URI:van://${this.#networkId}/bad`)));
    add('with a site that is not the router’s', await this.#make(id, uri(own(this.#networkId, 'other'))));
    add('with an unknown critical extension', await this.#make(id, { extensions: { '1.2.3.4.5': 'critical,ASN1:NULL' } }));
    add('with a weak RSA key', await this.#make(id, { key: ['RSA', '-pkeyopt', 'rsa_keygen_bits:1024'] }));
    add('with a weak curve', await this.#make(id, { key: ['EC', '-pkeyopt', 'ec_paramgen_curve:secp160r1'] }));
    add('signed with SHA-1', await this.#make(id, { digest: 'sha1' }));
    const issuer = await this.#issuer();
    add('whose issuer is not sent along', await this.#make(id, { signer: { ...issuer, chain: '' } }));
    const leaf = await this.#make(routerId('leaf'));
    add(
      'issued with a router’s certificate',
      await this.#make(id, { signer: { ...leaf, chain: await readFile(leaf.certificateFile, 'utf8') } }),
    );
    const second = await this.#issuer({ basicConstraints: 'critical,CA:TRUE' }, { signer: issuer }, 'second');
    add('below an issuer that may have none below', await this.#make(id, { signer: second }));
    const narrow = await this.#issuer({ nameConstraints: `critical,permitted;URI:${otherRoot.networkId}` });
    add('beyond the names that its issuer may give', await this.#make(id, { signer: narrow }));
    const ended = await this.#issuer({}, { startDays: -3, endDays: -1 });
    add('of an issuer that has ended', await this.#make(id, { signer: ended }));
    const tampered = await this.#make(id);
    await writeFile(tampered.certificateFile, flipLastByte(await readFile(tampered.certificateFile, 'utf8')));
    add('with an altered signature', tampered);
    return made;
  }
}

/** The same certificate with one bit of its signature changed. */
function flipLastByte(pem: string): string {
  const [, body = ''] = /-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(pem) ?? [];
  const bytes = Buffer.from(body, 'base64');
  bytes[bytes.length - 1] ^= 1;
  return `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').replaceAll(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n`;
}
