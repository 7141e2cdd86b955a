import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../src/amqp/performatives.ts';
import { ValueWriter } from '../src/amqp/value-writer.ts';
import { maxWholeBytes } from '../src/forwarding/inbound-message.ts';
import { encodeStreamStart } from '../src/services/tcp/stream-message.ts';
import { RecordingHandler } from './fuzz/connection-pair.ts';
import { consume, line } from '../src/sim/messages.ts';
import { capabilityTermini, strangerWithLinks, withAnnotations } from './stranger.ts';

const { rejected } = DeliveryState;

test('a stream whose beginning comes in pieces is routed as soon as its head is there', () => {
  const { network, alpha, beta } = line();
  const consumer = consume(beta, 'stream');
  network.runUntil(() => alpha.control.forwarder.reachable('stream'), 3000);
  // A foreign router sends the head in frames of its own choice, and then waits for the answer.
  const peer = strangerWithLinks(network, beta);
  const delivery = peer.data.deliver(false, undefined);
  const message = withAnnotations(encodeStreamStart('stream', null, null), 5);
  for (let at = 0; at < message.length; at++) delivery.send(message, at, at + 1, true);
  peer.node.touch();
  network.run(50);
  assert.equal(consumer.taken.length, 1);
  assert.equal(consumer.taken[0].bytes, message.length - consumer.taken[0].head.annotationsEnd);
});

test('a message that is not a stream is gathered, up to a limit, and then passed on', () => {
  const { network, beta } = line();
  const consumer = consume(beta, 'stream');
  const peer = strangerWithLinks(network, beta);
  const delivery = peer.data.deliver(false, undefined);
  const start = withAnnotations(encodeStreamStart('stream', null, null), 0);
  delivery.send(start, 0, start.length, true);
  const bytes = new Uint8Array(maxWholeBytes - start.length - 1);
  delivery.send(bytes, 0, bytes.length, true);
  peer.node.touch();
  network.run(50);
  assert.equal(consumer.taken.length, 0);
  assert.ok(peer.neighbour.heldBytes > 0);
  delivery.send(bytes, 0, 1, true);
  peer.node.touch();
  network.run(50);
  assert.equal(consumer.taken.length, 1);
  assert.equal(peer.neighbour.heldBytes, 0);
});

test('malformed and unfinished messages are refused or dropped, and give their credit back', () => {
  const { network, beta } = line();
  const consumer = consume(beta, 'queue');
  const peer = strangerWithLinks(network, beta);
  const states: DeliveryState[] = [];
  const source = {
    disposition: (_delivery: unknown, state: DeliveryState): void => void states.push(state),
    lost: (): void => void states.push(DeliveryState.none),
  };
  const whole = withAnnotations(encodeStreamStart('queue', null, null), 0);
  for (let count = 0; count < 400; count++) {
    // Aborted before it could be routed, and malformed from its first octet on; in turn.
    const delivery = peer.data.deliver(false, source);
    if (count % 2 === 0) {
      delivery.send(whole, 0, 20, true);
      delivery.abort();
    } else delivery.send(Uint8Array.of(1, 2, 3), 0, 3, true);
    if (count % 2 === 1) delivery.send(new Uint8Array(0), 0, 0, false);
    peer.node.touch();
    network.run(3);
  }
  assert.deepEqual(
    states,
    Array.from({ length: 200 }, () => rejected),
  );
  const delivery = peer.data.deliver(false, source);
  delivery.send(whole, 0, whole.length, false);
  peer.node.touch();
  network.run(20);
  assert.equal(consumer.taken.length, 1, 'there is credit left');
  assert.equal(peer.neighbour.heldBytes, 0);
});

