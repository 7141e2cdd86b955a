import { X509Certificate, createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Processes } from './processes.ts';

/** PEM files of one router. `bundleFile` holds certificate and key in one file, as HAProxy wants them. */
export interface RouterCertificate {
  readonly certificateFile: string;
  readonly privateKeyFile: string;
  readonly bundleFile: string;
}

/** What both routers of every path use: one root and one certificate each, P-256 keys. */
export interface Certificates {
  readonly rootFile: string;
  readonly near: RouterCertificate;
  readonly far: RouterCertificate;
}

/** The id of the router at the client's side. */
export const nearRouterId = 'near-bench000';
/** The id of the router at the server's side. */
export const farRouterId = 'far-bench000';

const openSslTimeoutMs = 10_000;
const lifetimeDays = '2';

/** Makes the certificates with the `openssl` program in `directory`. */
export async function makeCertificates(processes: Processes, directory: string): Promise<Certificates> {
  const openssl = async (...parameters: string[]): Promise<void> => {
    await processes.run('openssl', ['openssl', ...parameters], { timeoutMs: openSslTimeoutMs });
  };
  const rootFile = join(directory, 'root.pem');
  const rootKeyFile = join(directory, 'root-key.pem');
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'];
  await openssl('req', '-x509', ...newKey, '-keyout', rootKeyFile, '-out', rootFile, '-days', lifetimeDays, '-subj', '/CN=bench root');
  const root = new X509Certificate(await readFile(rootFile));
  const networkId = createHash('sha256')
    .update(root.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);

  const issue = async (site: string, routerId: string): Promise<RouterCertificate> => {
    const file = (suffix: string): string => join(directory, `${site}${suffix}`);
    const certificateFile = file('.pem');
    const privateKeyFile = file('-key.pem');
    await openssl('req', '-new', ...newKey, '-keyout', privateKeyFile, '-out', file('.csr'), '-subj', `/CN=${routerId}`);
    await writeFile(
      file('.ext'),
      [
        'basicConstraints=critical,CA:FALSE',
        'keyUsage=critical,digitalSignature',
        'extendedKeyUsage=serverAuth,clientAuth',
        `subjectAltName=URI:van://${networkId}/${site}/${routerId},IP:127.0.0.1,DNS:localhost`,
      ].join('\n'),
    );
    const request = ['x509', '-req', '-in', file('.csr'), '-extfile', file('.ext'), '-out', certificateFile];
    const issuer = ['-CA', rootFile, '-CAkey', rootKeyFile, '-CAcreateserial', '-CAserial', file('.srl')];
    await openssl(...request, ...issuer, '-days', lifetimeDays);
    const bundleFile = file('-bundle.pem');
    await writeFile(bundleFile, (await readFile(certificateFile, 'utf8')) + (await readFile(privateKeyFile, 'utf8')), { mode: 0o600 });
    return { certificateFile, privateKeyFile, bundleFile };
  };
  return { rootFile, near: await issue('near', nearRouterId), far: await issue('far', farRouterId) };
}
