import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, createServer } from 'node:tls';
import type { SecureContextOptions } from 'node:tls';
import { findProgram } from '../../../bench/tools.ts';
import { Authority } from '../../e2e/certificates.ts';
import type { Credentials } from '../../e2e/certificates.ts';
import { routerId } from '../../e2e/network.ts';
import { freePort } from '../../e2e/ports.ts';
import { RouterProcess } from '../../e2e/router-process.ts';
import type { Entity } from '../../e2e/router-process.ts';
import { openFrame } from '../../fuzz/amplification.ts';
import { BadCertificates } from '../rig/bad-certificates.ts';
import type { BadCertificate } from '../rig/bad-certificates.ts';
import type { Measured, Row, RowContext } from '../row.ts';

const host = '127.0.0.1';
/** A refusal that takes longer than this is none. */
const patienceMs = 3000;
const saslHeader = Buffer.from('AMQP\x03\x01\x00\x00', 'latin1');
const amqpHeader = Buffer.from('AMQP\x00\x01\x00\x00', 'latin1');
/** sasl-init with EXTERNAL. */
const saslExternal = Buffer.from('\x00\x00\x00\x18\x02\x01\x00\x00\x00\x53\x41\xc0\x0b\x01\xa3\x08EXTERNAL', 'latin1');

/** A stranger may use what a router would not: weak keys are its own affair. */
function contextOf(credentials: Credentials | undefined): SecureContextOptions {
  const lax = { ciphers: 'DEFAULT@SECLEVEL=0' };
  if (credentials === undefined) return lax;
  return { ...lax, cert: readFileSync(credentials.certificateFile), key: readFileSync(credentials.keyFile) };
}

/** What one certificate in one role led to. */
interface Verdict {
  readonly name: string;
  readonly refused: boolean;
  readonly afterMs: number;
  /** What the refusing router's log says. */
  readonly reason: string;
}

/** The words of a refusal in a log: the last `reason="..."`. */
function reasonIn(log: string): string {
  return [...log.matchAll(/reason="([^"]*)"/g)].at(-1)?.[1] ?? '';
}

/** Dials the router with the certificate and speaks AMQP as if all were well. Accepted = its OPEN comes. */
async function dialWith(
  router: RouterProcess,
  port: number,
  name: string,
  credentials: Credentials | undefined,
  id: string,
): Promise<Verdict> {
  const from = router.log.length;
  const startMs = performance.now();
  const socket = connect({
    host,
    port,
    rejectUnauthorized: false,
    ALPNProtocols: ['amqp'],
    minVersion: 'TLSv1.3',
    ...contextOf(credentials),
  });
  let answer = '';
  let toldMs = Infinity;
  socket.on('data', (bytes) => {
    answer += bytes.toString('latin1');
    // A CLOSE with its reason is the refusal; the socket is closed when it is answered, or a while later.
    if (answer.includes('amqp:unauthorized-access')) toldMs = Math.min(toldMs, performance.now());
  });
  socket.on('error', () => socket.destroy());
  socket.once('secureConnect', () => socket.write(Buffer.concat([saslHeader, saslExternal, amqpHeader, openFrame(id, 16_384)])));
  const closed = once(socket, 'close');
  await Promise.race([closed, sleep(patienceMs)]);
  const afterMs = Math.min(toldMs, performance.now()) - startMs;
  const refused = socket.destroyed;
  socket.destroy();
  await sleep(20);
  // A certificate that names another router passes TLS: it is refused by what is said in OPEN.
  const told = refused && !/neighbourUp|link is up/.test(router.log.slice(from));
  return { name, refused: told, afterMs, reason: reasonIn(router.log.slice(from)) || (answer.includes('amqp:') ? 'told in AMQP' : '') };
}

