import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ControlValue } from './control-message.ts';
import { RoutingEngine, type RoutingOptions } from './engine.ts';
import { helloExtension, parseHelloExtension, roundTripOf, withHelloExtension } from './hello-extension.ts';
import { fastDetectionTimers, limits } from './limits.ts';
import { PathSchedule } from './path-schedule.ts';
import { simulatedTrust } from './simulated-trust.ts';
import { TestNetwork, type SentMessage } from './test-network.ts';

const isHello = ({ message }: SentMessage): boolean => message.opcode === 'HELLO';

/** Routers in a ring; the numbers of its links, the first between the first two. */
function ring(ids: readonly string[], options: Partial<RoutingOptions> = {}): { network: TestNetwork; links: number[] } {
  const network = new TestNetwork();
  for (const id of ids) network.router(id, options);
  const links = ids.map((id, index) => network.connect(id, ids[(index + 1) % ids.length]));
  network.run(12_000);
  return { network, links };
}

function losses(network: TestNetwork, routerId: string): number {
  return (network.events.get(routerId) ?? []).filter(({ type }) => type === 'neighbourDown').length;
}

for (const [profile, timers, intervalMs, limitMs] of [
  ['default', {}, 250, 1_250],
  ['fast', fastDetectionTimers, 80, 350],
] as const) {
  test(`${profile} detection: HELLO each ${intervalMs} ms, and a silent link is left within ${limitMs} ms at both ends`, () => {
    for (let phase = 0; phase < 12; phase++) {
      const { network } = ring(['a', 'b', 'c'], { timers });
      const before = network.sent.filter((sent) => isHello(sent) && sent.from === 'a' && sent.to === 'b').length;
      network.run(100 * intervalMs);
      const hellos = network.sent.filter((sent) => isHello(sent) && sent.from === 'a' && sent.to === 'b').length - before;
      assert.ok(hellos >= 99 && hellos <= 101, `${hellos} HELLOs`);
      assert.equal(losses(network, 'a'), 0);
      network.run((phase * intervalMs) / 12);
      network.lose = ({ from, to }) => from + to === 'ab' || from + to === 'ba';
      const leftMs = network.runUntil(() => network.cost('a', 'b') === 2 && network.cost('b', 'a') === 2, limitMs);
      assert.ok(leftMs <= limitMs, `left after ${leftMs} ms`);
    }
  });

  test(`${profile} detection: a link that is deaf in one direction is left by both ends within ${limitMs} ms, and used again when it hears`, () => {
    const { network } = ring(['a', 'b', 'c'], { timers });
    network.lose = ({ from, to }) => from + to === 'ab';
    const leftMs = network.runUntil(() => network.cost('a', 'b') === 2 && network.cost('b', 'a') === 2, limitMs);
    assert.ok(leftMs <= limitMs);
    network.run(1_000);
    network.lose = () => false;
    network.runUntil(() => network.cost('a', 'b') === 1 && network.cost('b', 'a') === 1, 2 * intervalMs);
  });
}

test('of two periods the receiver grants the longer', () => {
  const network = new TestNetwork();
  network.router('fast', { timers: fastDetectionTimers });
  network.router('default');
  network.connect('fast', 'default');
  network.run(60_000);
  assert.deepEqual([losses(network, 'fast'), losses(network, 'default')], [0, 0]);
});

test('a link that stays silent is reported dead after twice the age, and only once', () => {
  const network = new TestNetwork();
  network.router('a');
  network.router('b');
  const link = network.connect('a', 'b');
  network.run(2_000);
  network.lose = () => true;
  network.run(1_700);
  const dead = (): unknown[] => (network.events.get('a') ?? []).filter(({ type }) => type === 'linkDead');
  assert.deepEqual(dead(), []);
  network.run(400);
  assert.deepEqual(dead(), [{ type: 'linkDead', routerId: 'b', link }]);
  network.run(20_000);
  assert.equal(dead().length, 1);
});

