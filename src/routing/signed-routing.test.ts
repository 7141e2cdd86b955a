import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ControlMap, ControlMessage } from './control-message.ts';
import type { RoutingEvent } from './events.ts';
import {
  absoluteUpdateBody,
  addressDescription,
  differentialUpdateBody,
  linkStateUpdateBody,
  routerAdvertisementBody,
} from './message-body.ts';
import { writeAddresses } from './record-content.ts';
import type { Treatment } from './route-table.ts';
import { signRecord, type SignedRecord } from './signed-record.ts';
import { simulatedTrust, type SimulatedAuthority, type SimulatedIdentity, type SimulatedTrust } from './simulated-trust.ts';
import { TestNetwork } from './test-network.ts';

interface Options extends Partial<SimulatedIdentity> {
  readonly requireSigned?: boolean;
}

function addSigner(network: TestNetwork, authority: SimulatedAuthority, routerId: string, options: Options = {}): void {
  const { requireSigned = false, ...identity } = options;
  network.router(routerId, { trust: authority.router({ routerId, epoch: 1, ...identity }), requireSigned });
}

function line(ids: readonly string[]): { network: TestNetwork; authority: SimulatedAuthority } {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  for (const id of ids) addSigner(network, authority, id);
  for (const [at, id] of ids.entries()) {
    const next = ids[at + 1];
    if (next !== undefined) network.connect(id, next);
  }
  return { network, authority };
}

test('routers that sign learn each other and their addresses without any message of a skupper-router but HELLO', () => {
  const { network } = line(['A', 'B', 'C', 'D']);
  network.localAddress('D', 'Mbackend');
  network.runUntil(() => network.cost('A', 'D') === 3 && network.routersOf('A', 'Mbackend').includes('D'), 2_000);
  network.run(40_000);
  assert.equal(network.cost('D', 'A'), 3);
  const opcodes = new Set(network.sent.map(({ message }) => message.opcode));
  assert.deepEqual([...opcodes].sort(), ['HELLO', 'REC', 'SUM']);
  network.localAddressGone('D', 'Mbackend');
  network.runUntil(() => network.routersOf('A', 'Mbackend').length === 0, 2_000);
});

/** Everything that a router believes of the others. */
function belief(network: TestNetwork, at: string): unknown {
  const { routers } = network.engine(at).status();
  const keys = [...network.engine(at).table.addresses.keys()].sort();
  return { routers: routers.map(({ routerId, path, peers, addresses }) => [routerId, path, [...peers], addresses]), keys };
}

function eventsOf<Type extends RoutingEvent['type']>(
  network: TestNetwork,
  at: string,
  type: Type,
): Extract<RoutingEvent, { type: Type }>[] {
  const isWanted = (event: RoutingEvent): event is Extract<RoutingEvent, { type: Type }> => event.type === type;
  return (network.events.get(at) ?? []).filter(isWanted);
}

function fromNeighbour(opcode: string, body: ControlMap, to: string, via: string): ControlMessage {
  return { to, opcode, body, ingress: `0/${via}`, trace: [`0/${via}`] };
}

/** A - B - C, all signing; the link between A and B is 1. */
function settledLine(): { network: TestNetwork; authority: SimulatedAuthority } {
  const { network, authority } = line(['A', 'B', 'C']);
  network.localAddress('C', 'Mbackend');
  network.localAddress('B', 'Mother');
  network.run(2_000);
  assert.deepEqual(network.routersOf('A', 'Mbackend'), ['C']);
  return { network, authority };
}

const flood = 'amqp:/_topo/0/all/qdrouter';
const mobileFlood = '_topo/0/all/qdrouter.ma';

