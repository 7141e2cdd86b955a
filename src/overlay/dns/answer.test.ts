import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CatalogView } from '../catalog/catalog-view.ts';
import { addressHex } from '../control/address.ts';
import { formatAddress } from '../packet/address.ts';
import { decide, type Zones } from './answer.ts';
import { internetClass, nameOf, rcodes, recordTypes, type DnsMessage } from './message.ts';
import { addressesLimit, addressOfReverse, podNameKey, readNames, usableName, type NamedThings } from './name-table.ts';

function catalogOf(records: Readonly<Record<string, unknown>>): CatalogView {
  return {
    version: 7,
    get: (key) => records[key],
    entries: (prefix) => Object.entries(records).filter(([key]) => key.startsWith(prefix)),
  };
}

const hexes = (...texts: readonly string[]): readonly string[] => texts.map(addressHex);
const networks: NamedThings = {
  vpcs: ['red', 'green'].map((name) => ({ name, vni: 1, prefixes: [], peers: [], egress: undefined, dns: 'forward' })),
  services: [
    {
      name: 'web',
      vpc: 'red',
      addresses: hexes('10.0.0.100', 'fd00::100'),
      ports: [],
      selector: {},
      affinity: 'none',
    },
  ],
  endpoints: (
    [
      ['web', 'red', hexes('10.0.0.9')],
      ['db', 'red', []],
      ['lost', 'nowhere', hexes('10.0.0.21')],
      ['far', 'green', hexes('10.5.0.9')],
    ] as const
  ).map(([name, vpc, addresses]) => ({
    name,
    vpc,
    addresses,
    subnet: 'front',
    mac: undefined,
    host: undefined,
    netns: undefined,
    ifname: 'eth0',
    forward: [],
    offer: [],
    labels: {},
  })),
};

const catalog = catalogOf({
  'placed/db': { host: 'one', addresses: ['10.0.0.20', 'fd00::20'] },
  [podNameKey('red', 'shop-0.shop', 'one', 'c1')]: { addresses: ['10.0.0.31/24'] },
  [podNameKey('red', 'twin', 'one', 'c2')]: { addresses: ['10.0.0.32'] },
  [podNameKey('red', 'twin', 'two', 'c3')]: { addresses: ['10.0.0.33'] },
  [podNameKey('red', 'db', 'two', 'c4')]: { addresses: ['10.0.0.34'] },
  [podNameKey('red', 'broken', 'two', 'c5')]: { addresses: ['10.0.0.x', 7] },
  [podNameKey('nowhere', 'lost', 'two', 'c6')]: { addresses: ['10.0.0.35'] },
});

const prefix = { address: addressHex('10.0.0.0'), length: 120 };
const zones: Zones = {
  vpc: 'red',
  prefixes: [prefix],
  names: new Map([...readNames(networks, catalog)].filter(([vpc]) => vpc === 'red')),
  serial: 7,
  forwards: true,
};