/** An engine `a` that hears `b` on link 1 each 300 ms until 3,000 ms. */
function hearing(): { engine: RoutingEngine; hear: (nowMs: number) => void } {
  const engine = new RoutingEngine({ routerId: 'a', instance: 1 });
  const drain = (): void => {
    while (engine.nextTransmit() !== undefined) continue;
    engine.nextDeadlineMs();
  };
  const hear = (nowMs: number): void => {
    const body = new Map<string, ControlValue>([
      ['id', 'b'],
      ['pv', 1],
      ['instance', 1],
      ['seen', ['a']],
    ]);
    const message = { to: 'amqp:/_local/qdhello', opcode: 'HELLO', ingress: '0/b', trace: ['0/b'] };
    engine.receive(1, { ...message, body: withHelloExtension(body, helloExtension(300, nowMs, undefined)) }, nowMs);
    drain();
  };
  engine.linkUp(1, 1, 0);
  drain();
  for (let nowMs = 0; nowMs <= 3_000; nowMs += 10) {
    if (nowMs % 300 === 0) hear(nowMs);
    if (engine.nextDeadlineMs() <= nowMs) engine.handleTimeout(nowMs);
    drain();
  }
  assert.equal(engine.table.routers.size, 1);
  return { engine, hear };
}

test('after a standstill of this process a neighbour gets one more period to be heard', () => {
  for (const heardAfterMs of [1, 299]) {
    const { engine, hear } = hearing();
    engine.handleTimeout(9_000);
    assert.equal(engine.table.routers.size, 1);
    hear(9_000 + heardAfterMs);
    engine.handleTimeout(9_900);
    assert.equal(engine.table.routers.size, 1, 'what had waited to be read was in time');
  }
  const { engine } = hearing();
  engine.handleTimeout(9_000);
  engine.nextDeadlineMs();
  engine.handleTimeout(9_300);
  assert.equal(engine.table.routers.size, 0, 'and no longer');
});

test('without a standstill a silent neighbour is lost after its age', () => {
  const { engine } = hearing();
  for (let nowMs = 3_010; nowMs < 4_200; nowMs += 10) {
    engine.handleTimeout(nowMs);
    assert.equal(engine.table.routers.size, 1);
    engine.nextDeadlineMs();
  }
  engine.handleTimeout(4_200);
  assert.equal(engine.table.routers.size, 0);
});

test('a process that stands still for a moment again and again loses no neighbour', () => {
  const { network } = ring(['a', 'b', 'c']);
  for (let count = 0; count < 20; count++) {
    network.stall('a', 700);
    network.run(2_000 + count * 13);
  }
  for (const id of ['a', 'b', 'c']) assert.equal(losses(network, id), 0, id);
});

test('a slow link is given more time, by the round trips that HELLO measures', () => {
  const network = new TestNetwork();
  network.router('a');
  network.router('b');
  network.connect('a', 'b', 1, 600);
  network.run(20_000);
  network.lose = () => true;
  network.run(3_000);
  assert.equal(losses(network, 'a'), 0, 'three seconds are two lost packets on such a link');
  network.run(4_000);
  assert.equal(losses(network, 'a'), 1);
});

test('the extension of HELLO: bounds, foreign keys, and echoes across the wrap of the clock', () => {
  const fields = helloExtension(300, 2 ** 30 + 5.7, 2 ** 31 + 3);
  assert.deepEqual([...fields], [
    ['v', 1],
    ['interval', 300],
    ['sent', 5],
    ['echo', 3],
  ]); // prettier-ignore
  fields.set('other', 'kept');
  const body = (extension: ControlValue): Map<string, ControlValue> => new Map([['caravan', extension]]);
  const parsed = parseHelloExtension(body(fields));
  assert.deepEqual([parsed?.intervalMs, parsed?.sentMs, parsed?.echoMs, parsed?.fields.get('other')], [300, 5, 3, 'kept']);
  for (const [key, value] of [
    ['v', 2],
    ['interval', 19],
    ['interval', 10_001],
    ['interval', '300'],
  ] as const) {
    assert.equal(parseHelloExtension(body(new Map<string, ControlValue>([...fields, [key, value]]))), undefined, `${key} ${value}`);
  }
  assert.equal(parseHelloExtension(body('text')), undefined);
  assert.equal(parseHelloExtension(new Map()), undefined);
  assert.equal(roundTripOf(2 ** 30 - 10, 2 ** 30 + 15), 25);
  assert.equal(roundTripOf(100, 60), undefined, 'an echo from the future');
  assert.equal(roundTripOf(0, 40_000), undefined);
});