test('unsigned content in the name of a router that signs changes nothing', () => {
  const { network } = settledLine();
  const before = belief(network, 'A');
  const peers = new Map(Array.from({ length: 127 }, (_, at): [string, number] => [`invented${at}`, 1]));
  const forgeries: ControlMessage[] = [
    // Takes the addresses of C away, gives B one that it does not have, and C another life and other neighbours.
    fromNeighbour('MAU', absoluteUpdateBody('C', 1_000, []), mobileFlood, 'B'),
    fromNeighbour('MAU', absoluteUpdateBody('B', 1_000, [addressDescription('Mbank', 3, 0)]), mobileFlood, 'B'),
    fromNeighbour('MAU', differentialUpdateBody('C', 1, [addressDescription('Mbank', 3, 0)], ['Mbackend']), mobileFlood, 'B'),
    fromNeighbour('RA', routerAdvertisementBody({ id: 'C', instance: 42, linkStateSequence: 9, mobileSequence: 9 }), flood, 'B'),
    ...[0, 7].map((instance) =>
      fromNeighbour(
        'LSU',
        linkStateUpdateBody({ id: 'C', instance, linkStateSequence: 2 ** 50, peers: new Map([['A', 1]]), site: undefined }),
        'amqp:/_topo/0/A/qdrouter',
        'B',
      ),
    ),
    fromNeighbour(
      'LSU',
      linkStateUpdateBody({ id: 'B', instance: 1, linkStateSequence: 2 ** 50, peers, site: undefined }),
      'amqp:/_topo/0/A/qdrouter',
      'B',
    ),
  ];
  for (const message of forgeries) network.engine('A').receive(1, message, network.nowMs);
  assert.deepEqual(belief(network, 'A'), before);
  network.run(10_000);
  assert.deepEqual(belief(network, 'A'), before);
  assert.ok(eventsOf(network, 'A', 'spoofRefused').length > 0);
  assert.deepEqual(eventsOf(network, 'A', 'routerRestarted'), []);
});

test('a record that its origin has not signed is refused, and the neighbour that made it is told apart from one that erred', () => {
  const { network, authority } = settledLine();
  const before = belief(network, 'A');
  const evil = authority.router({ routerId: 'B', epoch: 1 });
  const held = network.sent.flatMap(({ message }) => message.records ?? []).findLast(({ origin, slot }) => origin === 'C' && slot === 0);
  assert.ok(held !== undefined);
  const body: ControlMap = new Map([['id', 'B']]);
  const send = (record: SignedRecord): void => {
    const message = fromNeighbour('REC', body, 'amqp:/_local/caravan', 'B');
    network.engine('A').receive(1, { ...message, records: [record] }, network.nowMs);
  };
  // A later sequence under the signature of somebody else, first under the name of his key, then of the key of C.
  const fields = { slot: 0, origin: 'C', epoch: 2, nonce: new Uint8Array(8), sequence: 99, payload: held.payload };
  send(signRecord(fields, evil));
  network.run(300);
  assert.deepEqual(belief(network, 'A'), before);
  assert.deepEqual(eventsOf(network, 'A', 'violation'), []);
  send(signRecord(fields, { keyId: held.keyId, sign: (bytes) => evil.sign(bytes) }));
  network.run(300);
  assert.deepEqual(belief(network, 'A'), before);
  assert.deepEqual(eventsOf(network, 'A', 'violation'), [{ type: 'violation', routerId: 'B', link: 1, reason: 'forged record' }]);
});

test('old records say nothing, and an origin without a credential of the network is not learned', () => {
  const { network } = settledLine();
  const old = network.sent.flatMap(({ message }) => message.records ?? []).filter(({ origin }) => origin === 'C');
  network.localAddressGone('C', 'Mbackend');
  network.run(2_000);
  const before = belief(network, 'A');
  const stranger = simulatedTrust(2).router({ routerId: 'X', epoch: 1 });
  const make = (slot: number, payload: Uint8Array): SignedRecord =>
    signRecord({ slot, origin: 'X', epoch: 1, nonce: stranger.nonce, sequence: 1, payload }, stranger);
  const message = fromNeighbour('REC', new Map([['id', 'B']]), 'amqp:/_local/caravan', 'B');
  const records = [...old, make(1, stranger.credential), make(0, new Uint8Array(24))];
  network.engine('A').receive(1, { ...message, records }, network.nowMs);
  network.run(2_000);
  assert.deepEqual(belief(network, 'A'), before);
  assert.equal(network.engine('A').status().refusedRecords.get('credential refused'), 1);
});

