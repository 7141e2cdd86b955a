import { LinkStateContent, writeAddresses, writeLinkState } from '../../../src/routing/record-content.ts';
import { credentialSlot, firstAddressSlot, linkStateSlot, payloadRoom } from '../../../src/routing/signed-record.ts';
import type { RecordFields, SignedRecord } from '../../../src/routing/signed-record.ts';
import type { Attack } from '../attack.ts';
import type { EvilRouter } from '../evil-router.ts';

const pauseMs = 100;
const signatureOctets = 64;
/** After its links came up, until others have said what is to be altered. */
const listenMs = 1_000;

/** Records of others, each slot once. */
function heard(evil: EvilRouter): SignedRecord[] {
  return [...new Map(evil.records.map((record) => [`${record.origin} ${record.slot}`, record])).values()];
}

function fieldsOf({ slot, origin, epoch, nonce, sequence, payload }: SignedRecord): RecordFields {
  return { slot, origin, epoch, nonce, sequence, payload };
}

export const ownSignature: Attack = {
  name: 'k2-own-signature',
  tries: "newer records of other routers, signed with the attacker's own key under the names of theirs",
  expected: 'kept out',
  signs: true,
  *run(evil) {
    yield listenMs;
    for (const lives of [0, 1]) {
      for (const { slot, origin, epoch, nonce, sequence, keyId, payload } of heard(evil)) {
        evil.sayRecords(evil.sign({ slot, origin, epoch: epoch + lives, nonce, sequence: sequence + 1, payload }, keyId));
      }
      yield pauseMs;
    }
  },
};

export const ownKey: Attack = {
  name: 'k2-own-key',
  tries: "newer records of other routers, signed with the attacker's own key and naming it",
  expected: 'no effect',
  signs: true,
  *run(evil) {
    yield listenMs;
    for (let round = 0; round < 20; round++) {
      for (const record of heard(evil).filter(({ slot }) => slot !== credentialSlot)) {
        evil.sayRecords(evil.sign({ ...fieldsOf(record), epoch: record.epoch + round, sequence: record.sequence + 1 }));
      }
      yield pauseMs;
    }
  },
};

export const garbageSignature: Attack = {
  name: 'k2-garbage-signature',
  tries: 'newer records of other routers with octets in place of a signature',
  expected: 'kept out',
  signs: true,
  *run(evil) {
    yield listenMs;
    for (const record of heard(evil)) {
      const [newer] = evil.sign({ ...fieldsOf(record), sequence: record.sequence + 1 }, record.keyId);
      if (newer === undefined) continue;
      for (const octet of [0, 0xff]) {
        const bytes = newer.bytes.slice();
        bytes.fill(octet, bytes.length - signatureOctets);
        evil.sayRecords([bytes]);
      }
    }
    yield pauseMs;
  },
};

export const alteredRecord: Attack = {
  name: 'k2-altered',
  tries: "other routers' own records, with each of their octets altered in turn",
  expected: 'kept out',
  signs: true,
  *run(evil) {
    yield listenMs;
    const [record] = heard(evil).filter(({ slot }) => slot === linkStateSlot);
    if (record === undefined) return;
    // The first octets are kind, slot, origin, epoch, nonce, sequence and key: all of these, then some of the payload.
    for (let at = 0; at < record.bytes.length; at += at < 80 ? 1 : 13) {
      const bytes = record.bytes.slice();
      bytes[at] ^= 1;
      evil.sayRecords([bytes]);
      if (at % 8 === 0) yield 20;
    }
  },
};

export const replay: Attack = {
  name: 'k2-replay',
  tries: 'everything that other routers have said, again, also after it was taken back',
  expected: 'no effect',
  signs: false,
  *run(evil) {
    yield listenMs;
    for (let round = 0; round < 5; round++) {
      for (const message of evil.messages.filter(({ opcode }) => opcode !== 'HELLO')) evil.resend(message);
      evil.sayRecords(evil.records);
      yield 4 * pauseMs;
    }
  },
};

export const ownExtremes: Attack = {
  name: 'k4-own-extremes',
  tries: 'its own records with the largest epochs and sequences, and with numbers beyond what can be counted',
  expected: 'kept out',
  signs: true,
  *run(evil) {
    const { trust } = evil;
    if (trust === undefined) return;
    const content = new LinkStateContent({ slots: 2, instance: 1, linkStateSequence: 1, peers: [], site: undefined });
    const { payload } = writeLinkState(content, payloadRoom(evil.id));
    const largest = Number.MAX_SAFE_INTEGER;
    for (const [epoch, sequence] of [
      [trust.epoch, largest],
      [largest, 1],
      [largest, largest],
    ] as const) {
      evil.sayRecords(evil.sign({ slot: linkStateSlot, origin: evil.id, epoch, nonce: trust.nonce, sequence, payload }));
      yield pauseMs;
    }
    const [record] = evil.sign({ slot: linkStateSlot, origin: evil.id, epoch: largest, nonce: trust.nonce, sequence: largest, payload });
    if (record === undefined) return;
    const beyond = record.bytes.slice();
    beyond.fill(0xff, 7 + evil.id.length, 7 + evil.id.length + 8);
    evil.sayRecords([beyond]);
    yield pauseMs;
  },
};

