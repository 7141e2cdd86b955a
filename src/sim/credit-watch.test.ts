import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreditWatch } from './credit-watch.ts';
import { consume, produce } from './messages.ts';
import type { WireWatch } from './virtual-link.ts';
import { VirtualNetwork } from './virtual-network.ts';

const capacity = 4;

/** Sends 50 messages at once over a link with little credit; what the watch says of it. */
function overdrafts(wrap: (watch: CreditWatch) => WireWatch): string[] {
  const found: string[] = [];
  const network = new VirtualNetwork();
  network.linkCapacity = capacity;
  network.onLink = (link): void => {
    link.watch = wrap(new CreditWatch((_end, text) => found.push(text)));
  };
  const [alpha, beta] = ['alpha', 'beta'].map((id) => network.router(id));
  network.link(alpha, beta);
  const taken = consume(beta, 'work');
  network.runUntil(() => alpha.control.forwarder.table.addresses.has('Mwork'), 10_000);
  for (let count = 0; count < 50; count++) produce(alpha, 'work', 10);
  network.runUntil(() => taken.taken.length === 50, 10_000);
  return found;
}

test('who waits for credit overdraws none, however the octets are cut', () => {
  assert.deepEqual(
    overdrafts((watch) => watch),
    [],
  );
  const oneByOne = (bytes: Uint8Array, pass: (piece: Uint8Array) => void): void => {
    for (let at = 0; at < bytes.length; at++) pass(bytes.subarray(at, at + 1));
  };
  assert.deepEqual(
    overdrafts((watch) => ({
      sent: (end, bytes): void => oneByOne(bytes, (piece) => watch.sent(end, piece)),
      received: (end, bytes): void => oneByOne(bytes, (piece) => watch.received(end, piece)),
    })),
    [],
  );
});

test('who has not got the credit overdraws it', () => {
  const deaf = overdrafts((watch) => ({ sent: (end, bytes): void => watch.sent(end, bytes), received: (): void => {} }));
  assert.ok(deaf.some((text) => text.startsWith('delivery 49 on ')));
});
