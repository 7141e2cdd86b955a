import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { test } from 'node:test';
import { Authority, type Credentials } from './certificates.ts';
import { HttpClient, HttpServer } from './http-peer.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';
import { VanSandbox } from './van-sandbox.ts';

const host = '127.0.0.1';

/** A Secret of this name as YAML; without credentials it has the authority alone. */
async function secret(name: string, authority: Authority, credentials?: Credentials): Promise<string> {
  const files: [string, string][] = [['ca.crt', await readFile(authority.rootFile, 'utf8')]];
  if (credentials !== undefined) {
    files.push(['tls.crt', await readFile(credentials.certificateFile, 'utf8')], ['tls.key', await readFile(credentials.keyFile, 'utf8')]);
  }
  return JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, type: 'Opaque', stringData: Object.fromEntries(files) });
}

interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

async function filesOf(authority: Authority, credentials: Credentials): Promise<TlsFiles> {
  const [ca, cert, key] = await Promise.all(
    [authority.rootFile, credentials.certificateFile, credentials.keyFile].map((file) => readFile(file, 'utf8')),
  );
  return { ca: ca ?? '', cert: cert ?? '', key: key ?? '' };
}

/** Two sites with a link: `west` accepts it, `east` dials. */
async function twoSites(sandbox: VanSandbox): Promise<void> {
  const linkPort = await freePort();
  await sandbox.done(`-n west site create west --enable-link-access --link-access-host ${host} --link-access-port ${linkPort}`);
  await sandbox.done('-n east site create east');
  await sandbox.done('-n west token issue token.yaml');
  await sandbox.done('-n east token redeem token.yaml');
}

test('HTTP with TLS at both ends, client certificates at both, and new certificates while it runs', { timeout: 120_000 }, async () => {
  await using sandbox = await VanSandbox.make();
  await using own = await Authority.make(sandbox.folder);
  await using foreign = await Authority.make(sandbox.folder);
  const serverCredentials = await own.issue('server-00000000');
  const clientCredentials = await own.issue('client-00000000');
  const foreignCredentials = await foreign.issue('foreign-00000000');

  const seen: string[] = [];
  await using server = await HttpServer.start(
    (request, response) => {
      const socket = request.socket as TLSSocket;
      seen.push(`${String(socket.authorized)} ${socket.getPeerX509Certificate()?.subjectAltName ?? ''} ${String(socket.servername)}`);
      response.end('hello');
    },
    { ...(await filesOf(own, serverCredentials)), requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['http/1.1'] },
  );
  await twoSites(sandbox);
  await sandbox.done('-n west apply -f -', { input: await secret('server-side', own, await own.issue('router-00000000')) });
  await sandbox.done(
    `-n west connector create shop ${server.port} --host localhost --type http --tls-credentials server-side --use-client-cert`,
  );
  const port = await freePort();
  const listener = `-n east listener create shop ${port} --type http --tls-credentials client-side --setting require-client-cert=true`;
  await sandbox.done(`${listener} --wait none`);
  const failing = await sandbox.done('-n east listener status shop');
  assert.match(failing, /TLS credentials 'client-side' do not exist; apply a Secret of that name/);
  await sandbox.done('-n east apply -f -', {
    input: await secret('client-side', own, await own.issue('east-00000000', { fileName: 'first' })),
  });
  assert.match(await sandbox.done('-n east listener status shop --wait ready --timeout 20s'), /^Type: +http$/m);

  const trusted = { ...(await filesOf(own, clientCredentials)), servername: 'localhost' };
  using client = new HttpClient(port, 1, trusted);
  await client.answering();
  assert.match(seen[0] ?? '', /^true .*router-00000000.* localhost$/, 'the server proves the router, and is asked for by name');

  // Whoever shows no certificate, or one of others, gets nothing; who trusts others does not take the router for the service.
  const { ca } = trusted;
  const before = seen.length;
  for (const tls of [
    { ca, servername: 'localhost' },
    { ...(await filesOf(foreign, foreignCredentials)), ca, servername: 'localhost' },
  ]) {
    using stranger = new HttpClient(port, 1, tls);
    await assert.rejects(stranger.ask());
  }
  using doubting = new HttpClient(port, 1, { ...trusted, ca: await readFile(foreign.rootFile, 'utf8') });
  await assert.rejects(doubting.ask(), { code: 'SELF_SIGNED_CERT_IN_CHAIN' });
  assert.equal(seen.length, before);

  // New certificates for new connections; those that stand go on.
  const standing = connectTls({ host, port, ...trusted, ALPNProtocols: ['http/1.1'] });
  await once(standing, 'secureConnect');
  assert.equal(standing.alpnProtocol, 'http/1.1');
  const firstSerial = standing.getPeerX509Certificate()?.serialNumber;
  await sandbox.done('-n east apply -f -', {
    input: await secret('client-side', own, await own.issue('east-00000000', { fileName: 'second' })),
  });
  await until('a new connection gets the new certificate', async () => {
    const next = connectTls({ host, port, ...trusted });
    await once(next, 'secureConnect');
    const serial = next.getPeerX509Certificate()?.serialNumber;
    next.destroy();
    return serial !== firstSerial;
  });
  standing.write('GET / HTTP/1.1\r\nHost: shop\r\n\r\n');
  const [octets] = (await once(standing, 'data')) as [Buffer];
  assert.match(octets.toString('latin1'), /^HTTP\/1\.1 200 /);
  standing.destroy();

  // A server that cannot be proven gets no request, and the client is told which.
  await sandbox.done('-n west apply -f -', { input: await secret('server-side', foreign, foreignCredentials) });
  const refusal = await until('new connections to the server are refused', async () => {
    using late = new HttpClient(port, 1, trusted);
    const { status, headers } = await late.ask();
    return status === 200 ? undefined : { status, error: String(headers['caravan-error']) };
  });
  assert.ok(refusal.status === 502 || refusal.status === 503, String(refusal.status));
  assert.match(refusal.error, /site="(?:east|west)"; service="shop"/);
});

