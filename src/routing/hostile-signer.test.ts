import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ControlMap, ControlMessage, ControlValue } from './control-message.ts';
import type { RoutingEvent } from './events.ts';
import { Flood } from './flood.ts';
import { helloExtension, withHelloExtension } from './hello-extension.ts';
import { helloBody } from './message-body.ts';
import { Outbox } from './outbox.ts';
import { LinkStateContent, readAddresses, writeAddresses, writeLinkState } from './record-content.ts';
import type { Treatment } from './route-table.ts';
import {
  firstAddressSlot,
  linkStateSlot,
  credentialSlot,
  maxEpoch,
  maxSlots,
  recordLayout,
  signRecord,
  type SignedRecord,
} from './signed-record.ts';
import { simulatedTrust, type SimulatedAuthority, type SimulatedTrust } from './simulated-trust.ts';
import { Statements } from './statements.ts';
import { TestNetwork } from './test-network.ts';
import { WaitingRecords } from './waiting-records.ts';

interface Net {
  readonly network: TestNetwork;
  readonly authority: SimulatedAuthority;
  readonly trust: ReadonlyMap<string, SimulatedTrust>;
}

/** Routers that sign, each connected with the first: the link of the nth is n. */
function star(ids: readonly string[], grants: Readonly<Record<string, readonly string[]>> = {}): Net {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  const trust = new Map<string, SimulatedTrust>();
  for (const routerId of ids) {
    const own = authority.router({ routerId, epoch: 1, advertise: grants[routerId] ?? ['*'] });
    trust.set(routerId, own);
    network.router(routerId, { trust: own });
    if (routerId !== ids[0]) network.connect(ids[0] ?? '', routerId);
  }
  network.run(2_000);
  return { network, authority, trust };
}

const local = (opcode: string, body: ControlMap, endpoint = 'caravan'): ControlMessage => {
  const id = body.get('id');
  const via = typeof id === 'string' ? `0/${id}` : null;
  return { to: `amqp:/_local/${endpoint}`, opcode, body, ingress: via, trace: via === null ? [] : [via] };
};

function say(network: TestNetwork, link: number, from: string, records: readonly SignedRecord[]): void {
  network.engine('A').receive(link, { ...local('REC', new Map([['id', from]])), records }, network.nowMs);
}

function eventsOf(network: TestNetwork, type: RoutingEvent['type']): RoutingEvent[] {
  return (network.events.get('A') ?? []).filter((event) => event.type === type);
}

interface Said {
  readonly slot: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
  readonly epoch?: number;
  readonly nonce?: Uint8Array;
}

function recordOf(trust: SimulatedTrust, origin: string, said: Said, keyId: Uint8Array = trust.keyId): SignedRecord {
  return signRecord({ origin, epoch: 1, nonce: trust.nonce, ...said }, { keyId, sign: (bytes) => trust.sign(bytes) });
}

function addressesOf(count: number, prefix = ''): Uint8Array {
  const addresses = new Map<string, Treatment>();
  for (let at = 0; at < count; at++) addresses.set(`M${prefix}${at}`, 3);
  return writeAddresses({ mobileSequence: 1, addresses });
}

test('a credential that cannot hold does not take the place of the genuine one while certificates are checked', () => {
  const { network, authority, trust } = star(['A', 'B', 'C']);
  const x = authority.router({ routerId: 'X', epoch: 1 });
  const evil = trust.get('B');
  assert.ok(evil !== undefined);
  authority.setPending('X', true);
  // What the genuine certificates are is no secret; the signature is.
  say(network, 1, 'B', [recordOf(evil, 'X', { slot: credentialSlot, sequence: 2 ** 40, payload: x.credential, epoch: 2 ** 40 })]);
  say(network, 2, 'C', [
    recordOf(x, 'X', { slot: credentialSlot, sequence: 1, payload: x.credential }),
    recordOf(x, 'X', { slot: firstAddressSlot, sequence: 2, payload: addressesOf(1) }),
  ]);
  authority.setPending('X', false);
  network.engine('A').trustChanged(network.nowMs);
  network.run(300);
  const passedOn = network.sent.flatMap(({ message }) => message.records ?? []).filter(({ origin }) => origin === 'X');
  assert.ok(passedOn.some(({ slot }) => slot === credentialSlot));
  assert.ok(passedOn.some(({ slot }) => slot === firstAddressSlot));
});