/** A server with the certificate, that a router of its own dials. Accepted = the router speaks AMQP. */
async function dialledWith(good: Authority, bad: BadCertificate, diallerCredentials: Credentials): Promise<Verdict> {
  let acceptedMs = 0;
  let closedMs = 0;
  let heard = '';
  const server = createServer({
    ...contextOf(bad.server),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['amqp'],
    minVersion: 'TLSv1.3',
  });
  server.on('connection', (socket) => {
    if (acceptedMs === 0) acceptedMs = performance.now();
    socket.once('close', () => (closedMs ||= performance.now()));
    socket.on('error', () => undefined);
  });
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      heard += bytes.toString('latin1');
      // Told with a CLOSE, which waits for its answer.
      if (heard.includes('amqp:unauthorized-access')) closedMs ||= performance.now();
      // With AMQP spoken, only the id in OPEN is left to be wrong.
      if (heard.length === saslHeader.length) {
        const mechanisms = Buffer.from('\x00\x00\x00\x18\x02\x01\x00\x00\x00\x53\x40\xc0\x0b\x01\xa3\x08EXTERNAL', 'latin1');
        const outcome = Buffer.from('\x00\x00\x00\x10\x02\x01\x00\x00\x00\x53\x44\xc0\x03\x01\x50\x00', 'latin1');
        socket.write(Buffer.concat([saslHeader, mechanisms, outcome, amqpHeader, openFrame(bad.claimedId, 16_384)]));
      }
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connector: Entity = [
    'connector',
    { name: 'bad', role: 'inter-router', host, port, sslProfile: 'links', saslMechanisms: 'EXTERNAL' },
  ];
  await using dialler = await RouterProcess.start({ id: routerId('dialler'), entities: [good.profile(diallerCredentials), connector] });
  try {
    const reason = await dialler
      .logged(/link is down[^\n]*reason="([^"]*)"/, patienceMs)
      .then(([, text]) => text)
      .catch(() => '');
    const refused = reason !== '' && !/neighbourUp|link is up/.test(dialler.log);
    return { name: bad.name, refused, afterMs: closedMs - acceptedMs, reason };
  } finally {
    server.close();
  }
}

async function run(context: RowContext): Promise<Measured> {
  await using good = await Authority.make();
  await using other = await Authority.make();
  const folder = await mkdtemp(join(tmpdir(), 'caravan-certificates-'));
  try {
    const makes = new BadCertificates(folder, good);
    const bad = await makes.all(other);
    const tls = { sslProfile: 'links', saslMechanisms: 'EXTERNAL' };
    const port = await freePort();
    const id = routerId('public');
    const listener: Entity = ['listener', { name: 'links', role: 'inter-router', host, port, ...tls, authenticatePeer: true }];
    await using router = await RouterProcess.start({ id, entities: [good.profile(await good.issue(id)), listener] });
    // Once, so that what comes first is not measured.
    await dialWith(router, port, 'warm', undefined, routerId('warm'));
    const dialled: Verdict[] = [];
    for (const { name, client, claimedId } of bad) {
      context.signal.throwIfAborted();
      dialled.push(await dialWith(router, port, name, client, claimedId));
    }
    const diallerCredentials = await good.issue(routerId('dialler'));
    const dials: Verdict[] = [];
    // Each is a router of its own: shortened, only what a server can do differently.
    for (const entry of context.fast ? bad.slice(0, 6) : bad) {
      context.signal.throwIfAborted();
      dials.push(await dialledWith(good, entry, diallerCredentials));
    }
    const controls: string[] = [];
    for (const [name, credentials] of [
      ['good', await makes.good(routerId('good'))],
      ['below', await makes.goodBelowIssuer(routerId('below'))],
    ] as const) {
      const connector: Entity = ['connector', { name: 'up', role: 'inter-router', host, port, ...tls }];
      await using peer = await RouterProcess.start({ id: routerId(name), entities: [good.profile(credentials), connector] });
      await peer.logged(/neighbourUp/, 5000).catch(() => controls.push(name));
    }
    const all = [
      ...dialled.map((verdict) => ({ ...verdict, role: 'dials' })),
      ...dials.map((verdict) => ({ ...verdict, role: 'is dialled' })),
    ];
    const slowest = all.toSorted((a, b) => b.afterMs - a.afterMs)[0];
    return {
      figures: [
        { name: 'certificates not refused', value: all.filter(({ refused }) => !refused).length, unit: '', floor: 0 },
        { name: 'good certificates refused', value: controls.length, unit: '', floor: 0 },
        { name: 'refused without a reason in the log', value: all.filter(({ reason }) => reason === '').length, unit: '', goal: 0 },
        { name: 'slowest refusal', value: Math.round(slowest.afterMs), unit: 'ms', goal: 100 },
        { name: 'certificates in both roles', value: all.length, unit: '', better: 'higher', floor: 48, judged: !context.fast },
      ],
      detail: {
        notRefused: all.filter(({ refused }) => !refused).map(({ name, role, reason }) => `${role}: ${name} (${reason})`),
        withoutReason: all.filter(({ reason }) => reason === '').map(({ name, role }) => `${role}: ${name}`),
        slowest: `${slowest.role}: ${slowest.name}`,
        controls,
        reasons: Object.fromEntries(all.map(({ name, role, reason }) => [`${role}: ${name}`, reason])),
      },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const certificateMatrix: Row = {
  id: 'S1',
  title: 'Certificates that do not belong, at the side that dials and at the side that is dialled',
  floor: 'all refused, in both roles',
  goal: 'within 100 ms, with a reason an operator understands',
  fast: true,
  shortened: '6 certificates in both roles',
  limitSeconds: { full: 240, fast: 60 },
  missing: () => (findProgram('openssl') === undefined ? 'openssl is not installed' : undefined),
  run,
};
