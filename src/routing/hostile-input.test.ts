import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { ControlMap, ControlMessage, ControlValue } from './control-message.ts';
import { RoutingEngine } from './engine.ts';
import { limits } from './limits.ts';
import { TestNetwork } from './test-network.ts';

/** An engine `a` with neighbour `b` on link 1 and an address of b. */
function neighbours(): RoutingEngine {
  const network = new TestNetwork();
  network.router('a');
  network.router('b');
  network.localAddress('b', 'Mbackend');
  network.connect('a', 'b');
  network.run(500);
  const engine = network.engine('a');
  assert.deepEqual([...engine.table.addresses.keys()], ['Mbackend']);
  return engine;
}

function message(to: string, opcode: string, body: Record<string, ControlValue> | ControlMap, from = 'b'): ControlMessage {
  const map = body instanceof Map ? (body as ControlMap) : new Map(Object.entries(body));
  return { to, opcode, body: map, ingress: `0/${from}`, trace: [`0/${from}`] };
}

function drain(engine: RoutingEngine): ControlMessage[] {
  const messages: ControlMessage[] = [];
  for (let out = engine.nextTransmit(); out !== undefined; out = engine.nextTransmit()) messages.push(out.message);
  while (engine.nextEvent() !== undefined) continue;
  return messages;
}

const scalars: fc.Arbitrary<ControlValue> = fc.oneof(
  fc.constantFrom<ControlValue>(
    null,
    true,
    -1,
    0,
    1,
    2,
    1.5,
    NaN,
    Infinity,
    2 ** 53,
    'a',
    'b',
    'c',
    '',
    '0/b',
    'Mx',
    'Tx',
    '__proto__',
    'x/y',
  ),
  fc.string(),
  fc.double(),
);
const values: fc.Arbitrary<ControlValue> = fc.letrec<{ value: ControlValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    scalars,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
  ),
})).value;
const keys = ['id', 'pv', 'area', 'instance', 'seen', 'ls_seq', 'mobile_seq', 'ls', 'peers', 'have_seq', 'add', 'del', 'exist', 'caravan'];
const bodies = fc
  .array(fc.tuple(fc.constantFrom(...keys), values), { maxLength: 10 })
  .map((entries): ControlMap => new Map<string, ControlValue>([['id', 'b'], ...entries]));
const addresses = fc.constantFrom(
  'amqp:/_local/qdhello',
  'amqp:/_topo/0/all/qdrouter',
  'amqp:/_topo/0/a/qdrouter',
  '_topo/0/all/qdrouter.ma',
  '_topo/0/a/qdrouter.ma',
  '_topo/0/c/qdrouter',
  '_topo/0/',
  '',
  'Mx',
);
const messages = fc.record({
  to: addresses,
  opcode: fc.constantFrom('HELLO', 'RA', 'LSR', 'LSU', 'MAR', 'MAU', 'XYZ', ''),
  body: bodies,
  ingress: fc.constantFrom(null, '0/b', '0/', 'b', '0/a'),
  trace: fc.array(fc.constantFrom('0/b', '0/a', '', '0/c', 'x'), { maxLength: 4 }),
});

test('no message throws, and none leaves the engine unable to work', () => {
  fc.assert(
    fc.property(fc.array(messages, { minLength: 1, maxLength: 20 }), (batch) => {
      const engine = neighbours();
      for (const [index, hostile] of batch.entries()) {
        engine.receive(1, hostile, 600 + index);
        engine.handleTimeout(600 + index);
        drain(engine);
        assert.ok(engine.nextDeadlineMs() > 600 + index);
      }
      assert.equal(engine.table.routers.get('b')?.cost, 1, 'what HELLO has established stands');
    }),
    { numRuns: 500 },
  );
});

/** Well-formed bodies, each of which one entry makes malformed. */
const wellFormed: [string, string, Record<string, ControlValue>][] = [
  ['amqp:/_local/qdhello', 'HELLO', { id: 'b', instance: 9, seen: ['a'] }],
  ['amqp:/_topo/0/all/qdrouter', 'RA', { id: 'b', instance: 9, ls_seq: 9, mobile_seq: 9 }],
  ['amqp:/_topo/0/a/qdrouter', 'LSU', { id: 'b', instance: 9, ls_seq: 9, ls: new Map<string, ControlValue>() }],
  ['amqp:/_topo/0/a/qdrouter.ma', 'MAU', { id: 'b', mobile_seq: 9, exist: [] }],
  ['amqp:/_topo/0/a/qdrouter.ma', 'MAR', { id: 'b', have_seq: 0 }],
];

