import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeLink, deleteLink, dumpLinks, getLink } from './link-message.ts';
import { type NetlinkRequest, decodeMessages, encodeRequests } from './message.ts';
import { NetlinkError } from './netlink-error.ts';
import { NetlinkSocket, maxRequestsPerSend } from './netlink-socket.ts';
import type { SocketCalls } from './socket-calls.ts';

/** The kernel's side of a socket: `answer` gives the datagrams for what was sent. */
function scriptedCalls(answer: (sent: Uint8Array) => readonly (Uint8Array | NetlinkError)[]): { calls: SocketCalls; closed: number[] } {
  const queue: (Uint8Array | NetlinkError)[] = [];
  const closed: number[] = [];
  const unused = (): never => assert.fail('not used here');
  const calls: SocketCalls = {
    netlinkSocket: () => 7,
    setOption() {},
    send(_socket, bytes) {
      queue.push(...answer(bytes));
    },
    async sendAway(_socket, bytes) {
      await Promise.resolve();
      queue.push(...answer(bytes));
    },
    receive(_socket, buffer) {
      const next = queue.shift();
      if (next === undefined) return undefined;
      if (next instanceof NetlinkError) throw next;
      buffer.set(next.subarray(0, buffer.length));
      return next.length;
    },
    setEthtoolValueAway: unused,
    getEthtoolValue: unused,
    ethtool: unused,
    ethtoolAway: unused,
    featureNames: unused,
    enterNetworkNamespace: unused,
    unshareNetworkNamespace: unused,
    mount: unused,
    unmount: unused,
    close(descriptor) {
      closed.push(descriptor);
    },
  };
  return { calls, closed };
}

function message(type: number, sequence: number, body: Uint8Array, flags = 0): Uint8Array {
  const bytes = encodeRequests([{ type, flags, body, what: '' }], sequence, 0);
  new DataView(bytes.buffer).setUint16(6, flags, true);
  return bytes;
}

function acknowledgement(sequence: number, errorNumber = 0): Uint8Array {
  const body = new Uint8Array(20);
  new DataView(body.buffer).setInt32(0, -errorNumber, true);
  return message(2, sequence, body);
}

function done(sequence: number, flags = 2): Uint8Array {
  return message(3, sequence, new Uint8Array(4), flags);
}

function link(sequence: number, index: number, flags = 2): Uint8Array {
  const body = new Uint8Array(16);
  new DataView(body.buffer).setInt32(4, index, true);
  return message(16, sequence, body, flags);
}

const sequences = (sent: Uint8Array): number[] => decodeMessages(sent).map(({ sequence }) => sequence);
const failed = (code: string) => (error: unknown) => error instanceof NetlinkError && error.code === code;

test('each request of a send has its own outcome, whatever the order and grouping of the answers', () => {
  const { calls, closed } = scriptedCalls((sent) => {
    const [first = 0, second = 0, third = 0] = sequences(sent);
    // An answer to something older comes in between, and two answers in one datagram.
    return [
      acknowledgement(third, 19),
      Buffer.concat([acknowledgement(first - 1, 1), link(second, 5, 0)]),
      acknowledgement(second),
      acknowledgement(first),
    ];
  });
  using socket = new NetlinkSocket(calls);
  const outcomes = socket.exchange([deleteLink(4), getLink(5), deleteLink(6)]);
  assert.deepEqual(
    outcomes.map(({ error }) => error?.code),
    [undefined, undefined, 'netlink-missing'],
  );
  assert.match(outcomes[2]?.error?.message ?? '', /^deleting link 6: /);
  assert.equal(outcomes[1]?.replies.map(decodeLink)[0]?.index, 5);
  socket.close();
  socket.close();
  assert.deepEqual(closed, [7]);
});

