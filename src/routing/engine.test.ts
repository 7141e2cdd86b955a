import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoutingOptions } from './engine.ts';
import { TestNetwork } from './test-network.ts';

/** Routers a, b, c ... in a line or ring. */
function chain(
  size: number,
  ring = false,
  options: Partial<RoutingOptions> = {},
): { network: TestNetwork; ids: string[]; links: number[] } {
  const network = new TestNetwork();
  const ids = Array.from({ length: size }, (_, index) => String.fromCodePoint(97 + index));
  for (const id of ids) network.router(id, options);
  const links = ids.slice(1).map((id, index) => network.connect(ids[index], id));
  if (ring) links.push(network.connect(ids[size - 1], ids[0]));
  return { network, ids, links };
}

/** Every router sees every other. */
function converged(network: TestNetwork): boolean {
  const size = network.engines.size - 1;
  return [...network.engines.values()].every((engine) => engine.table.routers.size === size);
}

function opcodes(network: TestNetwork, from: string, to: string): string[] {
  return network.sent.filter((sent) => sent.from === from && sent.to === to).map(({ message }) => message.opcode);
}

test('two routers are neighbours after two link delays and know each other fully after four', () => {
  const { network } = chain(2);
  assert.equal(
    network.runUntil(() => converged(network), 1000),
    10,
  );
  network.run(10);
  const [known] = network.engine('a').status().routers;
  assert.deepEqual([...(known?.peers ?? [])], [['a', 1]]);
  assert.deepEqual(
    network.events.get('a')?.map(({ type }) => type),
    ['neighbourUp', 'routerReachable'],
  );
});

test('messages carry own id as ingress and trace', () => {
  const { network } = chain(2);
  network.run(2000);
  for (const { from, message } of network.sent) {
    assert.equal(message.ingress, `0/${from}`);
    assert.deepEqual(message.trace, [`0/${from}`]);
  }
});

test('to a skupper-router HELLO goes out each second on each link and names whom it hears there', () => {
  const { network } = chain(3, false, { timers: { quickHelloIntervalMs: 0 } });
  network.run(10_500);
  const hellos = network.sent.filter(({ from, to, message }) => from === 'b' && to === 'a' && message.opcode === 'HELLO');
  assert.equal(hellos.length, 12, 'one at once, one when a is first heard, ten by the clock');
  assert.deepEqual(hellos.at(-1)?.message.body.get('seen'), ['a']);
});

test('the first requests precede the advertisement, as a skupper-router sends them', () => {
  const { network } = chain(2);
  network.run(12);
  assert.deepEqual(opcodes(network, 'a', 'b').slice(0, 5), ['HELLO', 'HELLO', 'LSR', 'MAR', 'RA']);
});

test('advertisements come each 4 s for 8 s after a change and each 30 s after that', () => {
  const { network } = chain(2);
  network.run(100_000);
  const times = network.sent
    .filter(({ from, message }) => from === 'a' && message.opcode === 'RA')
    .map(({ atMs }) => Math.round(atMs / 1000));
  assert.deepEqual(times.slice(0, 5), [0, 4, 8, 38, 68]);
});

for (const size of [3, 5, 8]) {
  test(`a line of ${size} converges within 60 ms per hop, with the right next hops and radius`, () => {
    const { network, ids } = chain(size);
    network.runUntil(() => converged(network), 60 * size);
    const { routers, radius } = network.engine('a').table;
    assert.equal(radius, size - 1);
    for (const [index, id] of ids.entries()) {
      if (index === 0) continue;
      const route = routers.get(id);
      assert.deepEqual([route?.cost, route?.hops, route?.nextHop], [index, index, 'b']);
    }
  });
}

test('a ring of five takes the short way round and goes the other way at once when a link is cut', () => {
  const { network, links } = chain(5, true);
  network.runUntil(() => converged(network), 200);
  network.run(100);
  assert.deepEqual([network.cost('a', 'c'), network.cost('a', 'd')], [2, 2]);
  assert.equal(network.engine('a').table.routers.get('c')?.nextHop, 'b');
  network.cut(links[0]);
  assert.equal(network.engine('a').table.routers.get('b')?.nextHop, 'e', 'before any message');
  assert.equal(network.cost('a', 'b'), 4);
  const healed = network.runUntil(() => network.cost('c', 'a') === 3 && network.cost('d', 'b') === 2, 100);
  assert.ok(healed <= 30, `others follow after ${healed} ms`);
});

