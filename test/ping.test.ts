import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InquiryAnswerer } from '../src/services/inquiry/inquiry-answerer.ts';
import { Inquiry } from '../src/services/inquiry/inquiry.ts';
import type { InquiryEnd } from '../src/services/inquiry/inquiry.ts';
import { noFields } from '../src/services/inquiry/inquiry-message.ts';
import { pingAnswerer, pingName } from '../src/services/ping/ping-answer.ts';
import { PingRounds } from '../src/services/ping/ping-rounds.ts';
import type { PingResult } from '../src/services/ping/ping-try.ts';
import { VirtualNetwork } from '../src/sim/virtual-network.ts';
import type { VirtualRouter } from '../src/sim/virtual-router.ts';

/** Routers in a line that answer pings, all of them known to the first. */
function line(seed: number, length: number): { network: VirtualNetwork; routers: VirtualRouter[]; cut: (index: number) => void } {
  const network = new VirtualNetwork(seed);
  const routers = Array.from({ length }, (_, index) => network.router(`r${index}`));
  const links = routers.slice(1).map((router, index) => network.link(routers[index], router));
  for (const router of routers) answerPings(router);
  network.runUntil(() => routers[0].control.forwarder.table.routers.size === length - 1, 10_000);
  return { network, routers, cut: (index) => links[index].break(() => 0) };
}

function answerPings(router: VirtualRouter): void {
  const { forwarder } = router.control;
  forwarder.addLocal(
    pingName,
    pingAnswerer(forwarder, '1.2.3', () => router.nowMs()),
  );
}

/** Pings from `router`, woken as its owner would. */
function ping(network: VirtualNetwork, router: VirtualRouter, targets: readonly string[], count = 1): PingResult[] {
  const results: PingResult[] = [];
  const rounds = new PingRounds({
    forwarder: router.control.forwarder,
    nowMs: () => router.nowMs(),
    targets: targets.map((routerId) => ({ routerId, way: [] })),
    count,
    intervalMs: 1000,
    timeoutMs: 2000,
    isForeign: () => false,
    ended: (result) => results.push(result),
  });
  for (let steps = 0; !rounds.isDone && steps < 1000; steps++) {
    if (rounds.nextDeadlineMs() <= router.nowMs()) rounds.handleTimeout(router.nowMs());
    router.touch();
    network.run(20);
  }
  return results;
}

test('an answer tells the routers on the way and how long it takes to each of them', () => {
  const { network, routers } = line(1, 4);
  const [result] = ping(network, routers[0], ['r3']);
  assert.equal(result?.outcome, 'answered');
  assert.deepEqual(
    result.hops.map(({ routerId, outcome }) => [routerId, outcome]),
    [
      ['r1', 'answered'],
      ['r2', 'answered'],
      ['r3', 'answered'],
    ],
  );
  assert.deepEqual([result.wayBack, result.version], [['r3', 'r2', 'r1'], '1.2.3']);
  const times = result.hops.map(({ roundTripMs }) => roundTripMs ?? Number.NaN);
  assert.ok(times[0] > 0 && times[1] > times[0] && times[2] > times[1], String(times));
  for (const { control } of routers) assert.equal(control.forwarder.temporaryAddresses, 0);
});

test('a router pings itself, and what there is not cannot be pinged', () => {
  const { network, routers } = line(2, 2);
  const results = ping(network, routers[0], ['r0', 'nobody']);
  assert.deepEqual(
    results.map(({ routerId, outcome, hops }) => [routerId, outcome, hops.length]),
    [
      ['r0', 'answered', 1],
      ['nobody', 'no-way', 1],
    ],
  );
  routers[1].control.forwarder.removeLocal(pingName);
  assert.deepEqual(
    ping(network, routers[0], ['r1']).map(({ outcome }) => outcome),
    ['unable'],
  );
});

test('after a cut pings are lost or have no way, and say which hop still answers', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { network, routers, cut } = line(seed, 4);
    network.nodes[0].after(1500, () => cut(1));
    const results = ping(network, routers[0], ['r3'], 5);
    assert.deepEqual(
      results.map(({ sequence }) => sequence).toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5],
    );
    assert.equal(results[0].outcome, 'answered', `seed ${seed}`);
    const last = results.at(-1);
    assert.ok(last !== undefined && ['lost', 'no-way'].includes(last.outcome), `seed ${seed}: ${last?.outcome}`);
    assert.deepEqual(
      last.hops.map(({ routerId, outcome }) => [routerId, outcome === 'answered']),
      [
        ['r1', true],
        ['r2', false],
        ['r3', false],
      ],
      `seed ${seed}`,
    );
    assert.equal(routers[0].control.forwarder.temporaryAddresses, 0);
  }
});

test('who asks too often is refused, and others are not', () => {
  const { network, routers } = line(3, 3);
  const ends: InquiryEnd[] = [];
  for (let index = 0; index < 150; index++) ask(routers[0], 'r1', ends);
  network.run(1000);
  const refused = ends.filter((end) => end.outcome === 'refused' && end.isLimited);
  assert.deepEqual([ends.length, refused.length], [150, 50]);
  const others: InquiryEnd[] = [];
  ask(routers[2], 'r1', others);
  network.run(100);
  assert.equal(others[0]?.outcome, 'answered');
  network.run(3000);
  ask(routers[0], 'r1', others);
  network.run(100);
  assert.equal(others[1]?.outcome, 'answered');
});

function ask(router: VirtualRouter, routerId: string, ends: InquiryEnd[], name = pingName): Inquiry {
  const inquiry = new Inquiry({ forwarder: router.control.forwarder, routerId, name, body: noFields, ended: (end) => ends.push(end) });
  inquiry.start();
  router.touch();
  return inquiry;
}

test('an answer from another router than the one that was asked counts for nothing', () => {
  const { network, routers } = line(4, 3);
  const { forwarder } = routers[1].control;
  let replyTo = '';
  const silent = new InquiryAnswerer({
    forwarder,
    limits: { perSecond: 10, burst: 10, allPerSecond: 10, allBurst: 10 },
    nowMs: () => 0,
    answer: () => undefined,
  });
  forwarder.addLocal('silent', {
    deliver: (head, upstream, origin) => {
      replyTo = head.replyTo ?? '';
      return silent.deliver(head, upstream, origin);
    },
  });
  const ends: InquiryEnd[] = [];
  const waiting = ask(routers[0], 'r1', ends, 'silent');
  network.run(100);
  assert.equal(ends.length, 0);
  ask(routers[2], 'r0', ends, replyTo.slice(replyTo.lastIndexOf('/') + 1));
  network.run(100);
  assert.deepEqual(
    ends.map(({ outcome }) => outcome),
    ['refused'],
  );
  waiting.cancel();
  assert.equal(routers[0].control.forwarder.temporaryAddresses, 0);
});
