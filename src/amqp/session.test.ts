import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionPair, drainBytes, joined, termini } from '../../test/fuzz/connection-pair.ts';
import { liveBytes, shortestMs } from '../../test/fuzz/memory.ts';
import { Outcomes, by, emptyFlow, received, send, sending, text } from '../../test/fuzz/sending.ts';
import type { Sending } from '../../test/fuzz/sending.ts';
import { maxLinks, maxUnsettled } from './connection-budget.ts';
import type { Connection } from './connection.ts';
import { DeliveryState, encodeDisposition } from './delivery-performatives.ts';
import type { IncomingDelivery, OutgoingDelivery } from './delivery.ts';
import type { IncomingLink } from './link.ts';
import { encodeAttach, encodeDetach, encodeFlow } from './performatives.ts';
import { maxHandles } from './session.ts';
import { nullEncoded } from './terminus.ts';

test('window: exhausted, renewed, and kept to by aborts', () => {
  // 16 frames of 512 bytes: the window that is announced cannot be smaller.
  const { pair, session, link, outcomes } = sending(100, 134_217_728 / 16);
  assert.equal(session.remoteIncomingWindow, 16);
  pair.server.withholdWindow = true;
  const delivery = send(link, outcomes, 'x', true);
  for (let index = 1; index < 20; index++) delivery.send(text('x'), 0, 1, true);
  assert.equal(session.remoteIncomingWindow, 0);
  assert.equal(link.backlogBytes, 4);
  delivery.abort();
  assert.equal(link.backlogBytes, 0);
  send(link, outcomes, 'next');
  pair.pump();
  assert.deepEqual([pair.serverHandler.aborts, pair.serverHandler.messages.length], [0, 0]);
  pair.server.renewWindows();
  pair.pump();
  assert.equal(pair.serverHandler.aborts, 1);
  assert.deepEqual(received(pair), ['next']);
  assert.equal(pair.serverHandler.closedCount, 0);
});

test('a transfer beyond the window ends the session only', () => {
  const { pair, session, link } = sending(100, 134_217_728 / 16);
  pair.server.withholdWindow = true;
  const other = pair.client.openSession();
  pair.pump();
  session.remoteIncomingWindow = 17;
  for (let index = 0; index < 17; index++) send(link, undefined, 'x');
  pair.pump();
  assert.equal(received(pair).length, 16);
  assert.ok(session.endSent && !other.endSent);
  assert.deepEqual([pair.clientHandler.closedCount, pair.serverHandler.closedCount], [0, 0]);
});

test('links that wait for the window take turns', () => {
  const { pair, session, link } = sending(1000, 134_217_728 / 16);
  const links = [link, session.attachOutgoing('m', ...termini()), session.attachOutgoing('n', ...termini())];
  pair.pump();
  pair.server.withholdWindow = true;
  for (let index = 0; index < 16; index++) send(link, undefined, '-');
  for (let round = 0; round < 20; round++) for (const [index, each] of links.entries()) send(each, undefined, `${index}`);
  pair.pump();
  for (let renewals = 0; renewals < 3; renewals++) {
    pair.server.renewWindows();
    pair.server.withholdWindow = true;
    pair.pump();
  }
  const counts = [0, 0, 0];
  for (const message of received(pair)) if (message !== '-') counts[Number(message)]++;
  assert.deepEqual(counts, [16, 16, 16]);
});

test('detach, end and close tell every delivery once', () => {
  const ends: Readonly<Record<string, (sending: Sending) => void>> = {
    'our detach': ({ link }) => link.detach(),
    "the peer's detach": ({ pair }) => pair.serverHandler.links[0]?.detach({ condition: 'amqp:internal-error', description: 'x' }),
    'our end': ({ session }) => session.end(),
    "the peer's end": ({ pair }) => pair.serverHandler.links[0]?.session.end(),
    'our close': ({ pair }) => pair.client.close(),
    "the peer's close": ({ pair }) => pair.server.close(),
    'a lost socket': ({ pair }) => pair.client.lost('reset'),
  };
  for (const [name, end] of Object.entries(ends)) {
    const all = sending(3);
    const { pair, link, outcomes } = all;
    pair.serverHandler.settle = false;
    send(link, outcomes, 'complete');
    const begun = send(link, outcomes, 'begun', true);
    send(link, outcomes, 'queued');
    const late = link.deliver(false, outcomes);
    pair.pump();
    assert.deepEqual(received(pair), ['complete']);
    end(all);
    pair.pump();
    begun.send(text('x'), 0, 1, false);
    late.send(text('x'), 0, 1, false);
    late.send(text('x'), 0, 1, false);
    begun.abort();
    begun.forget();
    pair.pump();
    assert.deepEqual(outcomes.states, ['lost', 'lost', 'lost', 'lost'], name);
    assert.equal(outcomes.detachErrors.length, 1, name);
    if (name !== 'a lost socket') {
      assert.deepEqual([pair.serverHandler.aborts, pair.serverHandler.senderSettles], [1, 1], name);
      assert.equal(pair.serverHandler.detachErrors.length, 1, name);
    }
    assert.equal(link.backlogBytes, 0, name);
    if (!name.includes('detach')) assert.ok(pair.client.budget.empty, name);
  }
});

