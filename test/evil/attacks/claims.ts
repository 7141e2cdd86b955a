import { addressDescription, absoluteUpdateBody, helloBody } from '../../../src/routing/message-body.ts';
import { caravanAddress, helloAddress, mobileAddressFloodAddress } from '../../../src/routing/control-address.ts';
import type { ControlValue } from '../../../src/routing/control-message.ts';
import { writeAddresses } from '../../../src/routing/record-content.ts';
import { firstAddressSlot, recordLayout } from '../../../src/routing/signed-record.ts';
import type { Attack } from '../attack.ts';

const pauseMs = 100;

export const advertiseAnything: Attack = {
  name: 'k1-advertise',
  tries: 'services that are not its own: those of others, and hundreds more, signed and unsigned',
  expected: 'no effect',
  signs: false,
  *run(evil) {
    const { service } = evil;
    evil.offer(service);
    for (let number = 0; number < 200; number++) evil.offer(`stolen-${number}`);
    // A skupper-router takes several seconds until it believes an address.
    yield evil.trust === undefined ? 8_000 : 2_000;
    const addresses = new Map([[`M${service}`, 1] as const, ['Mbank', 3] as const, [`M${service}.`, 3] as const]);
    evil.sayRecords(evil.signOwn(firstAddressSlot + 9, writeAddresses({ mobileSequence: 1_000, addresses })));
    const described = [...addresses.keys()].map((key) => addressDescription(key, 3, 0));
    evil.say('MAU', mobileAddressFloodAddress, absoluteUpdateBody(evil.id, 1_000_000, described));
    yield 500;
  },
};

export const helloAsAnother: Attack = {
  name: 'hello-as-another',
  tries: "HELLO in another router's name, and in the neighbour's own",
  expected: 'no effect',
  signs: false,
  *run(evil) {
    for (let round = 0; round < 20; round++) {
      for (const id of [evil.victim, evil.neighbour, 'ghost']) evil.say('HELLO', helloAddress, helloBody(id, 1, [evil.neighbour]));
      yield pauseMs;
    }
  },
};

export const digestLies: Attack = {
  name: 'digest-lies',
  tries: 'HELLOs with ever other digests, and summaries that ask for everything again and again',
  expected: 'no effect',
  signs: true,
  *run(evil) {
    for (let round = 0; round < 100; round++) {
      const caravan = new Map<string, ControlValue>([
        ['v', 1],
        ['interval', 250],
        ['records', recordLayout],
        ['epoch', 1],
        ['digest', Math.floor(evil.random.number() * 2 ** 32)],
      ]);
      evil.say('HELLO', helloAddress, [...helloBody(evil.id, 1, [evil.neighbour]), ['caravan', caravan]]);
      for (let again = 0; again < 20; again++) {
        evil.say('SUM', caravanAddress, [
          ['id', evil.id],
          ['pv', 1],
          ['after', ''],
          ['upTo', ''],
          ['entries', new Uint8Array(0)],
          ['statements', []],
        ]);
      }
      yield 20;
    }
  },
};

export const invalidStatements: Attack = {
  name: 'invalid-statements',
  tries: 'thousands of statements of no issuer, and one that revokes an honest site, signed by the attacker',
  expected: 'no effect',
  signs: true,
  *run(evil) {
    const { trust } = evil;
    if (trust === undefined) return;
    const random = (octets: number): Uint8Array => {
      const bytes = new Uint8Array(octets);
      evil.random.fill(bytes);
      return bytes;
    };
    const forged = new TextEncoder().encode(`revoked\n${evil.victim}\n`);
    const signed = new Uint8Array([...forged, ...trust.sign(forged)]);
    for (let round = 0; round < 40; round++) {
      const statements = [signed, forged, ...Array.from({ length: 50 }, () => random(400))];
      evil.say('REC', caravanAddress, [
        ['id', evil.id],
        ['pv', 1],
        ['statements', statements],
      ]);
      yield 25;
    }
  },
};

export const malformedRecords: Attack = {
  name: 'malformed',
  tries: 'REC and SUM of every broken form',
  expected: 'kept out',
  signs: true,
  *run(evil) {
    const value = (): ControlValue => {
      const values: ControlValue[] = [
        null,
        true,
        '',
        'x',
        -1,
        2 ** 40,
        [],
        new Map(),
        new Uint8Array(3),
        [new Uint8Array(200)],
        [1],
        [[[]]],
      ];
      return values[Math.floor(evil.random.number() * values.length)];
    };
    const keys = ['id', 'pv', 'records', 'statements', 'after', 'upTo', 'entries'];
    for (let round = 0; round < 200; round++) {
      const body = keys.filter(() => evil.random.number() < 0.7).map((key): [string, ControlValue] => [key, value()]);
      evil.say(round % 2 === 0 ? 'REC' : 'SUM', caravanAddress, body);
      if (round % 10 === 0) yield 20;
      const own = evil.records[Math.floor(evil.random.number() * evil.records.length)];
      // Cut short, and with octets too many.
      if (own !== undefined)
        evil.sayRecords([own.bytes.slice(0, Math.floor(evil.random.number() * own.bytes.length)), new Uint8Array([...own.bytes, 0])]);
    }
  },
};