test('a credential that is only being checked silences nobody who does not sign', () => {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  for (const routerId of ['A', 'B']) network.router(routerId, { trust: authority.router({ routerId, epoch: 1 }) });
  network.router('U');
  network.connect('A', 'B');
  network.connect('A', 'U');
  network.run(2_000);
  authority.setPending('U', true);
  const evil = authority.router({ routerId: 'B', epoch: 1 });
  const invented = authority.router({ routerId: 'U', epoch: 1 });
  say(network, 1, 'B', [recordOf(evil, 'U', { slot: credentialSlot, sequence: 1, payload: invented.credential })]);
  network.localAddress('U', 'Mu');
  network.runUntil(() => network.routersOf('A', 'Mu').includes('U'), 2_000);
  assert.deepEqual(eventsOf(network, 'spoofRefused'), []);
});

test('what waits on one link leaves room for what comes on others', () => {
  const trust = simulatedTrust(1).router({ routerId: 'B', epoch: 1 });
  const waiting = new WaitingRecords(33_554_432);
  const payload = new Uint8Array(60_000);
  const record = (origin: string): SignedRecord => recordOf(trust, origin, { slot: credentialSlot, sequence: 1, payload });
  let admitted = 0;
  for (; waiting.add(record(`X${admitted}`), 1) === 'pending'; admitted++) assert.ok(admitted < 1_000);
  for (let link = 2; link < 8; link++) assert.equal(waiting.add(record(`Y${link}`), link), 'pending');
  assert.equal(waiting.take({ origins: Infinity, records: Infinity }, () => true).records.length, admitted + 6);
  assert.equal(waiting.add(record('X'), 1), 'pending');
});

test('a slot has at most 64 addresses: more would cost everybody work', () => {
  assert.equal(readAddresses(addressesOf(64))?.addresses.size, 64);
  assert.equal(readAddresses(addressesOf(65)), undefined);
});

test('who announces ever more addresses beyond its grant does not fill logs', () => {
  const { network, trust } = star(['A', 'B'], { B: ['db.*'] });
  const evil = trust.get('B');
  assert.ok(evil !== undefined);
  for (let round = 0; round < 150; round++) {
    const payload = addressesOf(64, `bank${round}.`);
    say(network, 1, 'B', [recordOf(evil, 'B', { slot: maxSlots - 1 - round, sequence: 1_000 + round, payload })]);
    // Slots count once the link state says that they are in use.
    if (round === 0) network.run(10);
  }
  const slots = new Uint8Array(24);
  new DataView(slots.buffer).setUint16(0, maxSlots);
  say(network, 1, 'B', [recordOf(evil, 'B', { slot: linkStateSlot, sequence: 2_000, payload: slots })]);
  network.run(1_000);
  const told = eventsOf(network, 'grantViolation').length;
  assert.ok(told >= 16 && told < 40, `${told} events`);
});

function hello(id: string, seen: readonly string[], nowMs: number, fields: readonly [string, ControlValue][]): ControlMessage {
  const extension = helloExtension(250, nowMs, undefined);
  for (const [key, value] of fields) extension.set(key, value);
  return local('HELLO', withHelloExtension(helloBody(id, 1_700_000_000, seen), extension), 'qdhello');
}