test('after detach the handle serves another link', () => {
  const { pair, session, link } = sending();
  let last = link;
  for (let round = 0; round < 50; round++) {
    last.detach();
    pair.pump();
    last = session.attachOutgoing(`again${round}`, ...termini());
    assert.equal(last.handle, 0);
    pair.pump();
    send(last, undefined, `${round}`);
    pair.pump();
  }
  assert.equal(received(pair).length, 50);
});

test('attach and detach before the peer has answered', () => {
  const { pair, session } = sending();
  const outcomes = new Outcomes();
  const link = session.attachOutgoing('short-lived', ...termini());
  link.handler = outcomes;
  send(link, outcomes, 'never');
  link.detach();
  pair.pump();
  assert.deepEqual(outcomes.states, ['lost']);
  assert.equal(outcomes.detachErrors.length, 1);
  assert.equal(pair.client.opened, true);
});

test('frames for a link or session that this side has ended are dropped', () => {
  const { pair, session, link, outcomes } = sending();
  pair.serverHandler.settle = false;
  send(link, outcomes, 'x');
  pair.pump();
  const { server, client } = pair;
  const offered = pair.serverHandler.links[0] as IncomingLink;
  link.detach();
  by(server, 0, () =>
    encodeFlow(server.writer, { ...emptyFlow, incomingWindow: 9, handle: offered.handle, linkCredit: 9, drain: true, echo: true }),
  );
  pair.pump();
  assert.ok(client.opened && server.opened && !session.endSent);
  const second = session.attachOutgoing('second', ...termini());
  pair.pump();
  session.end();
  by(server, 0, () => encodeFlow(server.writer, { ...emptyFlow, incomingWindow: 9, handle: 5, linkCredit: 9 }));
  by(server, 0, () => encodeDetach(server.writer, 77, true, undefined));
  by(server, 0, () => encodeAttach(server.writer, { name: 'late', handle: 9, receiver: true, source: nullEncoded, target: nullEncoded }));
  pair.pump();
  assert.ok(client.opened && server.opened && second.detachSent);
  assert.throws(() => session.attachIncoming('z', ...termini()), { condition: 'amqp:illegal-state' });
});

test('violations of a session end it with the right condition', () => {
  const cases: Readonly<Record<string, (client: Connection) => void>> = {
    'amqp:session:unattached-handle': (client) => encodeDetach(client.writer, 9, true, undefined),
    'amqp:session:handle-in-use': (client) =>
      encodeAttach(client.writer, { name: 'again', handle: 0, receiver: true, source: nullEncoded, target: nullEncoded }),
  };
  for (const [condition, write] of Object.entries(cases)) {
    const { pair, session } = sending();
    by(pair.client, 0, () => write(pair.client));
    pair.pump();
    assert.equal(pair.serverHandler.detachErrors[0]?.condition, condition);
    assert.ok(session.endSent && pair.client.opened && pair.server.opened);
  }
  const { pair, link } = sending();
  const offered = pair.serverHandler.links[0] as IncomingLink;
  offered.session.writeTransfer(offered.handle, { id: 0, settled: true } as OutgoingDelivery, true, text('x'), 0, 1, false);
  pair.pump();
  assert.ok(link.session.endSent && pair.client.opened, 'a transfer towards the sender');
});

test('a link that its owner does not answer is refused', () => {
  const pair = new ConnectionPair();
  pair.serverHandler.linkOffered = (): void => {};
  pair.pump();
  const link = pair.client.openSession().attachOutgoing('l', ...termini());
  const outcomes = new Outcomes();
  link.handler = outcomes;
  pair.pump();
  assert.equal(outcomes.detachErrors[0]?.condition, 'amqp:internal-error');
});

test('handlers may close, end or detach in the middle of any call', () => {
  const acts: readonly ((link: IncomingLink) => void)[] = [
    (link): void => link.detach(),
    (link): void => link.session.end(),
    (link): void => link.session.connection.close(),
    (link): void => link.session.connection.lost('gone'),
  ];
  for (const act of acts) {
    for (const when of ['linkOffered', 'transfer', 'aborted', 'detached'] as const) {
      const { pair, session, link, outcomes } = sending();
      const offered = pair.serverHandler.links[0] as IncomingLink;
      if (when === 'linkOffered') {
        pair.serverHandler.linkOffered = (_connection, other): void => {
          act(offered);
          other.session.accept(other);
        };
      } else {
        const original = pair.serverHandler[when].bind(pair.serverHandler) as (...values: unknown[]) => void;
        pair.serverHandler[when] = (...values: unknown[]): void => {
          original(...values);
          act(offered);
        };
      }
      send(link, outcomes, 'one');
      send(link, outcomes, 'two', true).abort();
      session.attachOutgoing('another', ...termini());
      pair.pump();
      link.detach();
      pair.pump();
      pair.client.close();
      pair.pump();
      pair.server.lost('end');
      assert.equal(pair.serverHandler.closedCount, 1, when);
      assert.ok(pair.server.budget.empty, when);
    }
  }
});