test('a body with a missing or wrong entry is counted and changes nothing', () => {
  for (const [to, opcode, fields] of wellFormed) {
    for (const key of Object.keys(fields).filter((name) => name !== 'instance')) {
      for (const wrong of [undefined, null, true, 1.5, -1, 'text', new Map<string, ControlValue>([['id', 7]])]) {
        if (key === 'id' && wrong === 'text') continue;
        const engine = neighbours();
        const { table } = engine;
        const body = new Map(Object.entries(fields));
        if (wrong === undefined) body.delete(key);
        else body.set(key, wrong);
        engine.receive(1, message(to, opcode, body), 600);
        assert.deepEqual(drain(engine), [], `${opcode} ${key}`);
        assert.equal(engine.table, table);
        assert.equal(engine.status().ignored.get('malformed body'), 1, `${opcode} with ${key} ${JSON.stringify(wrong)}`);
      }
    }
  }
});

test('a MAU has either exist, or add and del', () => {
  const lists: Record<string, ControlValue>[] = [
    {},
    { add: [] },
    { del: [] },
    { exist: [], add: [] },
    { exist: [], del: [] },
    { add: [], del: 1 },
  ];
  for (const fields of lists) {
    const engine = neighbours();
    engine.receive(1, message('_topo/0/a/qdrouter.ma', 'MAU', { id: 'b', mobile_seq: 2, ...fields }), 600);
    assert.equal(engine.status().ignored.get('malformed body'), 1);
    assert.deepEqual([...engine.table.addresses.keys()], ['Mbackend']);
  }
});

test('only addresses of the classes M, N and H are learned, and none beyond the limit of length', () => {
  const engine = neighbours();
  const long = `M${'x'.repeat(limits.addressLength - 1)}`;
  const exist = [['Mok', 3], ['Nnet', 9], ['Hedge'], ['Tqdrouter', 3], ['Lqdhello', 3], ['M'], [long, 1], [`${long}x`, 1], 'Mx', [7]];
  engine.receive(1, message('_topo/0/a/qdrouter.ma', 'MAU', { id: 'b', mobile_seq: 2, exist }), 600);
  const learned = [...engine.table.addresses.values()].map(({ key, treatment }) => [key, treatment]);
  assert.deepEqual(learned, [
    ['Mok', 3],
    ['Nnet', 3],
    ['Hedge', 3],
    [long, 1],
  ]);
});

test('one router cannot announce more addresses than the limit', () => {
  const engine = neighbours();
  const exist = Array.from({ length: limits.addressesPerRouter + 1 }, (_, index) => [`M${index}`, 3]);
  engine.receive(1, message('_topo/0/a/qdrouter.ma', 'MAU', { id: 'b', mobile_seq: 2, exist }), 600);
  assert.equal(engine.table.addresses.size, limits.addressesPerRouter);
  assert.equal(engine.status().limitsReached.get('addressesPerRouter'), 1);
  engine.receive(1, message('_topo/0/a/qdrouter.ma', 'MAU', { id: 'b', mobile_seq: 3, exist: exist.slice(1) }), 600);
  assert.equal(engine.table.addresses.size, limits.addressesPerRouter, 'what has gone made room');
});

function linkState(id: string, sequence: number, peers: Iterable<[string, ControlValue]>): Record<string, ControlValue> {
  const ls = new Map<string, ControlValue>(Object.entries({ id, area: '0', ls_seq: sequence, peers: new Map(peers) }));
  return { id, ls_seq: sequence, ls };
}