test('a neighbour that says again and again that it has just come is not told everything again and again', () => {
  const { network } = star(['A', 'B', 'C']);
  const sums = (): number => network.sent.filter(({ from, message }) => from === 'A' && message.opcode === 'SUM').length;
  const before = sums();
  for (let round = 0; round < 100; round++) {
    const signs: readonly [string, ControlValue][] = [
      ['records', recordLayout],
      ['digest', round],
    ];
    const greet = (seen: readonly string[], fields: readonly [string, ControlValue][]): void => {
      network.engine('A').receive(1, hello('B', seen, network.nowMs, fields), network.nowMs);
      network.run(1);
    };
    greet([], signs);
    greet(['A'], signs);
    greet(['A'], []);
  }
  assert.ok(sums() - before <= 2, `${sums() - before} summaries`);
});

test('small questions do not buy large answers by beginning anew on the same link', () => {
  const { network } = star(['A', 'B', 'C']);
  const answers = (): number =>
    network.sent.filter(({ from, to, message }) => from === 'A' && to === 'B' && message.opcode === 'REC').length;
  const before = answers();
  const question = new Map<string, ControlValue>([
    ['id', 'B'],
    ['after', ''],
    ['upTo', ''],
    ['entries', new Uint8Array(0)],
  ]);
  for (let round = 0; round < 2_000; round++) {
    network.engine('A').receive(1, local('SUM', question), network.nowMs);
    network.engine('A').receive(1, hello('B', ['A'], network.nowMs, []), network.nowMs);
  }
  network.run(300);
  // 256 summaries are read in a row, each answered with the records of three routers.
  const records = network.sent.filter(({ from, to }) => from === 'A' && to === 'B').flatMap(({ message }) => message.records ?? []).length;
  assert.ok(answers() > before);
  assert.ok(records <= 256 * 8, `${records} records`);
});

test('a neighbour speaks of its records in its own name: another name, of whatever version, is not learnt', () => {
  const { network } = star(['A', 'B']);
  const known = (): string[] =>
    network
      .engine('A')
      .status()
      .routers.map(({ routerId }) => routerId);
  const body = new Map<string, ControlValue>([
    ['id', 'X'],
    ['pv', 200],
  ]);
  for (const opcode of ['REC', 'SUM']) network.engine('A').receive(1, local(opcode, body), network.nowMs);
  network.run(100);
  assert.deepEqual(known(), ['B']);
});

test('a summary longer than any that routers send is malformed', () => {
  const { network } = star(['A', 'B']);
  // Router x, without any slot, again and again.
  const entries = Uint8Array.from({ length: 100_000 }, (_, at) => [1, 0x78, 0, 0][at % 4] ?? 0);
  const question = new Map<string, ControlValue>([
    ['id', 'B'],
    ['after', ''],
    ['upTo', ''],
    ['entries', entries],
  ]);
  network.engine('A').receive(1, local('SUM', question), network.nowMs);
  assert.equal(network.engine('A').status().ignored.get('malformed body'), 1);
});

test('in a network that never comes to rest what was lost is still found', () => {
  const flood = new Flood('A', new Outbox('A'));
  flood.heard(1, 'B', true, 1, 1, 0);
  let summaries = 0;
  for (let nowMs = 250; nowMs <= 60_000; nowMs += 250) if (flood.heard(1, 'B', true, nowMs, nowMs + 1, nowMs)) summaries++;
  assert.ok(summaries >= 1 && summaries <= 3, `${summaries} summaries`);
});

test('forged records of this router itself are an attack of the neighbour that brings them, unless they name another key', () => {
  const { network, trust } = star(['A', 'B']);
  const [a, evil] = [trust.get('A'), trust.get('B')];
  assert.ok(a !== undefined && evil !== undefined);
  const said = { slot: firstAddressSlot, payload: addressesOf(1), epoch: 7, nonce: new Uint8Array(8) };
  for (let at = 0; at < 100; at++) say(network, 1, 'B', [recordOf(evil, 'A', { ...said, sequence: 1_000 + at })]);
  network.run(300);
  assert.deepEqual(eventsOf(network, 'violation'), []);
  assert.deepEqual(eventsOf(network, 'epochNeeded'), []);
  say(network, 1, 'B', [recordOf(evil, 'A', { ...said, sequence: 2_000 }, a.keyId)]);
  network.run(300);
  assert.deepEqual(eventsOf(network, 'violation'), [{ type: 'violation', routerId: 'B', link: 1, reason: 'forged record' }]);
});

