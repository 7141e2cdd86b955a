import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Connection } from './connection.ts';
import type { ConnectionHandler, ConnectionOptions } from './connection.ts';
import { Descriptor } from './constants.ts';
import type { DeliverySink, IncomingDelivery } from './delivery.ts';
import type { IncomingLink, OutgoingLink } from './link.ts';
import { DeliveryState, encodeTerminus } from './performatives.ts';
import type { AmqpError } from './performatives.ts';
import { SlabPool } from './transmit-buffer.ts';
import { ValueWriter } from './value-writer.ts';

class Collector implements DeliverySink {
  readonly messages: string[] = [];
  #text = '';
  transfer(delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.#text += new TextDecoder().decode(bytes.subarray(start, end));
    if (more) return;
    this.messages.push(this.#text);
    this.#text = '';
    delivery.update(DeliveryState.accepted, true);
    delivery.link.replenish();
  }
  aborted(): void {
    this.messages.push(`aborted ${this.#text}`);
    this.#text = '';
  }
  senderSettled(): void {}
}

class Handler implements ConnectionHandler {
  readonly sink = new Collector();
  closedWith: AmqpError | undefined | 'open' = 'open';
  isOpen = false;
  opened(): void {
    this.isOpen = true;
  }
  linkOffered(_connection: Connection, link: IncomingLink | OutgoingLink): void {
    if (link.receiver) {
      link.sink = this.sink;
      link.session.accept(link);
      link.grant(10);
    } else link.session.accept(link);
  }
  relieved(): void {}
  closed(_connection: Connection, error: AmqpError | undefined): void {
    this.closedWith = error;
  }
}

const slabs = new SlabPool();
const base: Omit<ConnectionOptions, 'client' | 'containerId' | 'sasl'> = {
  hostname: null,
  maxFrameSize: 1024,
  idleTimeoutMs: 16_000,
  handshakeTimeoutMs: 5000,
  capabilities: ['ANONYMOUS-RELAY'],
  slabs,
};

function pair(chunk = Infinity): { client: Connection; server: Connection; clientHandler: Handler; serverHandler: Handler; pump(): void } {
  const clientHandler = new Handler();
  const serverHandler = new Handler();
  const client = new Connection(
    { ...base, client: true, containerId: 'c', sasl: { client: { mechanisms: ['ANONYMOUS'] } } },
    clientHandler,
  );
  const server = new Connection(
    { ...base, client: false, containerId: 's', sasl: { server: { mechanisms: ['ANONYMOUS'], externallyAuthenticated: false } } },
    serverHandler,
  );
  client.start(0);
  server.start(0);
  const move = (from: Connection, to: Connection): boolean => {
    let moved = false;
    for (let bytes = from.nextTransmit(); bytes !== undefined; bytes = from.nextTransmit()) {
      moved = true;
      const copy = bytes.slice();
      from.transmitted();
      for (let at = 0; at < copy.length; at += chunk) to.receive(copy.subarray(at, Math.min(copy.length, at + chunk)), 1);
    }
    return moved;
  };
  return {
    client,
    server,
    clientHandler,
    serverHandler,
    pump(): void {
      let moved = true;
      while (moved) {
        const there = move(client, server);
        const back = move(server, client);
        moved = there || back;
      }
    },
  };
}

function termini(): [Uint8Array, Uint8Array] {
  const writer = new ValueWriter();
  encodeTerminus(writer, Descriptor.source, null, null);
  const source = writer.take();
  writer.reset();
  encodeTerminus(writer, Descriptor.target, 'q', null);
  return [source, writer.take()];
}

for (const chunk of [Infinity, 1, 7]) {
  test(`two connections exchange messages in chunks of ${chunk}`, () => {
    const { client, serverHandler, clientHandler, pump } = pair(chunk);
    pump();
    assert.ok(clientHandler.isOpen && serverHandler.isOpen);
    const session = client.openSession();
    const link = session.attachOutgoing('l', ...termini());
    const outcomes: number[] = [];
    const source = {
      disposition(_delivery: unknown, state: number): void {
        outcomes.push(state);
      },
      lost(): void {
        outcomes.push(-1);
      },
    };
    const large = 'x'.repeat(5000);
    for (const text of ['one', 'two', large]) {
      const bytes = new TextEncoder().encode(text);
      link.deliver(false, source).send(bytes, 0, bytes.length, false);
    }
    pump();
    assert.deepEqual(serverHandler.sink.messages, ['one', 'two', large]);
    assert.deepEqual(outcomes, [2, 2, 2]);
    client.close();
    pump();
    assert.equal(clientHandler.closedWith, undefined);
    assert.equal(serverHandler.closedWith, undefined);
  });
}