test('paths are computed at once after quiet, then with growing pauses, and at once when it is urgent', () => {
  const schedule = new PathSchedule();
  const signing = new PathSchedule();
  const runsAt = (fromMs: number, toMs: number): number[] => {
    const runs: number[] = [];
    for (let nowMs = fromMs; nowMs < toMs; nowMs++) if (schedule.take(false, true, 10_000, nowMs)) runs.push(nowMs - fromMs);
    return runs;
  };
  assert.equal(runsAt(0, 10_000).length, 10_000, 'a router that has just started learns');
  assert.deepEqual(
    [0, 1, 20, 21, 120].map((nowMs) => signing.take(false, false, 10_000, nowMs)),
    [true, false, true, false, true],
  );
  assert.deepEqual(runsAt(20_000, 80_000).slice(0, 8), [0, 20, 120, 620, 2_620, 7_620, 12_620, 17_620]);
  assert.equal(schedule.take(false, true, 10_000, 80_000), false);
  assert.equal(schedule.take(true, true, 10_000, 80_000), true);
  assert.deepEqual(runsAt(80_001, 91_000), [99, 5_099, 10_099], 'what others say of the same loss follows soon');
  assert.deepEqual(runsAt(101_000, 101_200), [0, 20, 120], 'quiet');
  assert.deepEqual(runsAt(102_200, 102_400), [0, 20, 120], 'a short burst is soon forgotten');
});

test('what is pressing is computed 100 ms after the last computation at the latest, or 300 ms in a network without rest', () => {
  const fresh = new PathSchedule();
  for (const nowMs of [0, 20, 120]) assert.ok(fresh.take(false, false, 10_000, nowMs));
  fresh.hasten(0);
  assert.equal(fresh.dueMs, 220);
  const schedule = new PathSchedule();
  for (let nowMs = 0; nowMs < 10_000; nowMs += 10) schedule.take(false, false, 10_000, nowMs);
  assert.ok(schedule.dueMs > 11_000);
  schedule.hasten(0);
  assert.equal(schedule.dueMs, 7_920);
  schedule.take(true, false, 10_000, 10_000);
  assert.equal(schedule.dueMs, 10_100, 'what others say of the same loss');
});

test('a router that is restarted while the network does not come to rest is reached again at once', () => {
  const { network, links } = ring(['a', 'b', 'c', 'd', 'e']);
  let [, , , flapping] = links;
  for (let round = 0; round < 12; round++) {
    network.kill('b');
    network.run(700);
    network.router('b', { instance: 1_700_000_001 + round });
    const [left, right] = [network.connect('a', 'b'), network.connect('b', 'c')];
    assert.ok(left > 0 && right > 0);
    const reachedMs = network.runUntil(() => network.cost('d', 'b') !== undefined && network.cost('e', 'b') !== undefined, 1_500);
    assert.ok(reachedMs <= 1_500, `round ${round}: ${reachedMs} ms`);
    network.cut(flapping);
    network.run(300);
    flapping = network.connect('d', 'e');
    network.run(2_000);
  }
});

test('a neighbour that comes back while it is believed to be reached by others is reached directly again at once', () => {
  const network = new TestNetwork();
  for (const id of ['a1', 'a2', 'b1', 'b2']) network.router(id);
  for (const [from, to] of [
    ['a1', 'b1'],
    ['a1', 'b2'],
    ['a2', 'b1'],
    ['a2', 'b2'],
  ] as const)
    network.connect(from, to);
  network.run(12_000);
  // Each of b1 and b2 loses the way to a1 and believes for a moment in that of the other.
  for (let round = 0; round < 12; round++) {
    network.kill('a1');
    network.run(600);
    network.router('a1', { instance: 1_700_000_001 + round });
    for (const to of ['b1', 'b2']) network.connect('a1', to);
    const directMs = network.runUntil(() => network.cost('b1', 'a1') === 1 && network.cost('b2', 'a1') === 1, 10_000);
    // Its links are held back for a second, because they come and go.
    assert.ok(directMs <= 1_250, `round ${round}: ${directMs} ms`);
    network.run(6_000);
  }
});