test('a router behind one that does not sign is verified all the same, and the one between is believed as its neighbours may', () => {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  addSigner(network, authority, 'A', { advertise: ['app.*'] });
  network.router('S');
  addSigner(network, authority, 'B', { advertise: ['app.*'] });
  const cable = network.connect('A', 'S');
  network.connect('S', 'B');
  network.localAddress('B', 'Mapp.b');
  network.localAddress('B', 'Mstolen');
  network.localAddress('S', 'Mapp.s');
  network.localAddress('S', 'Mbank');
  network.run(40_000);
  assert.equal(network.cost('A', 'B'), 2);
  assert.deepEqual([...network.engine('A').table.addresses.keys()].sort(), ['Mapp.b', 'Mapp.s']);
  const byId = new Map(
    network
      .engine('A')
      .status()
      .routers.map((router) => [router.routerId, router]),
  );
  assert.equal(byId.get('B')?.signed?.siteName, 'B');
  assert.equal(byId.get('S')?.signed, null);
  // What S says in the name of B is not believed.
  const before = belief(network, 'A');
  const forged = absoluteUpdateBody('B', 1_000, [addressDescription('Mapp.evil', 3, 0)]);
  network.engine('A').receive(cable, fromNeighbour('MAU', forged, mobileFlood, 'S'), network.nowMs);
  network.run(5_000);
  assert.deepEqual(belief(network, 'A'), before);
  network.localAddressGone('B', 'Mapp.b');
  network.runUntil(() => network.routersOf('A', 'Mapp.b').length === 0, 40_000);
});

test('addresses beyond the grant of a router are not installed anywhere, and told once', () => {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  addSigner(network, authority, 'A');
  addSigner(network, authority, 'B', { advertise: ['db.*'], consume: ['web'] });
  network.connect('A', 'B');
  network.localAddress('B', 'Mdb.one');
  network.localAddress('B', 'Mbank');
  network.run(2_000);
  assert.deepEqual([...network.engine('A').table.addresses.keys()], ['Mdb.one']);
  assert.deepEqual(
    eventsOf(network, 'B', 'grantViolation').map(({ address }) => address),
    ['bank'],
  );
  const { table } = network.engine('A');
  assert.equal(table.mayConsume('B', 'web'), true);
  assert.equal(table.mayConsume('B', 'bank'), false);
  assert.equal(table.mayConsume('nobody', 'web'), false);
  assert.deepEqual([table.knowsRightsOf('B'), table.knowsRightsOf('nobody')], [true, false]);
  assert.equal(table.isFeasibleIngress('B', 'B'), true);
});

test('a router that may use nothing tells its own records, and cannot have those of others', () => {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  addSigner(network, authority, 'A');
  addSigner(network, authority, 'B', { advertise: [], consume: [] });
  network.connect('A', 'B');
  for (const address of ['Msfe.bbbbb:0', 'Mvfcr.bbbbb:0', 'Mmc/sfe.all', 'Mmc/sfe.aaaaa:0.flows']) network.localAddress('B', address);
  network.run(2_000);
  const { table } = network.engine('A');
  assert.deepEqual([...table.addresses.keys()].sort(), ['Msfe.bbbbb:0', 'Mvfcr.bbbbb:0']);
  const sends = ['mc/sfe.all', 'mc/sfe.bbbbb:0', 'vfcr.aaaaa:0', 'sfe.aaaaa:0', 'web'];
  assert.deepEqual(
    sends.filter((address) => table.mayConsume('B', address)),
    ['mc/sfe.all', 'mc/sfe.bbbbb:0', 'vfcr.aaaaa:0'],
  );
});