function queryOf(name: string, type: number, more: Partial<DnsMessage> = {}): DnsMessage {
  return {
    id: 1,
    isResponse: false,
    opcode: 0,
    isAuthoritative: false,
    isTruncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    rcode: 0,
    questions: [{ name: nameOf(name), type, recordClass: internetClass }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: undefined,
    ...more,
  };
}

function answerTo(query: DnsMessage, asked: Zones = zones): DnsMessage {
  const decision = decide(query, asked);
  assert.equal(decision.kind, 'answer');
  return decision.kind === 'answer' ? decision.message : query;
}

/** rcode and addresses or names. */
function ask(name: string, type: number = recordTypes.a): readonly (string | number)[] {
  const { rcode, answers, authorities, isAuthoritative } = answerTo(queryOf(name, type));
  assert.ok(isAuthoritative);
  assert.equal(authorities.length, answers.length > 0 ? 0 : 1);
  return [
    rcode,
    ...answers.map(({ data }) =>
      data.kind === 'address' ? formatAddress(data.address) : data.kind === 'name' ? data.name.join('.') : data.kind,
    ),
  ];
}

test('services before endpoints before pods; each family by itself', () => {
  assert.deepEqual(ask('web.red.overlay'), [0, '10.0.0.100']);
  assert.deepEqual(ask('WEB.Red.Overlay', recordTypes.aaaa), [0, 'fd00::100']);
  assert.deepEqual(ask('web.red.overlay', recordTypes.any), [0, '10.0.0.100', 'fd00::100']);
  assert.deepEqual(ask('db.red.overlay'), [0, '10.0.0.20']);
  assert.deepEqual(ask('twin.red.overlay'), [0, '10.0.0.32', '10.0.0.33']);
  assert.deepEqual(ask('shop-0.shop.red.overlay'), [0, '10.0.0.31']);
});

test('what is not there: the name, or records of the type', () => {
  for (const name of [
    'nobody.red.overlay',
    'lost.red.overlay',
    'a.web.red.overlay',
    'web.blue.overlay',
    'far.green.overlay',
    'blue.overlay',
  ]) {
    assert.deepEqual(ask(name), [rcodes.nameError], name);
  }
  for (const name of ['red.overlay', 'overlay', 'shop.red.overlay', 'broken.red.overlay'])
    assert.deepEqual(ask(name), [rcodes.noError], name);
  assert.deepEqual(ask('web.red.overlay', 16), [rcodes.noError]);
  assert.deepEqual(ask('twin.red.overlay', recordTypes.aaaa), [rcodes.noError]);
  assert.deepEqual(ask('red.overlay', recordTypes.soa), [rcodes.noError, 'authority']);
});

test('the name of an address, and none of an address of the VPC without a name', () => {
  assert.deepEqual(ask('20.0.0.10.in-addr.arpa', recordTypes.ptr), [0, 'db.red.overlay']);
  assert.deepEqual(ask('99.0.0.10.in-addr.arpa', recordTypes.ptr), [rcodes.nameError]);
  assert.deepEqual(ask('20.0.0.10.in-addr.arpa'), [rcodes.noError]);
});

test('other names go to the host, or are none; names of VPCs never go out', () => {
  for (const name of ['example.org', '1.1.168.192.in-addr.arpa', '0.10.in-addr.arpa', 'overlay.example', '']) {
    assert.equal(decide(queryOf(name, recordTypes.a), zones).kind, 'forward', name);
    assert.equal(answerTo(queryOf(name, recordTypes.a), { ...zones, forwards: false }).rcode, rcodes.nameError);
  }
  const green = { ...zones, names: new Map([...readNames(networks, catalog)]) };
  assert.equal(answerTo(queryOf('far.green.overlay', recordTypes.a), green).answers.length, 1);
});

test('queries that are not as they should be', () => {
  const rcodeOf = (more: Partial<DnsMessage>): number => answerTo(queryOf('web.red.overlay', recordTypes.a, more)).rcode;
  const question = { name: nameOf('web.red.overlay'), type: recordTypes.a, recordClass: internetClass };
  assert.equal(rcodeOf({ questions: [] }), rcodes.formatError);
  assert.equal(rcodeOf({ questions: [question, question] }), rcodes.formatError);
  assert.equal(rcodeOf({ questions: [{ ...question, recordClass: 3 }] }), rcodes.refused);
  assert.equal(rcodeOf({ questions: [{ ...question, type: recordTypes.axfr }] }), rcodes.refused);
  assert.equal(rcodeOf({ opcode: 5 }), rcodes.notImplemented);
  assert.equal(rcodeOf({ edns: { udpBytes: 512, version: 1, dnssecOk: false } }), rcodes.badVersion);
  assert.equal(answerTo(queryOf('web.red.overlay', 1, { edns: { udpBytes: 512, version: 0, dnssecOk: true } })).edns?.version, 0);
});

test('addresses of names below arpa', () => {
  assert.equal(addressOfReverse(nameOf('3.2.1.10.IN-ADDR.arpa')), addressHex('10.1.2.3'));
  const digits = addressHex('fd00::1:abcd').split('').toReversed();
  assert.equal(addressOfReverse([...digits, 'ip6', 'arpa']), addressHex('fd00::1:abcd'));
  for (const labels of [['in-addr', 'arpa'], ['1', '2', '3', 'in-addr', 'arpa'], ['256', '1', '1', '1', 'in-addr', 'arpa'], ['a'], []]) {
    assert.equal(addressOfReverse(labels), undefined);
  }
});

test('limits: addresses of a name, letters of a name', () => {
  const many = Object.fromEntries(
    Array.from({ length: addressesLimit + 1 }, (_, at) => [podNameKey('red', 'many', 'one', `c${at}`), { addresses: [`10.0.1.${at}`] }]),
  );
  assert.equal(readNames(networks, catalogOf(many)).get('red')?.addresses.get('many')?.length, addressesLimit);
  assert.equal(usableName('Web-1.Shop'), 'web-1.shop');
  for (const text of ['', 'a/b', 'a..b', '-a', 'a-', 'ä', 'a'.repeat(64), Array.from({ length: 70 }, () => 'a').join('.')]) {
    assert.equal(usableName(text), undefined, text);
  }
});