interface Computations {
  readonly most: number;
  readonly total: number;
}

function computationsOf(network: TestNetwork, run: () => void): Computations {
  const before = new Map([...network.engines].map(([id, engine]) => [id, engine.status().pathComputations]));
  run();
  const counts = [...network.engines].map(([id, engine]) => engine.status().pathComputations - (before.get(id) ?? 0));
  return { most: Math.max(...counts), total: counts.reduce((sum, count) => sum + count, 0) };
}

test('a link that flaps for a minute costs each router at most 20 computations, and other paths nothing', () => {
  const { network, links } = ring(['a', 'b', 'c', 'd', 'e']);
  let [flapping] = links;
  const { most } = computationsOf(network, () => {
    for (let toggle = 0; toggle < 150; toggle++) {
      network.cut(flapping);
      network.run(200);
      assert.deepEqual([network.cost('c', 'd'), network.cost('d', 'e'), network.cost('c', 'e')], [1, 1, 2]);
      assert.ok((network.cost('a', 'b') ?? Infinity) <= 4, 'there is always a way');
      flapping = network.connect('a', 'b');
      network.run(200);
    }
  });
  console.log(`# a link flaps each 200 ms for 60 s: at most ${most} computations per router`);
  assert.ok(most <= 20, `${most} computations`);
  network.run(9_000);
  assert.deepEqual([network.cost('a', 'b'), network.cost('b', 'a')], [1, 1], 'used again once it has stood for a while');
  network.run(31_000);
  network.cut(flapping);
  network.run(1_100);
  network.connect('a', 'b');
  network.run(50);
  assert.equal(network.cost('a', 'b'), 1, 'after half a minute of quiet nothing is held back');
});

test('a link with another way around it costs each router at most 20 computations a minute, however often it goes', () => {
  for (const [upMs, downMs] of [
    [100, 100],
    [1_000, 100],
    [2_000, 1_500],
    [4_000, 1_000],
    [6_000, 300],
    [6_800, 200],
    [7_000, 2_000],
  ] as const) {
    const { network, links } = ring(['a', 'b', 'c', 'd', 'e']);
    let [flapping] = links;
    const { most } = computationsOf(network, () => {
      for (let passedMs = 0; passedMs < 60_000; passedMs += upMs + downMs) {
        network.cut(flapping);
        network.run(downMs);
        flapping = network.connect('a', 'b');
        network.run(upMs);
      }
    });
    assert.ok(most <= 20, `${most} computations with ${upMs} ms up, ${downMs} ms down`);
  }
});

test('a link with another way around it, which is back at once, is used again a second later; the only way, at once', () => {
  const { network, links } = ring(['a', 'b', 'c']);
  const [first] = links;
  network.router('leaf');
  const only = network.connect('a', 'leaf');
  network.run(12_000);
  for (const cable of [first, only]) network.cut(cable);
  network.run(200);
  network.connect('a', 'b');
  network.connect('a', 'leaf');
  network.runUntil(() => network.cost('c', 'leaf') === 2, 500);
  assert.equal(network.cost('a', 'b'), 2);
  network.runUntil(() => network.cost('a', 'b') === 1 && network.cost('b', 'a') === 1, 1_050);
});

/** A square of 36 routers with 60 links, of which 20 come and go at random: each 0.4 s on average. */
class RestlessSquare {
  readonly network = new TestNetwork();
  readonly wires: [string, string][] = [];
  readonly cables: number[];
  readonly flapping = new Set<number>();
  readonly #down = new Set<number>();
  readonly #random: () => number;