test('a hostile router that signs addresses beyond its grant gains nothing, and is told once', () => {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  addSigner(network, authority, 'A');
  addSigner(network, authority, 'B', { advertise: ['db.*'] });
  network.connect('A', 'B');
  network.localAddress('B', 'Mdb.one');
  network.run(1_000);
  const hostile = authority.router({ routerId: 'B', epoch: 1 });
  const addresses = new Map<string, Treatment>([
    ['Mdb.one', 3],
    ['Mbank', 3],
  ]);
  for (const sequence of [100, 101]) {
    const fields = {
      slot: 2,
      origin: 'B',
      epoch: 1,
      nonce: hostile.nonce,
      sequence,
      payload: writeAddresses({ mobileSequence: 9, addresses }),
    };
    const record = signRecord(fields, hostile);
    const message = fromNeighbour('REC', new Map([['id', 'B']]), 'amqp:/_local/caravan', 'B');
    network.engine('A').receive(1, { ...message, records: [record] }, network.nowMs);
    network.run(500);
  }
  assert.deepEqual([...network.engine('A').table.addresses.keys()], ['Mdb.one']);
  assert.deepEqual(
    eventsOf(network, 'A', 'grantViolation').map(({ address, right }) => [address, right]),
    [['bank', 'advertise']],
  );
});

test('an origin that changes without end is slowed down, and does not slow down others', () => {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  for (const id of ['A', 'B', 'C']) addSigner(network, authority, id);
  network.connect('A', 'B');
  network.connect('A', 'C');
  network.run(1_000);
  const hostile = authority.router({ routerId: 'B', epoch: 1 });
  const before = network.sent.length;
  for (let sequence = 100; sequence < 5_100; sequence++) {
    const payload = writeAddresses({ mobileSequence: sequence, addresses: new Map([[`M${sequence}`, 3]]) });
    const fields = { slot: 2, origin: 'B', epoch: 1, nonce: hostile.nonce, sequence, payload };
    const message = fromNeighbour('REC', new Map([['id', 'B']]), 'amqp:/_local/caravan', 'B');
    const records = [signRecord(fields, hostile)];
    network.engine('A').receive(1, { ...message, records }, network.nowMs);
  }
  network.localAddress('C', 'Mc');
  network.runUntil(() => network.routersOf('A', 'Mc').includes('C'), 200);
  network.run(5_000);
  const passedOn = network.sent.slice(before).filter(({ from, to }) => from === 'A' && to === 'C');
  const records = passedOn.flatMap(({ message }) => message.records ?? []).filter(({ origin }) => origin === 'B');
  assert.ok(records.length <= 300, `${records.length} records passed on`);
  assert.equal(records.at(-1)?.sequence, 5_099);
  assert.equal(eventsOf(network, 'A', 'originOverQuota')[0]?.quota, 'updates');
});

test('in a mesh that loses messages all routers come to hold the same records', () => {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  const ids = Array.from({ length: 12 }, (_, at) => `R${at}`);
  for (const id of ids) addSigner(network, authority, id);
  let state = 7;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let at = 1; at < ids.length; at++) network.connect(ids[at] ?? '', ids[random(at)] ?? '');
  for (let extra = 0; extra < 8; extra++) {
    const [one, other] = [random(12), random(12)];
    if (one !== other) network.connect(ids[one] ?? '', ids[other] ?? '');
  }
  network.lose = ({ message }) => (message.opcode === 'REC' || message.opcode === 'SUM') && random(4) === 0;
  for (const id of ids) network.localAddress(id, `M${id}`);
  network.run(20_000);
  network.lose = () => false;
  network.run(70_000);
  for (const id of ids) {
    assert.equal(network.engine(id).table.routers.size, 11, id);
    assert.equal(network.engine(id).table.addresses.size, 11, id);
  }
});

test('a network that falls apart and joins again agrees, and forgets who is gone', () => {
  const { network } = line(['A', 'B', 'C', 'D']);
  network.run(1_000);
  network.kill('D');
  network.cut(2);
  network.localAddress('C', 'Mlate');
  network.run(90_000);
  assert.deepEqual(
    network
      .engine('A')
      .status()
      .routers.map(({ routerId }) => routerId),
    ['B'],
  );
  network.connect('B', 'C');
  network.runUntil(() => network.routersOf('A', 'Mlate').includes('C'), 2_000);
  assert.deepEqual(
    network
      .engine('A')
      .status()
      .routers.map(({ routerId }) => routerId)
      .sort(),
    ['B', 'C'],
  );
});

