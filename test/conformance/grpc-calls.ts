import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Metadata, credentials, status } from '@grpc/grpc-js';
import type { Client, ClientDuplexStream, ClientReadableStream, ClientUnaryCall, ClientWritableStream, ServiceError } from '@grpc/grpc-js';
import { EchoClient, ReflectionClient } from '../../examples/grpc/echo-service.ts';
import type { EchoServer } from '../../examples/grpc/echo-service.ts';

type Reply = (error: ServiceError | null, message?: Buffer) => void;

interface EchoMethods {
  once(message: Buffer, metadata: Metadata, options: { deadline?: number }, reply: Reply): ClientUnaryCall;
  gather(reply: Reply): ClientWritableStream<Buffer>;
  repeat(message: Buffer): ClientReadableStream<Buffer>;
  converse(): ClientDuplexStream<Buffer, Buffer>;
  refuse(message: Buffer, reply: Reply): ClientUnaryCall;
  wait(message: Buffer, metadata: Metadata, options: { deadline?: number }, reply: Reply): ClientUnaryCall;
}

export type Echo = Client & EchoMethods;

const options = { 'grpc.max_receive_message_length': -1, 'grpc.use_local_subchannel_pool': 1 };

export function echoClient(port: number): Echo {
  return new EchoClient(`127.0.0.1:${port}`, credentials.createInsecure(), options) as unknown as Echo;
}

export interface Outcome {
  readonly error: ServiceError | null;
  readonly message: Buffer | undefined;
}

/** One unary call; `watch` gets the call before anything comes back. */
export async function callOnce(client: Echo, message: Buffer, metadata: Metadata = new Metadata(), deadlineMs = 20_000): Promise<Outcome> {
  return await new Promise((resolve) => {
    client.once(message, metadata, { deadline: Date.now() + deadlineMs }, (error, reply) => resolve({ error, message: reply }));
  });
}

/** What gRPC needs of whatever lies between client and server; each is a test of its own. */
export const calls: Readonly<Record<string, (client: Echo, server: EchoServer, port: number) => Promise<void>>> = {
  'unary calls, one after the other and 200 at a time': async (client) => {
    for (const size of [0, 1, 100, 70_000, 300_000]) {
      const { error, message } = await callOnce(client, Buffer.alloc(size, 'u'));
      assert.equal(error, null);
      assert.equal(message?.length, size);
    }
    const many = await Promise.all(Array.from({ length: 200 }, (_, index) => callOnce(client, Buffer.from(`message ${index}`))));
    for (const [index, { error, message }] of many.entries()) {
      assert.equal(error, null);
      assert.equal(message?.toString(), `message ${index}`);
    }
  },
  'metadata, of text and octets, as head and as trailers': async (client) => {
    const metadata = new Metadata();
    const octets = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet));
    metadata.add('x-text', 'one');
    metadata.add('x-text', 'two');
    metadata.add('x-octets-bin', octets);
    const call = await new Promise<{ head: Metadata; end: Metadata }>((resolve, reject) => {
      let head = new Metadata();
      const unary = client.once(Buffer.from('m'), metadata, {}, (error) => {
        if (error !== null) reject(error);
      });
      unary.on('metadata', (received: Metadata) => (head = received));
      unary.on('status', ({ metadata: end }: { metadata: Metadata }) => resolve({ head, end }));
    });
    assert.equal(call.head.get('x-text').join(', '), 'one, two');
    assert.deepEqual(call.head.get('x-octets-bin'), [octets]);
    assert.equal(call.end.get('x-text-end').join(', '), 'one, two');
    assert.deepEqual(call.end.get('x-octets-end-bin'), [octets]);
  },
  'an answer of trailers only': async (client) => {
    const error = await new Promise<ServiceError | null>((resolve) => client.refuse(Buffer.from('m'), resolve));
    assert.equal(error?.code, status.FAILED_PRECONDITION);
    assert.equal(error?.details, 'not today: 100 %, ünd');
    assert.deepEqual(error?.metadata.get('x-why'), ['as asked']);
  },
  'a stream of requests, 64 MiB': async (client) => {
    const piece = Buffer.alloc(65_536, 'g');
    const total = await new Promise<string>((resolve, reject) => {
      const call = client.gather((error, message) => (error === null ? resolve(String(message)) : reject(error)));
      void sendPieces(call, piece, 1024);
    });
    assert.equal(total, String(64 * 1024 * 1024));
  },
  'a stream of answers, 64 MiB': async (client) => {
    const call = client.repeat(Buffer.from('1024 65536'));
    let size = 0;
    for await (const message of call) size += (message as Buffer).length;
    assert.equal(size, 64 * 1024 * 1024);
  },
  'a conversation, 64 MiB in each direction': async (client) => {
    const call = client.converse();
    void sendPieces(call, Buffer.alloc(65_536, 'c'), 1024);
    let size = 0;
    for await (const message of call) size += (message as Buffer).length;
    assert.equal(size, 64 * 1024 * 1024);
  },
  'a conversation turn by turn': async (client) => {
    const call = client.converse();
    for (let turn = 0; turn < 50; turn++) {
      call.write(Buffer.from(`turn ${turn}`));
      const [answer] = (await once(call, 'data')) as [Buffer];
      assert.equal(answer.toString(), `turn ${turn}`);
    }
    call.end();
    call.resume();
    await once(call, 'end');
  },
  'a deadline': async (client, server) => {
    const before = server.cancelled();
    const error = await new Promise<ServiceError | null>((resolve) => {
      client.wait(Buffer.from('m'), new Metadata(), { deadline: Date.now() + 500 }, resolve);
    });
    assert.equal(error?.code, status.DEADLINE_EXCEEDED);
    await until(() => server.cancelled() === before + 1 && server.waiting() === 0);
  },
  'a call that is given up': async (client, server) => {
    const before = server.cancelled();
    const outcome = new Promise<ServiceError | null>((resolve) => {
      const call = client.wait(Buffer.from('m'), new Metadata(), {}, resolve);
      void until(() => server.waiting() === 1).then(() => call.cancel());
    });
    assert.equal((await outcome)?.code, status.CANCELLED);
    await until(() => server.cancelled() === before + 1);
  },
  'a stream that is given up in its middle': async (client) => {
    const call = client.repeat(Buffer.from('100000 65536'));
    const failed = once(call, 'error');
    await once(call, 'data');
    call.cancel();
    const [error] = (await failed) as [ServiceError];
    assert.equal(error.code, status.CANCELLED);
  },
  'what the server offers (reflection)': async (_client, _server, port) => {
    const reflection = new ReflectionClient(`127.0.0.1:${port}`, credentials.createInsecure(), options);
    const call = (reflection as unknown as { info(): ClientDuplexStream<Buffer, Buffer> }).info();
    // list_services: field 7.
    call.write(Buffer.from([0x3a, 1, 0x2a]));
    const [answer] = (await once(call, 'data')) as [Buffer];
    assert.ok(answer.includes('caravan.example.Echo'));
    call.end();
    call.resume();
    await once(call, 'end');
    reflection.close();
  },
};

async function sendPieces(call: ClientWritableStream<Buffer>, piece: Buffer, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) if (!call.write(piece)) await once(call, 'drain');
  call.end();
}

export async function until(condition: () => boolean): Promise<void> {
  const endMs = Date.now() + 20_000;
  while (!condition()) {
    assert.ok(Date.now() < endMs, `did not come true: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
