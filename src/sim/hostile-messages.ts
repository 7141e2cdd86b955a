import { ValueWriter } from '../amqp/value-writer.ts';
import { encodeControlMessage } from '../forwarding/control-codec.ts';
import { helloAddress, nodeName } from '../routing/control-address.ts';
import type { ControlMap, ControlMessage, ControlValue } from '../routing/control-message.ts';
import { LinkStateContent, writeAddresses, writeLinkState } from '../routing/record-content.ts';
import { credentialSlot, firstAddressSlot, linkStateSlot, parseRecord, signRecord } from '../routing/signed-record.ts';
import type { SignedRecord } from '../routing/signed-record.ts';
import type { RoutingTrust } from '../routing/trust.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Routing messages and records it remembers, to send them again. */
const maxRemembered = 64;
const recordsAddress = 'amqp:/_local/caravan';
const floodAddress = 'amqp:/_topo/0/all/qdrouter';
/** Boot time that it gives in its own name. */
const bootSeconds = 1_767_225_600;
/** Its lies about others are of a life that those will not reach. */
const stolenEpoch = 900_000;

/** What a hostile router knows of the network, and signs with. */
export interface HostileKnowledge {
  readonly id: string;
  readonly trust: RoutingTrust | undefined;
  /** The router that it is linked to. */
  readonly victimId: string;
  readonly routerIds: readonly string[];
  /** Addresses that others offer. */
  readonly addresses: readonly string[];
}

/** Makes routing messages that no honest router sends. */
export class HostileMessages {
  readonly #knowledge: HostileKnowledge;
  readonly #writer = new ValueWriter(1024);
  readonly #messages: Uint8Array[] = [];
  readonly #records: SignedRecord[] = [];
  /** Above whatever its own router says in its name. */
  #sequence = 1_000_000;

  constructor(knowledge: HostileKnowledge) {
    this.#knowledge = knowledge;
  }

  /** A message came in: it may be sent again one day. */
  remember(message: ControlMessage): void {
    const { encoded, ...plain } = message;
    keep(this.#messages, encoded === undefined ? this.#encode(plain) : this.#encode(message));
    const records = message.body.get('records');
    if (!Array.isArray(records)) return;
    for (const bytes of records as readonly ControlValue[]) {
      const record = bytes instanceof Uint8Array ? parseRecord(bytes) : undefined;
      if (record !== undefined) keep(this.#records, record);
    }
  }

  /** What can be said without being caught at it: claims in its own name, and others' names with its own credential. */
  lie(choice: number, random: SeededRandom): readonly Uint8Array[] {
    switch (choice % 4) {
      case 0:
      case 1:
        return this.#claimEverybody();
      case 2:
        return this.#steal(random);
      default:
        return this.#claimAddresses();
    }
  }

  /** Only what is broken. */
  damage(choice: number, random: SeededRandom): readonly Uint8Array[] {
    return choice % 2 === 0 ? this.#broken(random) : [this.#nonsense(random)];
  }

  /** Anything: most of it gives the sender away. */
  noise(choice: number, random: SeededRandom): readonly Uint8Array[] {
    switch (choice) {
      case 4:
      case 5:
        return [this.#spoof(random)];
      case 6:
        return [this.#inventedPeers()];
      case 7:
      case 8:
        return this.#forge(random);
      case 9:
      case 10:
        return this.#messages.length === 0 ? [] : [random.pick(this.#messages)];
      case 11:
        return this.#claimEverybody();
      case 12:
        return this.#steal(random);
      case 13:
        return [this.#own('REC', [['statements', [randomOctets(random, 40)]]])];
      case 14:
        return this.#storm();
      case 15:
        return [
          this.#own('SUM', [
            ['after', ''],
            ['upTo', '\uffff'],
            ['entries', randomOctets(random, 60)],
          ]),
        ];
      default:
        return this.damage(choice, random);
    }
  }

  /** A message that came, with wrong octets, or cut short. */
  #broken(random: SeededRandom): readonly Uint8Array[] {
    if (this.#messages.length === 0) return [];
    const bytes = random.pick(this.#messages).slice();
    for (let flips = 1 + random.below(6); flips > 0; flips--) bytes[random.below(bytes.length)] = random.below(256);
    return [random.chance(0.2) ? bytes.subarray(0, random.below(bytes.length)) : bytes];
  }

  /** A body of random fields. */
  #nonsense(random: SeededRandom): Uint8Array {
    const { id, victimId } = this.#knowledge;
    const scalar = (): ControlValue => random.pick<ControlValue>([null, true, '', id, -1, 2 ** 53, 1e9, 0.5, [], new Map()]);
    const fields: [string, ControlValue][] = [];
    const keys = [
      'id',
      'pv',
      'area',
      'instance',
      'seen',
      'ls_seq',
      'mobile_seq',
      'ls',
      'add',
      'del',
      'exist',
      'caravan',
      'records',
      'entries',
    ];
    for (const key of keys) if (random.chance(0.6)) fields.push([key, key === 'id' && random.chance(0.7) ? id : scalar()]);
    // A true version, or everything would be refused for its version.
    if (random.chance(0.7)) fields.push(['pv', 1]);
    const all = [floodAddress, '_topo/0/all/qdrouter.ma', `amqp:/_topo/0/${victimId}/qdrouter`];
    const to = random.pick([helloAddress, recordsAddress, ...all]);
    return this.#message(random.pick(['HELLO', 'RA', 'LSU', 'LSR', 'MAU', 'MAR', 'REC', 'SUM', '']), to, fields);
  }

  /** Unsigned news in the name of a router that signs: it has restarted, its link state is new, its addresses are gone. */
  #spoof(random: SeededRandom): Uint8Array {
    const id = random.pick(this.#knowledge.routerIds);
    const head: [string, ControlValue][] = [
      ['id', id],
      ['area', '0'],
      ['instance', 2_000_000_000],
    ];
    const sequence = 1_000_000_000;
    switch (random.below(3)) {
      case 0:
        return this.#message('RA', floodAddress, [...head, ['pv', 1], ['ls_seq', sequence], ['mobile_seq', sequence]]);
      case 1:
        return this.#message('LSU', floodAddress, [...head, ['pv', 1], ...linkState(id, sequence, new Map([[this.#knowledge.id, 1]]))]);
      default:
        return this.#message('MAU', '_topo/0/all/qdrouter.ma', [...head, ['pv', 2], ['mobile_seq', sequence], ['exist', []]]);
    }
  }

  /** Its own link state, which names more routers than there can be. */
  #inventedPeers(): Uint8Array {
    const { id } = this.#knowledge;
    const peers = new Map<string, ControlValue>(Array.from({ length: 127 }, (_, number) => [`ghost-${number}`, 1]));
    return this.#message('LSU', floodAddress, [['id', id], ['area', '0'], ['pv', 1], ['instance', 1], ...linkState(id, 1_000_000, peers)]);
  }

  /** A newer record of somebody else, signed with its own key: under the name of that key, or of the other's. */
  #forge(random: SeededRandom): readonly Uint8Array[] {
    const { id, trust } = this.#knowledge;
    const others = this.#records.filter(({ origin }) => origin !== id);
    if (trust === undefined || others.length === 0) return [];
    const { slot, origin, epoch, nonce, sequence, keyId, payload } = random.pick(others);
    const nextLife = random.chance(0.5);
    const fields = { slot, origin, epoch: epoch + (nextLife ? 1000 : 0), nonce, sequence: sequence + 1 + random.below(1000), payload };
    const signer = random.chance(0.3) ? trust : { keyId, sign: (bytes: Uint8Array): Uint8Array => trust.sign(bytes) };
    return [this.#recordMessage([signRecord(fields, signer)])];
  }

  /** Its own link state, properly signed: everybody is its near neighbour. */
  #claimEverybody(): readonly Uint8Array[] {
    const peers = this.#knowledge.routerIds.map((routerId) => ({ routerId, cost: 1, isUnsigned: false }));
    return this.#signOwn(linkStateSlot, this.#linkState(peers));
  }

  #linkState(peers: LinkStateContent['peers']): Uint8Array {
    const linkStateSequence = this.#sequence;
    return writeLinkState(new LinkStateContent({ slots: 3, instance: bootSeconds, linkStateSequence, peers, site: undefined }), 10_000)
      .payload;
  }