export const sinkhole: Attack = {
  name: 'sinkhole',
  tries: 'its own link state, properly signed, in which it is the neighbour of everybody',
  expected: 'no effect',
  signs: true,
  *run(evil) {
    for (let round = 0; round < 20; round++) {
      const peers = evil.others.map((routerId) => ({ routerId, cost: 1, isUnsigned: round % 2 === 1 }));
      const content = new LinkStateContent({ slots: 2, instance: 1, linkStateSequence: 1_000 + round, peers, site: undefined });
      evil.sayRecords(evil.signOwn(linkStateSlot, writeLinkState(content, payloadRoom(evil.id)).payload));
      yield pauseMs;
    }
  },
};

export const inventedPeers: Attack = {
  name: 'k5-invented-peers',
  tries: 'its own link state, properly signed, with more neighbours that do not exist than a router may have',
  expected: 'no effect',
  signs: true,
  *run(evil) {
    for (let round = 0; round < 10; round++) {
      const peers = Array.from({ length: 1_024 }, (_, at) => ({
        routerId: `ghost-${round * 1_024 + at}`,
        cost: 1,
        isUnsigned: at % 2 === 0,
      }));
      const content = new LinkStateContent({ slots: 2, instance: 1, linkStateSequence: 1_000 + round, peers, site: undefined });
      evil.sayRecords(evil.signOwn(linkStateSlot, writeLinkState(content, payloadRoom(evil.id)).payload));
      yield pauseMs;
    }
  },
};

const inventedOrigins = 10_000;
const originsAtATime = 200;

export const selfMadeCredentials: Attack = {
  name: 'k5-self-made-credentials',
  tries: '10,000 routers that do not exist, with credentials that the attacker has made itself',
  expected: 'no effect',
  signs: true,
  *run(evil) {
    const { trust } = evil;
    if (trust === undefined) return;
    let batch: SignedRecord[] = [];
    for (let number = 0; number < inventedOrigins; number++) {
      // Its own credential with one octet altered: each is another one, and reads like a certificate.
      const payload = trust.credential.slice();
      payload[2 + (number % (payload.length - 2))] ^= 1 + (number % 255);
      batch.push(...evil.sign({ slot: credentialSlot, origin: `ghost-${number}`, epoch: 1, nonce: trust.nonce, sequence: 1, payload }));
      if (batch.length < originsAtATime) continue;
      evil.sayRecords(batch);
      batch = [];
      yield 20;
      while (evil.isCongested) yield 20;
    }
  },
};

export const credentialSwap: Attack = {
  name: 'credential-swap',
  tries: "its own credential as another router's, another router's as its own, and many of its own in turn",
  expected: 'cut off',
  signs: true,
  *run(evil) {
    yield listenMs;
    const { trust } = evil;
    if (trust === undefined) return;
    for (const record of heard(evil).filter(({ slot }) => slot === credentialSlot)) {
      evil.sayRecords(evil.sign({ ...fieldsOf(record), epoch: record.epoch + 1, payload: trust.credential }));
      yield pauseMs;
      evil.sayRecords(evil.signOwn(credentialSlot, record.payload));
      yield pauseMs;
    }
    for (let number = 0; number < 200; number++) {
      const payload = trust.credential.slice();
      payload[payload.length - 1 - (number % 64)] ^= 1 + number;
      evil.sayRecords(evil.signOwn(credentialSlot, payload));
      yield 5;
    }
  },
};

/** Made before they are sent, at 1e5 a second: signing takes longer than sending. */
const stormUpdates = 100_000;
const updatesAtATime = 1_000;

export const updateStorm: Attack = {
  name: 'update-storm',
  tries: '100,000 valid updates of its own in a second',
  expected: 'no effect',
  signs: true,
  *run(evil) {
    const content = new LinkStateContent({ slots: 3, instance: 1, linkStateSequence: 1, peers: [], site: undefined });
    const { payload } = writeLinkState(content, payloadRoom(evil.id));
    const addresses = writeAddresses({ mobileSequence: 1, addresses: new Map([['Mevil.x', 3]]) });
    const updates: SignedRecord[] = [];
    while (updates.length < stormUpdates) {
      for (let count = 0; count < updatesAtATime / 2; count++) {
        updates.push(...evil.signOwn(linkStateSlot, payload), ...evil.signOwn(firstAddressSlot, addresses));
      }
      yield 1;
    }
    for (let at = 0; at < updates.length; at += updatesAtATime) {
      evil.sayRecords(updates.slice(at, at + updatesAtATime));
      yield 10;
      while (evil.isCongested) yield 1;
    }
  },
};

export const slotFlood: Attack = {
  name: 'slot-flood',
  tries: 'every slot that it has, filled to the last octet, again and again',
  expected: 'no effect',
  signs: true,
  *run(evil) {
    for (let round = 0; round < 3; round++) {
      for (let slot = firstAddressSlot; slot < 256; slot++) {
        const addresses = new Map(
          Array.from({ length: 50 }, (_, at): [string, 3] => [`Mevil.${round}.${slot}.${at}.${'x'.repeat(900)}`, 3]),
        );
        evil.sayRecords(evil.signOwn(slot, writeAddresses({ mobileSequence: round + 1, addresses })));
        if (slot % 16 === 0) yield 20;
        while (evil.isCongested) yield 20;
      }
    }
  },
};
