import { absoluteUpdateBody, addressDescription, linkStateUpdateBody, routerAdvertisementBody } from '../../../src/routing/message-body.ts';
import { linkStateFloodAddress, mobileAddressFloodAddress } from '../../../src/routing/control-address.ts';
import type { ControlMap } from '../../../src/routing/control-message.ts';
import type { Attack } from '../attack.ts';
import type { EvilRouter } from '../evil-router.ts';

/** Each is said this often, so that a lost race is not the reason that it has no effect. */
const rounds = 8;
const pauseMs = 100;
const largestInt = 2 ** 31 - 1;
const largestSafe = Number.MAX_SAFE_INTEGER;

/** What an update says of a router: its neighbours, with their costs. */
export function linkState(id: string, peers: ReadonlyMap<string, number>, sequence: number, instance = 1): ControlMap {
  return linkStateUpdateBody({ id, instance, linkStateSequence: sequence, peers, site: undefined });
}

/** As a skupper-router would: the victim has restarted, is next to nobody but the attacker, and has no services any more. */
function speakAs(evil: EvilRouter, victim: string, sequence: number, instance: number): void {
  const advertisement = { id: victim, instance, linkStateSequence: sequence, mobileSequence: sequence };
  evil.say('RA', linkStateFloodAddress, routerAdvertisementBody(advertisement), victim);
  evil.say('LSU', linkStateFloodAddress, linkState(victim, new Map([[evil.id, 1]]), sequence, instance), victim);
  evil.say('MAU', mobileAddressFloodAddress, absoluteUpdateBody(victim, sequence, []), victim);
  const stolen = [addressDescription('Mstolen', 3, 0)];
  evil.say('MAU', mobileAddressFloodAddress, absoluteUpdateBody(victim, sequence + 1, stolen), victim);
}

export const unsignedSpoof: Attack = {
  name: 'k2-unsigned',
  tries: "RA, LSU and MAU in another router's name, as a skupper-router sends them",
  expected: 'no effect',
  signs: false,
  *run(evil) {
    for (let round = 1; round <= rounds; round++) {
      for (const victim of new Set([evil.victim, evil.neighbour])) speakAs(evil, victim, 1_000_000 + round * 2, 7);
      yield pauseMs;
    }
  },
};

export const otherInstance: Attack = {
  name: 'k3-instance',
  tries: 'RA of another router with another boot time, so that everybody forgets its addresses',
  expected: 'no effect',
  signs: false,
  *run(evil) {
    for (let round = 1; round <= rounds; round++) {
      const advertisement = { id: evil.victim, instance: 1_000 + round, linkStateSequence: 0, mobileSequence: 0 };
      evil.say('RA', linkStateFloodAddress, routerAdvertisementBody(advertisement), evil.victim);
      yield pauseMs;
    }
  },
};

export const hugeSequence: Attack = {
  name: 'k4-sequence',
  tries: "another router's link state and addresses with the largest sequences there are, so that its own never count again",
  expected: 'no effect',
  signs: false,
  *run(evil) {
    for (const sequence of [largestInt - 1, largestSafe - 1]) {
      speakAs(evil, evil.victim, sequence, largestInt);
      yield pauseMs;
    }
  },
};

export const sinkholeUnsigned: Attack = {
  name: 'sinkhole-unsigned',
  tries: 'a link state of its own, unsigned, in which it is the neighbour of everybody',
  expected: 'no effect',
  signs: false,
  *run(evil) {
    const everybody = new Map(evil.others.map((id): [string, number] => [id, 1]));
    for (let round = 1; round <= rounds; round++) {
      evil.say('LSU', linkStateFloodAddress, linkState(evil.id, everybody, largestInt - rounds + round));
      yield pauseMs;
    }
  },
};

/** Routers made up in all. */
const invented = 10_000;
const inventedAtATime = 500;

export const inventedRouters: Attack = {
  name: 'k5-invented',
  tries: '10,000 routers that do not exist, each with a link state, addresses and an advertisement',
  expected: 'no effect',
  signs: false,
  *run(evil) {
    for (let number = 0; number < invented; number++) {
      const id = `ghost-${number}`;
      const peers = new Map([
        [evil.id, 1],
        [`ghost-${number + 1}`, 1],
      ]);
      evil.say('LSU', linkStateFloodAddress, linkState(id, peers, 1), id);
      evil.say('MAU', mobileAddressFloodAddress, absoluteUpdateBody(id, 1, [addressDescription(`M${evil.service}`, 3, 0)]), id);
      const advertisement = { id, instance: 1, linkStateSequence: 1, mobileSequence: 1 };
      evil.say('RA', linkStateFloodAddress, routerAdvertisementBody(advertisement), id);
      if (number % inventedAtATime === 0) yield 20;
      while (evil.isCongested) yield 20;
    }
  },
};