  /** Its own addresses, properly signed: it offers what others do. */
  #claimAddresses(): readonly Uint8Array[] {
    const addresses = new Map(this.#knowledge.addresses.map((address): [string, 3] => [`M${address}`, 3]));
    return this.#signOwn(firstAddressSlot, writeAddresses({ mobileSequence: this.#sequence, addresses }));
  }

  #signOwn(slot: number, payload: Uint8Array): readonly Uint8Array[] {
    const { id, trust } = this.#knowledge;
    if (trust === undefined) return [];
    const fields = { slot, origin: id, epoch: trust.epoch, nonce: trust.nonce, sequence: this.#sequence++, payload };
    return [this.#recordMessage([signRecord(fields, trust)])];
  }

  /** Another router's name, existing or not, with its own credential under it; then that router's links. */
  #steal(random: SeededRandom): readonly Uint8Array[] {
    const { id, trust, routerIds } = this.#knowledge;
    if (trust === undefined) return [];
    const origin = random.chance(0.5) ? `ghost-${random.below(1000)}` : random.pick(routerIds);
    const fields = { origin, epoch: stolenEpoch, nonce: trust.nonce };
    const credential = signRecord({ ...fields, slot: credentialSlot, sequence: this.#sequence++, payload: trust.credential }, trust);
    const links = this.#linkState([{ routerId: id, cost: 1, isUnsigned: false }]);
    return [
      this.#recordMessage([credential, signRecord({ ...fields, slot: linkStateSlot, sequence: this.#sequence++, payload: links }, trust)]),
    ];
  }

  /** Its own link state again and again. */
  #storm(): readonly Uint8Array[] {
    const payload = this.#linkState([]);
    return Array.from({ length: 50 }, () => this.#signOwn(linkStateSlot, payload)).flat();
  }

  #recordMessage(records: readonly SignedRecord[]): Uint8Array {
    return this.#own('REC', [['records', records.map(({ bytes }) => bytes)]]);
  }

  /** To its neighbour, in its own name. */
  #own(opcode: string, fields: readonly (readonly [string, ControlValue])[]): Uint8Array {
    return this.#message(opcode, recordsAddress, [['id', this.#knowledge.id], ['pv', 1], ...fields]);
  }

  #message(opcode: string, to: string, fields: readonly (readonly [string, ControlValue])[]): Uint8Array {
    const node = nodeName(this.#knowledge.id);
    return this.#encode({ to, opcode, body: new Map(fields), ingress: node, trace: [node] });
  }

  #encode(message: ControlMessage): Uint8Array {
    return encodeControlMessage(this.#writer, message).slice();
  }
}

function randomOctets(random: SeededRandom, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.below(256));
}

function linkState(id: string, sequence: number, peers: ControlMap): [string, ControlValue][] {
  const content = new Map<string, ControlValue>([
    ['id', id],
    ['area', '0'],
    ['ls_seq', sequence],
    ['peers', peers],
  ]);
  return [
    ['ls_seq', sequence],
    ['ls', content],
  ];
}

function keep<T>(list: T[], item: T): void {
  if (list.length >= maxRemembered) list.shift();
  list.push(item);
}
