import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { Authority } from '../e2e/certificates.ts';
import { routerId, tcpConnector, tcpListener } from '../e2e/network.ts';
import { RouterProcess, commandLineFile } from '../e2e/router-process.ts';
import type { Entity } from '../e2e/router-process.ts';
import { until } from '../e2e/until.ts';
import { Hosts, namespacesMissing } from './namespaces.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`# skipped: ${missing}`);

const linkPort = 55671;
const serverPort = 8080;
const servicePort = 8081;
const bytes = 5_000_000;

/** Listens on all addresses, sends back what comes, and prints the host it was started as. */
const echoProgram = `require('node:net').createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(${serverPort}, '0.0.0.0')`;

/** Sends so many octets to HOST PORT and prints how many came back as they were, or the error's code. */
const clientProgram = `
const [host, port, length] = process.argv.slice(1);
const sent = require('node:crypto').randomBytes(Number(length));
const socket = require('node:net').connect({ host, port: Number(port) });
const pieces = [];
socket.setTimeout(3000, () => socket.destroy(Object.assign(new Error(), { code: 'no answer' })));
socket.on('connect', () => socket.end(sent));
socket.on('data', (piece) => pieces.push(piece));
socket.on('end', () => console.log(Buffer.concat(pieces).equals(sent) ? 'echo ' + sent.length : 'other octets'));
socket.on('error', (error) => console.log(error.code));
`;

test(
  'sites that accept nothing inbound reach each other through sites that accept links',
  { skip: missing ?? false, timeout: 58_000 },
  async () => {
    using hosts = new Hosts(`caravan-${process.pid}`);
    await using authority = await Authority.make();
    const addresses = {
      aws: hosts.add('aws', [linkPort]),
      azure: hosts.add('azure', [linkPort]),
      laptop: hosts.add('laptop', []),
      remote: hosts.add('remote', []),
    };
    const tls = { role: 'inter-router', sslProfile: 'links', saslMechanisms: 'EXTERNAL' };
    const accepts: Entity = ['listener', { name: 'incoming', host: '0.0.0.0', port: linkPort, authenticatePeer: true, ...tls }];
    const dials = (name: 'aws' | 'azure'): Entity => ['connector', { name, host: addresses[name], port: linkPort, ...tls }];
    const start = async (name: string, entities: readonly Entity[]): Promise<RouterProcess> => {
      const id = routerId(name);
      return await RouterProcess.start({
        id,
        entities: [authority.profile(await authority.issue(id)), ...entities],
        command: [...hosts.enter(name), process.execPath, commandLineFile, 'router', '--config'],
      });
    };

    const servers: ChildProcess[] = [];
    /** What the client on `host` sees of `address`. */
    const ask = async (host: string, address: string, port: number, length: number): Promise<string> => {
      const [program = '', ...enter] = hosts.enter(host);
      const client = spawn(program, [...enter, process.execPath, '-e', clientProgram, address, String(port), String(length)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      return (await text(client.stdout)).trim();
    };
    try {
      for (const host of ['laptop', 'aws']) {
        const [program = '', ...enter] = hosts.enter(host);
        const server = spawn(program, [...enter, process.execPath, '-e', echoProgram], { stdio: 'inherit' });
        servers.push(server);
      }
      await using aws = await start('aws', [accepts]);
      await using azure = await start('azure', [accepts, dials('aws')]);
      await using laptop = await start('laptop', [dials('aws'), dials('azure'), tcpConnector('echo', serverPort)]);
      await using remote = await start('remote', [dials('aws'), dials('azure'), tcpListener('echo', servicePort)]);

      await until(
        'the echo comes back',
        async () => (await ask('remote', '127.0.0.1', servicePort, 10)) === 'echo 10',
        20_000,
        () => [aws, azure, laptop, remote].map(({ log }) => log).join('\n'),
      );
      assert.equal(await ask('remote', '127.0.0.1', servicePort, bytes), `echo ${bytes}`);

      // The walls stand: nobody reaches the server, or any port but the link port, from outside.
      assert.equal(await ask('laptop', '127.0.0.1', serverPort, 10), 'echo 10', 'the server is there');
      assert.equal(await ask('aws', '127.0.0.1', serverPort, 10), 'echo 10', 'and on aws, too');
      const walls = await Promise.all([
        ask('remote', addresses.laptop, serverPort, 10),
        ask('aws', addresses.laptop, serverPort, 10),
        ask('azure', addresses.remote, servicePort, 10),
        ask('remote', addresses.aws, serverPort, 10),
      ]);
      assert.deepEqual(walls, ['no answer', 'no answer', 'no answer', 'no answer']);

      // The way by aws goes; the one by azure stays.
      await aws.kill();
      await until('the echo comes back by azure', async () => (await ask('remote', '127.0.0.1', servicePort, 10)) === 'echo 10', 20_000);
      assert.equal(await ask('remote', '127.0.0.1', servicePort, bytes), `echo ${bytes}`);
    } finally {
      for (const server of servers) {
        server.kill('SIGKILL');
        if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
      }
    }
  },
);