test('where signatures are required, a neighbour that does not sign is refused', () => {
  const network = new TestNetwork();
  addSigner(network, simulatedTrust(1), 'A', { requireSigned: true });
  network.router('S');
  network.connect('A', 'S');
  network.run(5_000);
  assert.equal(network.cost('A', 'S'), undefined);
  assert.equal(network.cost('S', 'A'), undefined);
  assert.deepEqual(
    eventsOf(network, 'A', 'unsignedRefused').map(({ routerId, isNeighbour }) => [routerId, isNeighbour]),
    [['S', true]],
  );
});

test('a router that finds newer records of its own past takes a higher epoch', () => {
  const { network, authority } = settledLine();
  network.kill('C');
  network.run(1_000);
  // Its state folder was lost: it begins again with an epoch that it has had.
  addSigner(network, authority, 'C', { nonce: Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9) });
  network.connect('B', 'C');
  network.localAddress('C', 'Mnew');
  network.run(500);
  const [needed] = eventsOf(network, 'C', 'epochNeeded');
  assert.equal(needed?.above, 1);
  network.engine('C').newEpoch(2, network.nowMs);
  network.runUntil(() => network.routersOf('A', 'Mnew').includes('C'), 2_000);
  assert.deepEqual(network.routersOf('A', 'Mbackend'), []);
  assert.deepEqual(eventsOf(network, 'C', 'fenced'), []);
});

test('of two processes with one identity the one with the lower nonce gives way', () => {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  addSigner(network, authority, 'A');
  addSigner(network, authority, 'B');
  network.connect('A', 'B');
  for (const octet of [0, 1]) {
    network.router('X', { trust: authority.router({ routerId: 'X', epoch: 1, nonce: new Uint8Array(8).fill(octet) }) }, `X${octet}`);
  }
  network.connect('A', 'X0');
  network.connect('B', 'X1');
  let epoch = 1;
  for (let round = 0; round < 12; round++) {
    for (const name of ['X0', 'X1']) {
      const needed = eventsOf(network, name, 'epochNeeded').at(-1);
      if (needed !== undefined && needed.above >= epoch) network.engine(name).newEpoch((epoch = needed.above + 1), network.nowMs);
      network.run(600);
    }
  }
  assert.equal(eventsOf(network, 'X0', 'fenced').length, 1);
  assert.equal(eventsOf(network, 'X1', 'fenced').length, 0);
  const told = ['X0', 'X1'].flatMap((name) => eventsOf(network, name, 'identityConflict'));
  assert.ok(told.length >= 1);
});

test('a revocation reaches everybody, also those that were away, and ends what was known of the revoked router', () => {
  const { network, authority } = settledLine();
  addSigner(network, authority, 'D');
  network.connect('D', 'C');
  network.run(1_000);
  assert.equal(network.cost('A', 'D'), 3);
  const statement = authority.revocation('C');
  network.engine('A').addStatement(statement, network.nowMs);
  network.run(1_000);
  // The statement is for the trust to act upon first: A's owner does that, the others when they receive it.
  assert.equal(eventsOf(network, 'B', 'statementAccepted').length, 1);
  assert.equal(network.cost('B', 'C'), undefined);
  assert.deepEqual(network.routersOf('B', 'Mbackend'), []);
  assert.deepEqual(
    eventsOf(network, 'B', 'violation').map(({ routerId, reason }) => [routerId, reason]),
    [['C', 'credential refused']],
  );
  addSigner(network, authority, 'E');
  network.connect('B', 'E');
  network.run(1_000);
  assert.equal(eventsOf(network, 'E', 'statementAccepted').length, 1);
});

test('credentials that are being checked hold back what rests on them, and no longer than that', () => {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  authority.setPending('B', true);
  addSigner(network, authority, 'A');
  addSigner(network, authority, 'B');
  network.connect('A', 'B');
  network.localAddress('B', 'Mx');
  network.run(1_000);
  assert.equal(network.cost('A', 'B'), undefined);
  authority.setPending('B', false);
  network.engine('A').trustChanged(network.nowMs);
  network.run(1);
  assert.equal(network.cost('A', 'B'), 1);
  assert.deepEqual(network.routersOf('A', 'Mx'), ['B']);
});