test('links: the limit is accepted, one more ends its session; a link costs less than 1 KiB', () => {
  const pair = new ConnectionPair();
  pair.serverHandler.linkOffered = (_connection, link): void => link.session.accept(link);
  pair.pump();
  pair.client.openSession();
  pair.pump();
  const { client, server } = pair;
  let attached = 0;
  for (; attached < maxHandles; attached++) {
    by(client, 0, () =>
      encodeAttach(client.writer, { name: `${attached}`, handle: attached, receiver: true, source: nullEncoded, target: nullEncoded }),
    );
  }
  assert.equal(attached, maxLinks);
  const attaches = drainBytes(client);
  const before = liveBytes();
  server.receive(attaches, 0);
  // The answers are as long as the questions and wait for the socket; each link is an object of its own on top.
  drainBytes(server);
  const perLink = (liveBytes() - before) / maxLinks;
  assert.ok(perLink < 1024, `${perLink} bytes for each link`);
  assert.ok(server.opened && pair.serverHandler.detachErrors.length === 0, 'the limit itself is accepted');
  client.openSession();
  by(client, 1, () => encodeAttach(client.writer, { name: 'more', handle: 0, receiver: true, source: nullEncoded, target: nullEncoded }));
  server.receive(drainBytes(client), 0);
  assert.ok(server.opened, pair.serverHandler.error?.description ?? 'closed');
  assert.ok(Buffer.from(drainBytes(server)).includes('too many links'));
  server.lost('done');
  assert.ok(server.budget.empty);
});

test('a handle above the limit is a framing error', () => {
  for (const handle of [maxHandles, 0xffffffff]) {
    const { pair } = sending();
    by(pair.client, 0, () =>
      encodeAttach(pair.client.writer, { name: 'h', handle, receiver: true, source: nullEncoded, target: nullEncoded }),
    );
    pair.pump();
    assert.equal(pair.clientHandler.error?.condition, 'amqp:connection:framing-error');
  }
});

test('unsettled deliveries: the limit is accepted, one more ends the link', () => {
  const { pair, link, outcomes } = sending(maxUnsettled + 10);
  pair.serverHandler.settle = false;
  const offered = pair.serverHandler.links[0] as IncomingLink;
  offered.sink = { transfer: () => {}, aborted: () => {}, senderSettled: () => {} };
  for (let index = 0; index < maxUnsettled; index++) {
    send(link, outcomes, 'x');
    if (index % 8000 === 0) pair.pump();
  }
  pair.pump();
  assert.equal(offered.unsettled, maxUnsettled);
  assert.equal(outcomes.detachErrors.length, 0);
  // The widest range costs what is unsettled, not what it spans.
  const wide = joined([0, 1].map((settled) => dispositionFrame(settled === 1)));
  const durationMs = shortestMs(() => pair.client.receive(dispositionFrame(false), 0));
  assert.ok(durationMs < 500, `${durationMs} ms`);
  send(link, outcomes, 'x');
  pair.pump();
  assert.equal(outcomes.detachErrors[0]?.condition, 'amqp:resource-limit-exceeded');
  assert.equal(outcomes.states.length, maxUnsettled + 1);
  pair.client.receive(wide, 0);
  assert.equal(outcomes.states.length, maxUnsettled + 1);
  assert.equal(pair.server.opened, true);
});

/** What a receiver that changes everything at once sends. */
function dispositionFrame(settled: boolean): Uint8Array {
  const pair = new ConnectionPair();
  pair.pump();
  const { client } = pair;
  client.openSession();
  pair.pump();
  by(client, 0, () => encodeDisposition(client.writer, true, 0, 0, settled, DeliveryState.released, 0, undefined));
  const bytes = drainBytes(client);
  // `last` is written as null: 0x40 after role and first; a range needs a number in its place.
  const at = bytes.indexOf(0x40, 20);
  return joined([lengthened(bytes.subarray(0, at)), Uint8Array.of(0x70, 0xff, 0xff, 0xff, 0xff), bytes.subarray(at + 1)]);
}