test('TCP with TLS at both ends, half-closed, and types that do not go together are told', { timeout: 120_000 }, async () => {
  await using sandbox = await VanSandbox.make();
  await using authority = await Authority.make(sandbox.folder);
  const serverFiles = await filesOf(authority, await authority.issue('server-00000000'));
  // Answers when the client has ended.
  const server = createTlsServer({ ...serverFiles, allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    socket.on('end', () => socket.end(`heard ${text.length}`));
    socket.on('error', () => undefined);
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port: serverPort } = server.address() as { port: number };
  try {
    await twoSites(sandbox);
    await sandbox.done('-n west apply -f -', { input: await secret('authorities', authority) });
    await sandbox.done('-n east apply -f -', { input: await secret('door', authority, await authority.issue('east-00000000')) });
    await sandbox.done(`-n west connector create echo ${serverPort} --host localhost --tls-credentials authorities`);
    const port = await freePort();
    await sandbox.done(`-n east listener create echo ${port} --tls-credentials door --wait ready --timeout 20s`);
    const transport = connect({ host, port, allowHalfOpen: true });
    const socket = connectTls({ socket: transport, ca: serverFiles.ca, servername: 'localhost' });
    await once(socket, 'secureConnect');
    const text = 'x'.repeat(100_000);
    socket.end(text);
    let answer = '';
    for await (const piece of socket as AsyncIterable<Buffer>) answer += piece.toString();
    assert.equal(answer, `heard ${text.length}`);

    await sandbox.done(`-n west connector create half ${serverPort} --type http`);
    await sandbox.done(`-n east listener create half ${await freePort()}`);
    for (const site of ['west', 'east']) {
      const report = await until(`${site} hears of it`, async () => {
        const { out } = await sandbox.van(`-n ${site} check`);
        return /'half' are of different types: http, tcp/.test(out) ? out : undefined;
      });
      assert.match(report, /service-type-differs|differ in type/);
      assert.match(await sandbox.done(`-n ${site} service status half`), /^half +http, tcp /m);
    }
  } finally {
    server.close();
  }
});