test('a link state with too many peers is refused; one with as many as allowed cannot shut out routers that speak', () => {
  const engine = neighbours();
  const ghosts = Array.from({ length: limits.peersPerRouter + 1 }, (_, index): [string, ControlValue] => [`ghost${index}`, 1]);
  engine.receive(1, message('_topo/0/a/qdrouter', 'LSU', linkState('b', 50, ghosts)), 600);
  assert.equal(engine.status().ignored.get('malformed body'), 1);
  engine.receive(1, message('_topo/0/a/qdrouter', 'LSU', linkState('b', 51, ghosts.slice(1))), 600);
  assert.equal(engine.status().routers.length, limits.routers);
  assert.equal(engine.status().limitsReached.get('routers'), 1);
  engine.receive(1, message('_topo/0/all/qdrouter', 'RA', { id: 'real', instance: 4, ls_seq: 0, mobile_seq: 0 }), 700);
  assert.equal(engine.status().routers.length, limits.routers);
  assert.ok(engine.status().routers.some(({ routerId }) => routerId === 'real'));
  const { table } = engine;
  engine.receive(1, message('_topo/0/all/qdrouter', 'RA', { id: 'real', instance: 4, ls_seq: 0, mobile_seq: 0 }), 800);
  assert.equal(engine.table, table, 'nothing is computed anew for a router that is known');
});

test('a HELLO of another router than the one at the end of the link is refused', () => {
  const engine = new RoutingEngine({ routerId: 'a', instance: 1 });
  engine.linkUp(1, 1, 0, 'b');
  engine.receive(1, message('amqp:/_local/qdhello', 'HELLO', { id: 'mallory', instance: 1, seen: ['a'] }), 10);
  assert.equal(engine.table.neighbours.size, 0);
  assert.equal(engine.status().ignored.get('wrong peer on link'), 1);
  engine.receive(1, message('amqp:/_local/qdhello', 'HELLO', { id: 'b', instance: 1, seen: ['a'] }), 20);
  assert.deepEqual([...engine.table.neighbours], [[1, 'b']]);
});

test('HELLO that was passed on by another router is no HELLO', () => {
  const engine = new RoutingEngine({ routerId: 'a', instance: 1 });
  engine.linkUp(1, 1, 0);
  engine.receive(1, message('_topo/0/all/qdhello', 'HELLO', { id: 'far', instance: 1, seen: ['a'] }), 10);
  assert.equal(engine.table.neighbours.size, 0);
});

test('a router with the same id is reported once per instance, an echo of the own past is not', () => {
  const engine = neighbours();
  const duplicates = (): number => {
    let count = 0;
    for (let event = engine.nextEvent(); event !== undefined; event = engine.nextEvent())
      count += event.type === 'duplicateRouterId' ? 1 : 0;
    return count;
  };
  const advertisement = { id: 'a', ls_seq: 1, mobile_seq: 1 };
  const send = (instance: number, nowMs: number): void =>
    engine.receive(1, message('_topo/0/all/qdrouter', 'RA', { ...advertisement, instance }), nowMs);
  send(1_700_000_000, 600);
  send(1_699_999_999, 600);
  assert.equal(duplicates(), 0);
  send(1_700_000_001, 600);
  send(1_700_000_001, 700);
  assert.equal(duplicates(), 1);
  send(1_699_999_999, 60_000);
  assert.equal(duplicates(), 1);
});

test('a newer version of the protocol is reported once and not read', () => {
  const engine = neighbours();
  drain(engine);
  for (let turn = 0; turn < 3; turn++) {
    engine.receive(1, message('_topo/0/all/qdrouter', 'RA', { id: 'b', pv: 2, instance: 4, ls_seq: 90, mobile_seq: 90 }), 600);
  }
  assert.equal(engine.nextTransmit(), undefined);
  assert.deepEqual(engine.nextEvent(), { type: 'ignoredVersion', routerId: 'b', opcode: 'RA', version: 2 });
  assert.equal(engine.nextEvent(), undefined);
  engine.receive(1, message('_topo/0/a/qdrouter.ma', 'MAU', { id: 'b', pv: 2, mobile_seq: 2, exist: [] }), 600);
  assert.equal(engine.table.addresses.size, 0, 'version 2 is right for addresses');
});

test('the same question many times gets one answer', () => {
  const engine = neighbours();
  let answers = 0;
  for (let turn = 0; turn < 1000; turn++) {
    engine.receive(1, message('_topo/0/a/qdrouter', 'LSR', { id: 'b' }), 700 + turn / 20);
    answers += drain(engine).filter(({ opcode }) => opcode === 'LSU').length;
  }
  assert.equal(answers, 1);
  engine.receive(1, message('_topo/0/a/qdrouter', 'LSR', { id: 'b' }), 900);
  assert.equal(drain(engine).length, 1);
});