/** The frame's start with its sizes 4 larger. */
function lengthened(start: Uint8Array): Uint8Array {
  const bytes = start.slice();
  const view = new DataView(bytes.buffer);
  view.setUint32(0, view.getUint32(0) + 4);
  // Frame header 8, descriptor 3, list32 code: the list's size is at 12.
  view.setUint32(12, view.getUint32(12) + 4);
  return bytes;
}

test('what is kept of an ATTACH keeps nothing else of what the socket read, also when that was a buffer of Node', () => {
  const pair = new ConnectionPair();
  pair.pump();
  const session = pair.client.openSession();
  pair.pump();
  session.attachOutgoing('l', ...termini());
  const read = Buffer.concat([drainBytes(pair.client)]);
  pair.server.receive(read, 0);
  const [link] = pair.serverHandler.links;
  assert.ok(link.remote !== undefined);
  for (const { encoded } of [link.remote.source, link.remote.target]) assert.equal(encoded.buffer.byteLength, encoded.length);
});

test('acceptances of one turn leave in one frame, and before the end of their link', () => {
  const { pair, link, outcomes } = sending();
  const held: IncomingDelivery[] = [];
  const offered = pair.serverHandler.links[0] as IncomingLink;
  offered.sink = { transfer: (delivery) => held.push(delivery), aborted: () => {}, senderSettled: () => {} };
  for (let index = 0; index < 6; index++) send(link, outcomes, 'x');
  pair.pump();
  drainBytes(pair.server);
  // 4 2 3 0 are told as 0 and 2 to 4.
  for (const index of [4, 2, 3, 0]) held[index]?.update(DeliveryState.accepted, true);
  assert.equal(pair.server.hasTransmit, true);
  const one = new ConnectionPair();
  encodeDisposition(one.server.writer, true, 2, 4, true, DeliveryState.accepted, 0, undefined);
  const range = one.server.writer.take();
  const bytes = drainBytes(pair.server);
  assert.ok(Buffer.from(bytes).includes(range), 'one frame for 2 to 4');
  assert.ok(bytes.length < 2 * (range.length + 8) + 1, `${bytes.length} octets for two frames`);
  pair.client.receive(bytes, 0);
  assert.deepEqual(outcomes.states, [DeliveryState.accepted, DeliveryState.accepted, DeliveryState.accepted, DeliveryState.accepted]);
  held[5]?.update(DeliveryState.accepted, true);
  offered.detach();
  pair.pump();
  assert.deepEqual(outcomes.states.slice(4), [DeliveryState.accepted, 'lost']);
});

test('an acceptance that may wait leaves with what is sent next, before it, and after some milliseconds alone', () => {
  const { pair, link, outcomes } = sending();
  const held: IncomingDelivery[] = [];
  const offered = pair.serverHandler.links[0] as IncomingLink;
  offered.sink = { transfer: (delivery) => held.push(delivery), aborted: () => {}, senderSettled: () => {} };
  for (let index = 0; index < 4; index++) send(link, outcomes, 'x');
  pair.pump();
  drainBytes(pair.server);
  const { server } = pair;
  const accept = (index: number, mayWait: boolean): void => held[index]?.update(DeliveryState.accepted, true, 0, undefined, mayWait);
  const told = (): number => {
    pair.client.receive(drainBytes(server), 0);
    return outcomes.states.length;
  };
  accept(0, true);
  assert.equal(server.hasTransmit, false);
  const dueMs = server.nextDeadlineMs();
  assert.ok(dueMs > 0 && dueMs <= 10, `${dueMs} ms`);
  server.handleTimeout(dueMs);
  assert.deepEqual([server.hasTransmit, told()], [true, 1]);
  assert.ok(server.nextDeadlineMs() > 10, 'nothing is left to tell');

  accept(1, true);
  accept(2, false);
  assert.deepEqual([server.hasTransmit, told()], [true, 3], 'one that is waited for takes the others with it');

  accept(3, true);
  server.writeTransfer(0, 0, 0, true, new Uint8Array(4), 0, 4, false);
  const bytes = Buffer.from(drainBytes(server));
  const one = new ConnectionPair();
  encodeDisposition(one.server.writer, true, 3, 3, true, DeliveryState.accepted, 0, undefined);
  // Behind the length of its frame.
  assert.equal(bytes.indexOf(one.server.writer.take()), 8);

  const last = sending();
  const lastHeld: IncomingDelivery[] = [];
  (last.pair.serverHandler.links[0] as IncomingLink).sink = {
    transfer: (delivery) => lastHeld.push(delivery),
    aborted: () => {},
    senderSettled: () => {},
  };
  send(last.link, last.outcomes, 'x');
  last.pair.pump();
  lastHeld[0]?.update(DeliveryState.accepted, true, 0, undefined, true);
  last.pair.server.lost('gone');
  assert.deepEqual([last.pair.server.hasTransmit, last.pair.server.nextDeadlineMs()], [false, Infinity]);
});