test('a copy of a router that takes the last epoch makes it give way, not fail', () => {
  const { network, trust } = star(['A', 'B']);
  const a = trust.get('A');
  assert.ok(a !== undefined);
  const last = { slot: linkStateSlot, sequence: 1, payload: new Uint8Array(24), epoch: maxEpoch, nonce: new Uint8Array(8) };
  say(network, 1, 'B', [recordOf(a, 'A', last)]);
  network.run(300);
  assert.deepEqual(eventsOf(network, 'epochNeeded'), []);
  assert.equal(eventsOf(network, 'fenced').length, 1);
});

test('statements that are being checked leave places for those of other neighbours', () => {
  const trust = { ...simulatedTrust(1).router({ routerId: 'A', epoch: 1 }), statementOf: () => 'pending' as const };
  const statements = new Statements(trust);
  const encoder = new TextEncoder();
  for (let at = 0; at < 100; at++) statements.receive(encoder.encode(`garbage ${at}`), 1);
  statements.receive(encoder.encode('genuine'), 2);
  const pending = statements.takePending();
  assert.ok(pending.some(({ fromLink }) => fromLink === 2));
  assert.ok(pending.length <= 64);
});

test('many statements at once cost one look at the credentials held', () => {
  const authority = simulatedTrust(1);
  const network = new TestNetwork();
  let asked = 0;
  const a = authority.router({ routerId: 'A', epoch: 1 });
  const counting = {
    ...a,
    credentialOf: (bytes: Uint8Array): ReturnType<SimulatedTrust['credentialOf']> => {
      asked++;
      return a.credentialOf(bytes);
    },
  };
  network.router('A', { trust: counting });
  network.router('B', { trust: authority.router({ routerId: 'B', epoch: 1 }) });
  network.connect('A', 'B');
  network.run(2_000);
  asked = 0;
  const statements = Array.from({ length: 500 }, (_, at) => authority.revocation(`gone${at}`));
  network.engine('A').receive(
    1,
    local(
      'REC',
      new Map<string, ControlValue>([
        ['id', 'B'],
        ['statements', statements],
      ]),
    ),
    network.nowMs,
  );
  network.run(300);
  assert.ok(asked < 50, `asked ${asked} times`);
  assert.equal(eventsOf(network, 'statementAccepted').length, 500);
});

test('who claims to be next to a router that does not sign changes nothing about what that may announce', () => {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  network.router('A', { trust: authority.router({ routerId: 'A', epoch: 1, advertise: ['app.*'] }) });
  const evil = authority.router({ routerId: 'E', epoch: 1 });
  network.router('E', { trust: evil });
  network.router('U');
  network.connect('A', 'E');
  network.connect('A', 'U');
  network.localAddress('U', 'Mapp.u');
  network.localAddress('U', 'Mbank');
  network.runUntil(() => network.routersOf('A', 'Mapp.u').includes('U'), 5_000);
  const withdrawn: string[][] = [];
  for (let round = 0; round < 6; round++) {
    const peers = ['A', 'U'].slice(0, 1 + (round % 2)).map((routerId) => ({ routerId, cost: 1, isUnsigned: routerId === 'U' }));
    const content = new LinkStateContent({ slots: 2, instance: 1_700_000_000, linkStateSequence: 100 + round, peers, site: undefined });
    const { payload } = writeLinkState(content, 1_000);
    say(network, 1, 'E', [recordOf(evil, 'E', { slot: linkStateSlot, sequence: 1_000 + round, payload })]);
    for (let step = 0; step < 40; step++) {
      network.run(50);
      if (!network.routersOf('A', 'Mapp.u').includes('U')) withdrawn.push(network.routersOf('A', 'Mapp.u'));
      assert.deepEqual(network.routersOf('A', 'Mbank'), []);
    }
  }
  assert.deepEqual(withdrawn, []);
});