test('what a router says in the moment in which it answers a new neighbour does not get there before its credential', () => {
  // The first neighbours are told together after 100 ms: some of these links come up then.
  for (let offsetMs = 80; offsetMs <= 110; offsetMs++) {
    const network = new TestNetwork();
    const authority = simulatedTrust(1);
    for (const id of ['A', 'B', 'C']) addSigner(network, authority, id);
    network.connect('A', 'B');
    network.run(offsetMs);
    network.connect('B', 'C');
    network.runUntil(() => network.cost('C', 'A') === 2 && network.cost('A', 'C') === 2, 1_000);
  }
});

test('a link that its far end names before it is known, and confirms only later, is used', () => {
  const { network, authority } = { network: new TestNetwork(), authority: simulatedTrust(1) };
  for (const id of ['near', 'middle', 'far', 'side']) addSigner(network, authority, id);
  network.connect('near', 'middle');
  network.connect('far', 'side');
  network.run(2_000);
  // The middle knows that the far router hears it, and the far one not yet that the middle does.
  network.lose = ({ from, to, message }) => {
    const seen = message.body.get('seen');
    return from === 'middle' && to === 'far' && Array.isArray(seen) && seen.includes('far');
  };
  network.connect('far', 'middle');
  network.run(300);
  network.connect('side', 'near', 5);
  network.run(500);
  assert.equal(network.cost('near', 'far'), 6);
  network.lose = () => false;
  network.runUntil(() => network.cost('near', 'far') === 2, 10_000);
});

test('an honest router is not blamed for records of one that signs with two keys', () => {
  const ids = ['P', 'A', 'B', 'C', 'Q'];
  const { network, authority } = line(ids);
  network.run(1_000);
  // Two credentials of one life, for two keys: the one comes to A, the other to C, and with each of them addresses.
  const [one, other] = ['first', 'second'].map((keyName) => authority.router({ routerId: 'X', epoch: 1, keyName }));
  assert.ok(one !== undefined && other !== undefined);
  const make = (trust: SimulatedTrust, slot: number, sequence: number, payload: Uint8Array): SignedRecord =>
    signRecord({ slot, origin: 'X', epoch: 1, nonce: one.nonce, sequence, payload }, trust);
  const addresses = (sequence: number): Uint8Array =>
    writeAddresses({ mobileSequence: sequence, addresses: new Map([[`M${sequence}`, 3]]) });
  const say = (from: string, link: number, to: string, records: readonly SignedRecord[]): void => {
    const message = fromNeighbour('REC', new Map([['id', from]]), 'amqp:/_local/caravan', from);
    network.engine(to).receive(link, { ...message, records }, network.nowMs);
  };
  say('P', 1, 'A', [make(one, 1, 10, one.credential), make(one, 2, 11, addresses(11))]);
  say('Q', 4, 'C', [make(other, 1, 12, other.credential), make(other, 2, 9, addresses(9))]);
  // Records of the key that A does not hold come before its credential.
  say('P', 1, 'A', [make(other, 2, 13, addresses(13))]);
  network.run(5_000);
  say('Q', 4, 'C', [make(one, 2, 14, addresses(14))]);
  network.run(5_000);
  for (const id of ids) assert.deepEqual(eventsOf(network, id, 'violation'), [], id);
  const told = (from: string, to: string): number[] => {
    const sent = network.sent.filter((message) => message.from === from && message.to === to);
    return sent.flatMap(({ message }) => message.records ?? []).flatMap(({ origin, sequence }) => (origin === 'X' ? [sequence] : []));
  };
  assert.deepEqual(told('A', 'B'), [10, 11, 13]);
  assert.deepEqual(told('B', 'C'), [10, 11, 13]);
  assert.deepEqual(told('B', 'A'), [12, 9]);
  // What waited for the second key was newer than what came with it.
  assert.deepEqual(told('A', 'P'), [12]);
});