test('costs decide, not hops', () => {
  const network = new TestNetwork();
  for (const id of ['a', 'b', 'c']) network.router(id);
  network.connect('a', 'c', 10);
  network.connect('a', 'b', 2);
  network.connect('b', 'c', 3);
  network.run(200);
  const route = network.engine('a').table.routers.get('c');
  assert.deepEqual([route?.cost, route?.nextHop, route?.hops], [5, 'b', 2]);
});

test('addresses are known everywhere after one trip, and gone after one', () => {
  const { network } = chain(4);
  network.run(1500);
  network.localAddress('d', 'Mbackend');
  assert.equal(
    network.runUntil(() => network.routersOf('a', 'Mbackend').length === 1, 100),
    15,
  );
  assert.equal(network.engine('b').table.addresses.get('Mbackend')?.treatment, 3);
  network.localAddress('b', 'Mbackend');
  network.run(20);
  assert.deepEqual(network.routersOf('a', 'Mbackend'), ['b', 'd'], 'nearest first');
  network.localAddressGone('d', 'Mbackend');
  network.run(20);
  assert.deepEqual(network.routersOf('a', 'Mbackend'), ['b']);
  assert.deepEqual(network.routersOf('b', 'Mbackend'), [], 'own consumers are not in the table');
  const requests = network.sent.filter(({ atMs, message }) => atMs > 1500 && message.opcode === 'MAR');
  assert.equal(requests.length, 0, 'updates go before the advertisement of their sequence');
});

test('several changes in one turn make one update', () => {
  const { network } = chain(2);
  network.run(1500);
  const engine = network.engine('a');
  engine.localAddress('Mone', 3, 0, network.nowMs);
  engine.localAddress('Mtwo', 2, 5, network.nowMs);
  engine.localAddress('Mthree', 2, 5, network.nowMs);
  engine.localAddressGone('Mthree', network.nowMs);
  network.localAddress('a', 'Mone', 3);
  const updates = network.sent.filter(({ message }) => message.opcode === 'MAU' && message.to.includes('all'));
  assert.equal(updates.length, 1);
  assert.deepEqual(updates[0].message.body.get('add'), [
    ['Mone', 3, 0],
    ['Mtwo', 2, 5],
  ]);
  assert.deepEqual(updates[0].message.body.get('del'), []);
});

test('addresses that change without pause are told in bursts, and the last state arrives', () => {
  const { network } = chain(2);
  network.run(1500);
  for (let change = 0; change < 500; change++) {
    if (change % 2 === 0) network.localAddress('a', 'Mflapping');
    else network.localAddressGone('a', 'Mflapping');
    network.run(1);
  }
  network.localAddress('a', 'Mlast');
  network.run(200);
  assert.deepEqual([...network.engine('b').table.addresses.keys()], ['Mlast']);
  const updates = network.sent.filter(({ from, message }) => from === 'a' && message.opcode === 'MAU');
  assert.ok(updates.length <= 25, `${updates.length} updates`);
});

test('a lost update is made good by a request', () => {
  const { network } = chain(3);
  network.localAddress('c', 'Mfirst');
  network.run(1500);
  network.lose = ({ message }) => message.opcode === 'MAU';
  network.localAddress('c', 'Mlost');
  network.run(50);
  network.lose = () => false;
  assert.deepEqual(network.routersOf('a', 'Mlost'), []);
  network.runUntil(() => network.routersOf('a', 'Mlost').length === 1, 1000);
  network.localAddress('c', 'Mnext');
  network.run(50);
  assert.deepEqual(network.routersOf('a', 'Mnext'), ['c']);
});

