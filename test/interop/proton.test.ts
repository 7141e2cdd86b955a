import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ConnectionOptions } from '../../src/amqp/connection.ts';
import type { DeliverySource } from '../../src/amqp/delivery.ts';
import { DeliveryState } from '../../src/amqp/performatives.ts';
import { RecordingHandler, connectionOptions, termini } from '../fuzz/connection-pair.ts';
import { SocketConnection, dataMessage, dial, listen, noise, until } from './socket-connection.ts';

const python = '/usr/bin/python3';
const available = spawnSync(python, ['-c', 'import proton'], { stdio: 'ignore' }).status === 0;
const skip = available ? false : 'python3-qpid-proton is not installed';
const script = fileURLToPath(new URL('proton-peer.py', import.meta.url));

/** A Python process and the lines that it prints. */
class Peer implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(...parameters: string[]) {
    const child = spawn(python, [script, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()));
    createInterface({ input: child.stdout }).on('line', (line) => this.lines.push(line));
  }

  async line(start: string): Promise<string> {
    await until(`proton prints ${start}`, () => this.lines.some((line) => line.startsWith(start)));
    return this.lines.find((line) => line.startsWith(start)) ?? '';
  }

  async done(): Promise<readonly string[]> {
    await this.line('done');
    return this.lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) this.#process.kill();
    await this.#ended;
  }
}

const sasl: ConnectionOptions['sasl'] = {
  server: {
    mechanisms: ['ANONYMOUS', 'PLAIN'],
    externallyAuthenticated: false,
    verifyPlain: (username, password) => username === 'u' && password === 'p',
  },
};

/** Proton plays `scenario` against our server. */
async function play(scenario: string, handler: RecordingHandler, options: Partial<ConnectionOptions> = {}): Promise<readonly string[]> {
  let ours: SocketConnection | undefined;
  await using server = await listen((socket) => {
    ours = new SocketConnection(socket, connectionOptions(false, { sasl, ...options }), handler);
  });
  await using peer = new Peer('client', `${server.port}`, scenario);
  const lines = await peer.done();
  await until('our side has closed', () => handler.closedCount === 1);
  assert.equal(handler.error, undefined);
  assert.ok(ours?.connection.ended);
  return lines;
}

test('proton sends 1 MB', { skip }, async () => {
  const handler = new RecordingHandler();
  const lines = await play('send', handler);
  assert.ok(lines.includes('outcome ACCEPTED'), lines.join('\n'));
  const [message] = handler.messages;
  const expected = Uint8Array.from({ length: 1_048_576 }, (_, at) => (at * 7 + (at >> 8)) & 0xff);
  assert.ok(message !== undefined && Buffer.from(message).indexOf(expected) > 0);
});

test('proton receives 1 MB', { skip }, async () => {
  const content = noise(1_048_576);
  const handler = new (class extends RecordingHandler {
    override linkOffered(...parameters: Parameters<RecordingHandler['linkOffered']>): void {
      super.linkOffered(...parameters);
      const [, link] = parameters;
      const message = dataMessage(content);
      if (!link.receiver) link.deliver(false, undefined).send(message, 0, message.length, false);
    }
  })();
  const lines = await play('receive', handler, { maxFrameSize: 65_536 });
  assert.ok(lines.includes(`received ${createHash('sha256').update(content).digest('hex')}`), lines.join('\n'));
});

test('outcomes that we give reach proton', { skip }, async () => {
  const outcomes = [DeliveryState.accepted, DeliveryState.rejected, DeliveryState.released, DeliveryState.modified];
  const handler = new (class extends RecordingHandler {
    override transfer(...parameters: Parameters<RecordingHandler['transfer']>): void {
      this.outcome = outcomes[this.messages.length];
      super.transfer(...parameters);
    }
  })();
  const lines = await play('outcomes', handler);
  assert.deepEqual(
    lines.filter((line) => line.startsWith('outcome')),
    ['outcome ACCEPTED', 'outcome REJECTED', 'outcome RELEASED', 'outcome MODIFIED'],
  );
});

test('proton authenticates with PLAIN', { skip }, async () => {
  const lines = await play('plain', new RecordingHandler());
  assert.ok(lines.includes('opened server'), lines.join('\n'));
});

test('proton and we keep an idle connection open by heartbeats', { skip }, async () => {
  const lines = await play('idle', new RecordingHandler(), { idleTimeoutMs: 600 });
  assert.ok(lines.includes('still open') && !lines.some((line) => line.startsWith('error')), lines.join('\n'));
});

test('proton drains: it gets what waits, and the rest of its credit back', { skip }, async () => {
  const handler = new (class extends RecordingHandler {
    override linkOffered(...parameters: Parameters<RecordingHandler['linkOffered']>): void {
      super.linkOffered(...parameters);
      const [, link] = parameters;
      const message = dataMessage(noise(10));
      if (!link.receiver) for (let index = 0; index < 2; index++) link.deliver(true, undefined).send(message, 0, message.length, false);
    }
  })();
  const lines = await play('drain', handler);
  assert.ok(lines.includes('drained 2'), lines.join('\n'));
});

test('our client sends 1 MB to a proton server and gets it back', { skip }, async () => {
  await using peer = new Peer('echo-server');
  const port = Number((await peer.line('port')).split(' ')[1]);
  const handler = new RecordingHandler();
  const options = connectionOptions(true, { sasl: { client: { mechanisms: ['ANONYMOUS'] } } });
  await using ours = new SocketConnection(await dial(port), options, handler);
  await until('OPEN', () => ours.connection.opened);
  const session = ours.connection.openSession();
  const back = session.attachIncoming('back', ...termini('back'));
  back.sink = handler;
  back.handler = handler;
  back.grant(10);
  const content = noise(1_048_576, 3);
  const states: DeliveryState[] = [];
  const source: DeliverySource = {
    disposition: (delivery, state, settled) => {
      states.push(state);
      if (!settled) delivery.forget();
    },
    lost: () => assert.fail('lost'),
  };
  const message = dataMessage(content);
  session
    .attachOutgoing('out', ...termini())
    .deliver(false, source)
    .send(message, 0, message.length, false);
  ours.flush();
  await until('the message comes back', () => handler.messages.length === 1 && states.length === 1);
  assert.deepEqual(states, [DeliveryState.accepted]);
  assert.ok(Buffer.from(handler.messages[0]).indexOf(content) > 0);
  ours.connection.close();
  ours.flush();
  await until('proton answers CLOSE', () => handler.closedCount === 1);
  assert.equal(handler.error, undefined);
});