test('two other routers with one id are told once; a router that restarts twice is not taken for two', () => {
  const engine = new RoutingEngine({ routerId: 'a', instance: 1 });
  engine.linkUp(1, 1, 0, 'b');
  const heard = (instances: readonly number[]): string[] => {
    for (const [index, instance] of instances.entries()) {
      engine.receive(1, message('amqp:/_local/qdhello', 'HELLO', { id: 'b', instance, seen: ['a'] }), 10 + index);
    }
    const types: string[] = [];
    for (let event = engine.nextEvent(); event !== undefined; event = engine.nextEvent()) types.push(event.type);
    return types.filter((type) => type === 'routerRestarted' || type === 'doubleRouter');
  };
  assert.deepEqual(heard([5, 6, 7]), ['routerRestarted', 'routerRestarted']);
  assert.deepEqual(heard([6, 7, 6, 7, 6]), ['doubleRouter']);
});

test('what a router said before it was started again is no second router, unless it goes on', () => {
  const engine = new RoutingEngine({ routerId: 'a', instance: 1 });
  engine.linkUp(1, 1, 0, 'b');
  const events = (): string[] => {
    const types: string[] = [];
    for (let event = engine.nextEvent(); event !== undefined; event = engine.nextEvent()) types.push(event.type);
    return types.filter((type) => type === 'routerRestarted' || type === 'doubleRouter');
  };
  const advertise = (instance: number, nowMs: number): void => {
    engine.receive(1, message('_topo/0/all/qdrouter', 'RA', { id: 'far', pv: 1, instance, ls_seq: 0, mobile_seq: 0 }, 'far'), nowMs);
  };
  engine.receive(1, message('amqp:/_local/qdhello', 'HELLO', { id: 'b', instance: 1, seen: ['a'] }), 10);
  advertise(6, 100);
  advertise(7, 1_000);
  advertise(6, 1_200);
  advertise(7, 1_300);
  advertise(6, 4_000);
  assert.deepEqual(events(), ['routerRestarted']);
  advertise(6, 8_000);
  assert.deepEqual(events(), ['doubleRouter']);
});

test('a router that asks before there is a path to it is answered when there is', () => {
  const engine = neighbours();
  engine.receive(1, message('_topo/0/a/qdrouter', 'LSR', { id: 'far' }, 'far'), 600);
  engine.receive(1, message('_topo/0/a/qdrouter.ma', 'MAR', { id: 'far', have_seq: 0 }, 'far'), 600);
  engine.localAddress('Mhere', 3, 0, 600);
  engine.receive(1, message('_topo/0/a/qdrouter.ma', 'MAR', { id: 'far', have_seq: 0 }, 'far'), 650);
  assert.deepEqual(
    drain(engine).map(({ opcode }) => opcode),
    ['MAU', 'RA'],
  );
  engine.receive(1, message('_topo/0/a/qdrouter.ma', 'MAR', { id: 'far', have_seq: 0 }, 'far'), 660);
  assert.deepEqual(drain(engine), []);
  engine.receive(
    1,
    message(
      '_topo/0/a/qdrouter',
      'LSU',
      linkState('b', 60, [
        ['a', 1],
        ['far', 1],
      ]),
    ),
    700,
  );
  const answers = drain(engine).filter(({ opcode }) => opcode === 'LSU' || opcode === 'MAU');
  assert.deepEqual(
    answers.map(({ to, opcode }) => `${opcode} ${to}`),
    ['LSU amqp:/_topo/0/far/qdrouter', 'MAU amqp:/_topo/0/far/qdrouter.ma'],
  );
});

test('an absolute update that is older than what is known is not used', () => {
  const engine = neighbours();
  const update = (sequence: number, exist: ControlValue): void =>
    engine.receive(1, message('_topo/0/a/qdrouter.ma', 'MAU', { id: 'b', mobile_seq: sequence, exist }), 600);
  update(5, [['Mnew', 3]]);
  update(4, [['Mold', 3]]);
  assert.deepEqual([...engine.table.addresses.keys()], ['Mnew']);
  assert.equal(engine.status().ignored.get('stale'), 1);
});