test('lost requests and answers are repeated', () => {
  const network = new TestNetwork();
  for (const id of ['a', 'b', 'c']) network.router(id);
  let lost = 0;
  network.lose = ({ message }) => (message.opcode === 'LSU' || message.opcode === 'MAU') && lost++ < 6;
  network.localAddress('c', 'Mbackend');
  network.connect('a', 'b');
  network.connect('b', 'c');
  network.runUntil(() => converged(network) && network.routersOf('a', 'Mbackend').length === 1, 3000);
  assert.ok(lost > 6);
});

test('a partition makes the far side unreachable at once and heals without waiting for a period', () => {
  const { network, links } = chain(6);
  network.localAddress('f', 'Mbackend');
  network.run(2000);
  network.cut(links[2]);
  assert.deepEqual(network.routersOf('c', 'Mbackend'), []);
  network.run(40);
  assert.deepEqual([...network.engine('a').table.routers.keys()], ['b', 'c']);
  network.run(20_000);
  network.localAddress('f', 'Msince');
  network.connect('c', 'd');
  const healedMs = network.runUntil(() => converged(network) && network.routersOf('a', 'Msince').length === 1, 3000);
  assert.ok(healedMs < 200, `healed after ${healedMs} ms`);
  assert.deepEqual(network.routersOf('a', 'Mbackend'), ['f']);
});

test('a short break keeps the addresses', () => {
  const { network, links } = chain(3);
  network.localAddress('c', 'Mbackend');
  network.run(2000);
  network.cut(links[0]);
  network.run(300);
  assert.deepEqual(network.routersOf('a', 'Mbackend'), []);
  network.connect('a', 'b');
  network.runUntil(() => network.cost('a', 'c') === 2, 100);
  assert.deepEqual(network.routersOf('a', 'Mbackend'), ['c'], 'with the path, without asking');
});

test('a router that restarts is recognised by its instance and learned anew', () => {
  const { network } = chain(3);
  network.localAddress('c', 'Mold');
  network.run(2000);
  network.kill('c');
  network.run(50);
  assert.equal(network.cost('a', 'c'), undefined);
  network.router('c', { instance: 1_700_000_009 });
  network.localAddress('c', 'Mnew');
  network.connect('b', 'c');
  network.runUntil(() => network.routersOf('a', 'Mnew').length === 1, 200);
  assert.deepEqual(network.routersOf('a', 'Mold'), []);
  assert.ok(network.events.get('a')?.some((event) => event.type === 'routerRestarted' && event.routerId === 'c'));
});

test('a router that restarts within the same second is heard, because its sequences start later', () => {
  const { network } = chain(3);
  for (const name of ['Mold', 'Mother']) network.localAddress('c', name);
  network.run(300);
  for (const name of ['Mold', 'Mother']) network.engine('c').localAddressGone(name, network.nowMs);
  network.localAddress('c', 'Mold');
  network.run(300);
  network.kill('c');
  network.run(50);
  network.router('c', { sequenceStart: 650 * 16 });
  network.localAddress('c', 'Mnew');
  network.connect('b', 'c');
  network.runUntil(() => network.routersOf('a', 'Mnew').length === 1, 200);
  assert.deepEqual(network.routersOf('a', 'Mold'), []);
  assert.equal(network.cost('a', 'c'), 2);
});

test('a dead router is forgotten once its link state has expired', () => {
  const { network } = chain(3);
  network.run(2000);
  network.kill('c');
  network.run(70_000);
  assert.deepEqual(
    network
      .engine('a')
      .status()
      .routers.map(({ routerId }) => routerId),
    ['b'],
  );
});

test('a neighbour that keeps the time of a skupper-router and falls silent is lost after three seconds', () => {
  const { network } = chain(2, false, { timers: { quickHelloIntervalMs: 0 } });
  network.run(2000);
  network.lose = () => true;
  network.run(2500);
  assert.equal(network.cost('a', 'b'), 1);
  network.run(2500);
  assert.equal(network.cost('a', 'b'), undefined);
  assert.deepEqual(
    network.events.get('a')?.filter(({ type }) => type === 'neighbourDown'),
    [{ type: 'neighbourDown', routerId: 'b', link: 1, reason: 'silent' }],
  );
});