test('unfinished routing messages give their credit back, and one of more than 1 MiB is refused', () => {
  const { network, beta } = line();
  const peer = strangerWithLinks(network, beta);
  const states: DeliveryState[] = [];
  const source = { disposition: (_delivery: unknown, state: DeliveryState): void => void states.push(state), lost: (): void => {} };
  for (let count = 0; count < 400; count++) {
    const delivery = peer.control.deliver(false, source);
    delivery.send(new Uint8Array(30), 0, 30, true);
    delivery.abort();
    peer.node.touch();
    network.run(2);
  }
  const large = peer.control.deliver(false, source);
  for (let count = 0; count < 17; count++) large.send(new Uint8Array(65_536), 0, 65_536, true);
  large.send(new Uint8Array(1), 0, 1, false);
  peer.node.touch();
  network.run(50);
  assert.deepEqual(states, [rejected]);
});

test('a cost that routing cannot count with is not believed', () => {
  for (const write of [
    (writer: ValueWriter): void => writer.long(2 ** 40),
    (writer: ValueWriter): void => writer.int(-1),
    (writer: ValueWriter): void => writer.string('9'),
    (writer: ValueWriter): void => writer.int(7),
  ]) {
    const { network, beta } = line();
    const probe = new ValueWriter(32);
    write(probe);
    const expected = probe.take()[1] === 7 ? 7 : 1;
    const peer = strangerWithLinks(network, beta, (writer) => {
      writer.map();
      writer.symbol('qd.inter-router-cost');
      write(writer);
      writer.end(2);
    });
    assert.equal(peer.neighbour.cost, expected);
    assert.equal(peer.neighbour.isUp, true);
  }
});

test('a data connection of a foreign router carries streams to here and nothing else', () => {
  const { network, beta } = line();
  const consumer = consume(beta, 'stream');
  const handler = new RecordingHandler();
  const link = network.strange(beta, 'foreign', handler, (writer) => {
    writer.map();
    writer.symbol('qd.inter-router-role');
    writer.int(4);
    writer.end(2);
  });
  network.run(50);
  const [connection] = link.connections;
  const session = connection.openSession();
  const forbidden = session.attachOutgoing('control', ...capabilityTermini('qd.router'));
  forbidden.handler = { attached: (): void => {}, flow: (): void => {}, detached: (_link, error) => handler.detachErrors.push(error) };
  const stream = session.attachOutgoing('stream', ...capabilityTermini(null));
  link.ends[0].touch();
  network.run(50);
  assert.deepEqual(
    handler.detachErrors.map((error) => error?.condition),
    ['qd:forbidden'],
  );
  const message = withAnnotations(encodeStreamStart('stream', null, null), 5);
  stream.deliver(false, undefined).send(message, 0, message.length, true);
  link.ends[0].touch();
  network.run(50);
  assert.equal(consumer.taken.length, 1);
  assert.deepEqual([...beta.control.routingStatus.neighbours.keys()].sort(), ['alpha', 'gamma'], 'it is no neighbour of routing');
  network.cut(link);
  network.run(50);
  assert.equal(consumer.taken[0].aborted, true);
});

test('an endpoint link on an inter-router connection, and a second control link, are refused', () => {
  const { network, beta } = line();
  const peer = strangerWithLinks(network, beta);
  const errors: (string | undefined)[] = [];
  for (const capability of [null, 'qd.router']) {
    const link = peer.connection.openSession().attachOutgoing(`x${String(capability)}`, ...capabilityTermini(capability));
    link.handler = { attached: (): void => {}, flow: (): void => {}, detached: (_link, error) => errors.push(error?.condition) };
  }
  peer.node.touch();
  network.run(50);
  assert.deepEqual(errors, ['qd:connection-role', 'qd:forbidden']);
  assert.equal(peer.neighbour.isUp, true);
});

test('when a peer detaches its control link, the neighbour is lost and the connection ends', () => {
  const { network, beta } = line();
  const peer = strangerWithLinks(network, beta);
  assert.equal(peer.neighbour.isUp, true);
  peer.control.detach();
  peer.node.touch();
  network.run(50);
  assert.equal(peer.neighbour.isUp, false);
  assert.equal(peer.handler.closedCount, 1);
});
