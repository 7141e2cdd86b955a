import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Authority } from '../e2e/certificates.ts';
import { routerId, tcpConnector } from '../e2e/network.ts';
import { freePort } from '../e2e/ports.ts';
import { RouterProcess } from '../e2e/router-process.ts';
import type { Entity } from '../e2e/router-process.ts';
import { until } from '../e2e/until.ts';
import { manage } from '../faults/rig/management.ts';
import { beliefOf } from './belief.ts';
import type { AddressRow, NodeRow } from './belief.ts';
import { EvilProgram } from './evil-program.ts';

const host = '127.0.0.1';
/** One that is quiet, one that ends the link, one with messages. */
const chosen = ['k1-advertise', 'k2-unsigned', 'beyond-consume', 'k6-management', 'k2-garbage-signature'];
const attackTimeoutMs = 15_000;

test('a compromised router changes nothing at routers that run as processes', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'caravan-evil-'));
  await using removal = new AsyncDisposableStack();
  removal.defer(async () => await rm(folder, { recursive: true, force: true }));
  const authority = removal.use(await Authority.make(folder));
  const port = await freePort();
  const [hubId, farId, evilId] = [routerId('hub'), routerId('far'), routerId('evil')];

  const member = async (id: string, addresses?: readonly string[]): Promise<Entity[]> => {
    await mkdir(join(folder, id));
    return [authority.profile(await authority.issue(id)), await authority.signing(id, join(folder, id), addresses)];
  };
  const link = { role: 'inter-router', host, port, sslProfile: 'links', saslMechanisms: 'EXTERNAL' };
  const dial: Entity = ['connector', { name: 'hub', ...link }];
  const socket = (id: string): string => join(folder, `${id}.sock`);
  const start = async (id: string, entities: readonly Entity[]): Promise<RouterProcess> =>
    removal.use(await RouterProcess.start({ id, entities, parameters: ['--management-socket', socket(id)] }));
  const hub = await start(hubId, [...(await member(hubId)), ['listener', { name: 'incoming', authenticatePeer: true, ...link }]]);
  await start(farId, [...(await member(farId)), dial, tcpConnector('service', await freePort())]);

  const honest = [hubId, farId];
  const belief = async (id: string): Promise<string> => {
    const query = async <T>(type: string): Promise<T> => (await manage<{ results: T }>(socket(id), { operation: 'QUERY', type })).results;
    return beliefOf(await query<NodeRow[]>('router.node'), await query<AddressRow[]>('router.address'));
  };
  const isComplete = (text: string): boolean =>
    text.includes('"service"') && (JSON.parse(text) as { known: unknown[] }).known.length === honest.length;
  await until('both know each other and the service', async () => (await Promise.all(honest.map(belief))).every(isComplete));
  const before = await Promise.all(honest.map(belief));

  const file = join(folder, 'evil.json');
  const entities: Entity[] = [['router', { id: evilId, mode: 'interior' }], ...(await member(evilId, ['evil.*'])), dial];
  await writeFile(file, JSON.stringify(entities));
  await using evil = await EvilProgram.start(['--config', file, '--attack', chosen.join(), '--seconds', '4']);
  await hub.logged(new RegExp(`neighbourUp routerId="${evilId}"`));
  for (const name of chosen) {
    const outcome = await evil.attack(attackTimeoutMs, async () => assert.deepEqual(await Promise.all(honest.map(belief)), before, name));
    assert.equal(outcome.attack, name);
    assert.ok(outcome.sent > 0 || name === 'k1-advertise', `${name} has done nothing`);
    assert.deepEqual([outcome.taken, outcome.accepted, outcome.replies], [0, 0, 0], name);
    if (outcome.expected === 'kept out') assert.match(outcome.endings.join(), /unauthorized-access/, name);
  }
  await hub.logged(/grantViolation routerId="evil-00000000".* address="service" right="advertise"/);
  await hub.logged(/spoofRefused/);
  await evil[Symbol.asyncDispose]();

  // In the name of another from the first frame on.
  const parameters = ['--config', file, '--container-id', farId, '--attack', 'hello-as-another', '--seconds', '1'];
  await using impostor = await EvilProgram.start(parameters);
  const { linksUp } = await impostor.attack(attackTimeoutMs, async () => assert.deepEqual(await Promise.all(honest.map(belief)), before));
  assert.equal(linksUp, 0);
  await hub.logged(/a peer claims another router id than its certificate/);
});
