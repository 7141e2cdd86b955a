import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { ask, connectorYaml, dial, exchange, freePort, listenerYaml, TestSites, until } from './site-fixtures.test.ts';

/** The shortest life a certificate can have: it is renewed after 10 s. */
const certificateLifetimeMs = 20_000;

test('a certificate is renewed while a stream runs, and the link and the stream stay', async () => {
  await using sites = await TestSites.create();
  const east = await sites.start('east', await freePort());
  const linkPort = await freePort();
  const west = await sites.start('west', linkPort);
  const issued = await ask(east, 'ISSUE-TOKEN', { certificateLifetimeMs });
  assert.equal(issued.statusCode, 200, issued.statusDescription);
  const { token } = issued.body as { token: string };
  await west.redeem(token, 'token.yaml', {});
  const port = await freePort();
  await east.apply(connectorYaml('backend', await sites.echoServer()), 'east.yaml');
  await west.apply(listenerYaml('backend', port), 'west.yaml');
  const socket = await dial(port);
  let dropped = false;
  socket.once('close', () => (dropped = true));
  await exchange(socket, 'begin');
  const connections = async (): Promise<unknown> =>
    ((await ask(west, 'QUERY', {}, 'connection')).body as { results: { identity: string }[] }).results.map(({ identity }) => identity);
  const link = await connections();
  const serialBefore = await serialAt(linkPort);

  await until(
    'the certificate is renewed',
    async () => {
      await exchange(socket, 'more');
      await sleep(100);
      return (await serialAt(linkPort)) !== serialBefore;
    },
    15_000,
  );
  assert.equal(await exchange(socket, 'after'), 'after');
  assert.equal(dropped, false);
  assert.deepEqual(await connections(), link);
  const [profile] = ((await ask(west, 'QUERY', {}, 'sslProfile')).body as { results: { ordinal: number; certFile: string }[] }).results;
  assert.equal(profile?.ordinal, 2);
  // New connections of this router use the new one too: what the files hold is what it shows.
  assert.equal(new X509Certificate(await readFile(profile?.certFile ?? '')).serialNumber, await serialAt(linkPort));
  socket.destroy();
});

/** Serial number of the certificate that a link port shows. */
async function serialAt(port: number): Promise<string> {
  const raw = connect(port, '127.0.0.1');
  const socket = connectTls({ socket: raw, rejectUnauthorized: false, minVersion: 'TLSv1.3', ALPNProtocols: ['amqp'] });
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.once('secureConnect', () => resolve(socket.getPeerX509Certificate()?.serialNumber ?? ''));
      socket.once('error', reject);
    });
  } finally {
    socket.on('error', () => undefined);
    socket.destroy();
    raw.destroy();
  }
}