  constructor(seed: number, signs: boolean) {
    const { network, wires, flapping } = this;
    const authority = simulatedTrust(1);
    const id = (x: number, y: number): string => `r${x}${y}`;
    for (let x = 0; x < 6; x++) {
      for (let y = 0; y < 6; y++) {
        network.router(id(x, y), signs ? { trust: authority.router({ routerId: id(x, y), epoch: 1 }) } : {});
        if (x > 0) wires.push([id(x - 1, y), id(x, y)]);
        if (y > 0) wires.push([id(x, y - 1), id(x, y)]);
      }
    }
    this.cables = wires.map(([a, b]) => network.connect(a, b));
    network.run(12_000);
    let state = seed;
    this.#random = (): number => (state = (state * 48_271) % 0x7fff_ffff) / 0x7fff_ffff;
    while (flapping.size < 20) flapping.add(Math.floor(this.#random() * wires.length));
  }

  flap(forMs: number): void {
    const { network, cables, wires } = this;
    for (let tick = 0; tick < forMs / 100; tick++) {
      for (const wire of this.flapping) {
        if (this.#random() > 0.25) continue;
        if (this.#down.delete(wire)) cables[wire] = network.connect(...wires[wire]);
        else {
          network.cut(cables[wire]);
          this.#down.add(wire);
        }
      }
      network.run(100);
    }
  }
}

for (const [seed, signs] of [
  [12_345, true],
  [7, true],
  [12_345, false],
] as const) {
  test(`links that flap at random all over a network cost each router at most 20 computations a minute: ${signs ? 'signed' : 'unsigned'}, ${seed}`, () => {
    const square = new RestlessSquare(seed, signs);
    const { network, wires } = square;
    const { most, total } = computationsOf(network, () => square.flap(60_000));
    const average = total / network.engines.size;
    console.log(`# 20 of ${wires.length} links flap: at most ${most} computations per router, ${average.toFixed(1)} on average`);
    assert.ok(most <= 20, `${most} computations`);
    // What flaps is down for everybody: so the loss of another link is news, and acted upon at once.
    network.cut(square.cables[wires.findIndex((_, wire) => !square.flapping.has(wire))]);
    const leftMs = network.runUntil(() => agree(network, wires), signs ? 150 : 1_000);
    console.log(`# another link is left by all after ${leftMs} ms`);
  });
}

/** Whether all routers have the shortest ways over the links that both ends use. */
function agree(network: TestNetwork, wires: readonly (readonly [string, string])[]): boolean {
  const used = wires.filter(([a, b]) => network.cost(a, b) === 1 && network.cost(b, a) === 1);
  return [...network.engines].every(([routerId, { table }]) => {
    const hops = new Map([[routerId, 0]]);
    for (const [at, distance] of hops) {
      for (const ends of used) {
        const next = ends[0] === at ? ends[1] : ends[1] === at ? ends[0] : at;
        if (!hops.has(next)) hops.set(next, distance + 1);
      }
    }
    return [...network.engines.keys()].every((other) => other === routerId || table.routers.get(other)?.cost === hops.get(other));
  });
}

test('the only way to a neighbour is held back for two seconds at most', () => {
  const network = new TestNetwork();
  network.router('a');
  network.router('b');
  let link = network.connect('a', 'b');
  network.run(12_000);
  const { most } = computationsOf(network, () => {
    for (let toggle = 0; toggle < 150; toggle++) {
      network.cut(link);
      network.run(200);
      link = network.connect('a', 'b');
      network.run(200);
    }
  });
  assert.ok(most <= 20, `${most} computations`);
  network.runUntil(() => network.cost('a', 'b') === 1 && network.cost('b', 'a') === 1, 2_100);
});

test('a router that discourages transit is left by what passes through it, and stays reachable', () => {
  const network = new TestNetwork();
  for (const id of ['a', 'b', 'c', 'd']) network.router(id);
  network.connect('a', 'b');
  network.connect('b', 'c');
  network.connect('a', 'd', 5);
  network.connect('d', 'c', 5);
  network.run(12_000);
  assert.equal(network.engine('a').table.routers.get('c')?.nextHop, 'b');
  network.engine('b').discourageTransit(network.nowMs);
  network.run(50);
  assert.deepEqual([network.engine('a').table.routers.get('c')?.nextHop, network.cost('a', 'c')], ['d', 10]);
  assert.deepEqual([network.cost('a', 'b'), network.cost('c', 'b')], [1, 1]);
  assert.equal(network.engine('b').table.routers.get('c')?.nextHop, 'c');
  assert.ok((network.cost('b', 'a') ?? 0) > limits.transitDiscouragement);
});