test('run throws the first error, also of a send on another thread', async () => {
  const { calls } = scriptedCalls((sent) =>
    sequences(sent).map((sequence, index) => acknowledgement(sequence, index === 0 ? 0 : 16 + index)),
  );
  using socket = new NetlinkSocket(calls);
  assert.throws(() => socket.run([deleteLink(1), deleteLink(2), deleteLink(3)]), failed('netlink-exists'));
  await assert.rejects(socket.runAway([deleteLink(1), deleteLink(2)]), failed('netlink-exists'));
  const away = socket.exchangeAway([deleteLink(1)]);
  assert.throws(() => socket.exchange([deleteLink(2)]), /bug: a netlink socket is used that is away/);
  assert.throws(() => socket.close(), /bug/);
  await away;
});

test('lost answers are an error, never a wait', () => {
  const { calls } = scriptedCalls(() => []);
  using socket = new NetlinkSocket(calls);
  assert.throws(() => socket.run([deleteLink(1)]), failed('netlink-reply'));
  assert.throws(() => socket.dump(dumpLinks(), decodeLink), failed('netlink-reply'));

  const overflown = scriptedCalls(() => [new NetlinkError('netlink-resources', 'no buffer space', 105)]);
  using other = new NetlinkSocket(overflown.calls);
  assert.throws(() => other.run([deleteLink(1)]), failed('netlink-resources'));

  const large = scriptedCalls(() => [new Uint8Array(64 * 1024 + 1)]);
  using third = new NetlinkSocket(large.calls);
  assert.throws(() => third.run([deleteLink(1)]), failed('netlink-reply'));
});

test('a table that changed while it was read is read again, and given up after some times', () => {
  let tries = 0;
  const interrupted = 0x12;
  const steady = scriptedCalls((sent) => {
    const [sequence = 0] = sequences(sent);
    tries++;
    return [Buffer.concat([link(sequence, 1), link(sequence, 2)]), link(sequence, 3, tries < 3 ? interrupted : 2), done(sequence)];
  });
  using socket = new NetlinkSocket(steady.calls);
  assert.deepEqual(
    socket.dump(dumpLinks(), decodeLink).map(({ index }) => index),
    [1, 2, 3],
  );
  assert.equal(tries, 3);

  const restless = scriptedCalls((sent) => [done(sequences(sent)[0] ?? 0, interrupted)]);
  using other = new NetlinkSocket(restless.calls);
  assert.throws(() => other.dump(dumpLinks(), decodeLink), failed('netlink-reply'));
});

test('a dump that is refused, or ends with an error, says so', () => {
  const refused = scriptedCalls((sent) => [acknowledgement(sequences(sent)[0] ?? 0, 95)]);
  using socket = new NetlinkSocket(refused.calls);
  assert.throws(() => socket.dump(dumpLinks(), decodeLink), failed('netlink-unsupported'));
});

test('a table of more entries than the limit ends the dump, and the socket works on', () => {
  const perDatagram = 1024;
  const { calls } = scriptedCalls((sent) => {
    const { type, sequence } = decodeMessages(sent)[0] ?? assert.fail();
    if (type === 17) return [acknowledgement(sequence)];
    const datagram = Buffer.concat(Array.from({ length: perDatagram }, (_, index) => link(sequence, index + 1)));
    return [...Array.from({ length: 65 }, () => datagram), done(sequence)];
  });
  using socket = new NetlinkSocket(calls);
  assert.equal(socket.dump(dumpLinks(), (reply) => (decodeLink(reply)?.index === 1 ? true : undefined)).length, 65);
  assert.throws(() => socket.dump(dumpLinks(), decodeLink), failed('netlink-reply'));
  socket.run([deleteLink(1)]);
});

test('as many requests as the limit in a send, one more is a bug', () => {
  const { calls } = scriptedCalls((sent) => sequences(sent).map((sequence) => acknowledgement(sequence)));
  using socket = new NetlinkSocket(calls);
  const requests = (count: number): NetlinkRequest[] => Array.from({ length: count }, () => deleteLink(1));
  assert.equal(socket.run(requests(maxRequestsPerSend)).length, maxRequestsPerSend);
  assert.throws(() => socket.run(requests(maxRequestsPerSend + 1)), /bug/);
  assert.throws(() => socket.run([]), /bug/);
});