test('of two links to a router the cheaper is used, the other takes over at once', () => {
  const network = new TestNetwork();
  network.router('a');
  network.router('b');
  const dear = network.connect('a', 'b', 5);
  network.run(50);
  const cheap = network.connect('a', 'b', 2);
  network.run(50);
  assert.deepEqual([network.engine('a').table.routers.get('b')?.link, network.cost('a', 'b')], [cheap, 2]);
  network.cut(cheap);
  assert.deepEqual([network.engine('a').table.routers.get('b')?.link, network.cost('a', 'b')], [dear, 5]);
  network.run(50);
  assert.deepEqual([...(network.engine('b').status().routers[0]?.peers ?? [])], [['b', 5]]);
  assert.ok(!network.events.get('a')?.some(({ type }) => type === 'neighbourDown' || type === 'routerUnreachable'));
});

test('in a ring each update arrives once and each advertisement is passed on once', () => {
  const { network } = chain(5, true);
  network.run(2000);
  const before = network.sent.length;
  network.localAddress('a', 'Mbackend');
  network.run(100);
  const since = network.sent.slice(before);
  const receivers = (opcode: string): string[] => since.filter(({ message }) => message.opcode === opcode).map(({ to }) => to);
  assert.deepEqual(receivers('MAU').sort(), ['b', 'c', 'd', 'e']);
  assert.ok(receivers('RA').length <= 8, `${receivers('RA').length} copies`);
  assert.equal(since.filter(({ message }) => message.opcode === 'MAR').length, 0);
});

test('in a full mesh of eight an advertisement costs less than the square of the routers', () => {
  const network = new TestNetwork();
  const ids = 'abcdefgh'.split('');
  for (const id of ids) network.router(id);
  for (const [index, a] of ids.entries()) for (const b of ids.slice(index + 1)) network.connect(a, b);
  network.run(3000);
  const before = network.sent.length;
  network.localAddress('a', 'Mbackend');
  network.run(100);
  const copies = network.sent.slice(before).filter(({ message }) => message.opcode === 'RA');
  assert.ok(copies.length <= 7 + 7 * 6, `${copies.length} copies`);
  for (const id of ids.slice(1)) assert.deepEqual(network.routersOf(id, 'Mbackend'), ['a']);
});

test('site data reach every router and are bounded', () => {
  const network = new TestNetwork();
  network.router('a', { site: new Map([['name', 'laptop']]) });
  network.router('b');
  network.connect('a', 'b');
  network.run(100);
  assert.equal(network.engine('b').status().routers[0]?.site?.get('name'), 'laptop');
  network.engine('a').updateSite(new Map([['name', 'desk']]), network.nowMs);
  network.run(1500);
  assert.equal(network.engine('b').status().routers[0]?.site?.get('name'), 'desk');
  network.engine('a').updateSite(new Map([['name', 'x'.repeat(10_000)]]), network.nowMs);
  network.run(1500);
  assert.equal(network.engine('b').status().routers[0]?.site?.get('name'), 'desk');
});

test('the table is the same object until something changes', () => {
  const { network } = chain(3);
  network.run(3000);
  const { table } = network.engine('a');
  network.run(40_000);
  assert.equal(network.engine('a').table, table);
  network.localAddress('c', 'Mx');
  network.run(50);
  const next = network.engine('a').table;
  assert.equal(next.epoch, table.epoch + 1);
  assert.equal(next.addresses.size, 1);
});

test('own treatment of an address wins over what others suggest', () => {
  const { network } = chain(2);
  network.localAddress('b', 'Mx', 1);
  network.run(100);
  assert.equal(network.engine('a').table.addresses.get('Mx')?.treatment, 1);
  network.localAddress('a', 'Mx', 2);
  assert.equal(network.engine('a').table.addresses.get('Mx')?.treatment, 2);
  network.localAddressGone('a', 'Mx');
  assert.equal(network.engine('a').table.addresses.get('Mx')?.treatment, 1);
});
