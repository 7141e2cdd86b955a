import { AddressGrant } from '../base/address-grant.ts';
import { ValueWriter } from '../amqp/value-writer.ts';
import { encodeControlMessage } from '../forwarding/control-codec.ts';
import type { Consumer } from '../forwarding/leg.ts';
import type { Neighbour, NeighbourHandler } from '../forwarding/neighbour.ts';
import type { ControlPlane } from '../router/control-plane.ts';
import { helloAddress, nodeName } from '../routing/control-address.ts';
import type { ControlMap, ControlMessage, ControlValue } from '../routing/control-message.ts';
import { LinkStateContent, writeLinkState } from '../routing/record-content.ts';
import { credentialSlot, linkStateSlot, parseRecord, signRecord } from '../routing/signed-record.ts';
import type { SignedRecord } from '../routing/signed-record.ts';
import type { RoutingTrust } from '../routing/trust.ts';
import { Refusal } from '../services/tcp/listener.ts';
import type { Machine } from './machine.ts';
import { SeededRandom } from './seeded-random.ts';
import { Cable } from './virtual-link.ts';
import type { VirtualRouter } from './virtual-router.ts';
import type { World } from './world.ts';

export const hostileId = 'evil';
/** What its credential grants it to announce. */
export const hostileAdvertise: readonly string[] = ['evil.*'];
/** It comes back this long after it was thrown out. */
const redialMs = 1000;
/** Routing messages and records it remembers, to send them again. */
const maxRemembered = 64;
const recordsAddress = 'amqp:/_local/caravan';

/** What the hostile router has sent, and to which addresses somebody sent it messages. */
export interface HostileObserver {
  hostileTook(address: string): void;
}

/**
 * A router with a link of its own and perhaps a credential of its own, which takes part in routing like any other and beside that sends what no honest
 * router sends: broken, old and forged messages, claims about others, and offers of services that are not its own.
 */
export class HostileRouter {
  readonly process: VirtualRouter;
  readonly #world: World;
  readonly #victim: Machine;
  readonly #trust: RoutingTrust | undefined;
  readonly #writer = new ValueWriter(1024);
  readonly #cable = new Cable();
  /** Its link to the victim, while that is up. */
  #neighbour: Neighbour | undefined;
  readonly #messages: Uint8Array[] = [];
  readonly #records: SignedRecord[] = [];
  #sequence = 1_000_000;

  constructor(world: World, victim: Machine, observer: HostileObserver) {
    this.#world = world;
    this.#victim = victim;
    this.#trust = world.plan.hostileSigns ? lyingTrust(world) : undefined;
    this.process = world.network.start(hostileId, {
      random: world.network.random.split(hostileId),
      observe: (control) => this.#watch(control),
      routing: { instance: 1_767_225_600, ...(this.#trust === undefined ? {} : { trust: this.#trust }) },
    });
    if (world.plan.isStrict) {
      for (const address of new Set(world.plan.offers.map((offer) => offer.address))) {
        const thief: Consumer = {
          outstanding: 0,
          deliver: (_head, upstream) => {
            observer.hostileTook(address);
            return new Refusal(upstream);
          },
        };
        this.process.control.forwarder.addConsumer(address, thief);
      }
    }
    this.process.after(500, () => this.#dial());
  }

  #dial(): void {
    const acceptor = this.#victim.process;
    if (acceptor === undefined) {
      this.process.after(redialMs, () => this.#dial());
      return;
    }
    const proven = this.#victim.signs ? this.#victim.id : undefined;
    const first = { dialled: true, cost: 1, provenRouterId: proven };
    const link = this.#world.network.connect(
      this.process,
      acceptor,
      first,
      { dialled: false, cost: 1, provenRouterId: hostileId },
      this.#cable,
    );
    link.onEnd = (end): void => {
      if (end === 0) this.process.after(redialMs, () => this.#dial());
    };
  }

  #watch(control: ControlPlane): NeighbourHandler {
    return {
      opened: (neighbour, open): void => control.opened(neighbour, open),
      controlUp: (neighbour): void => {
        this.#neighbour = neighbour;
        control.controlUp(neighbour);
      },
      controlMessage: (neighbour, message): void => {
        this.#remember(message);
        control.controlMessage(neighbour, message);
      },
      message: (neighbour, delivery, bytes, start, end, more): void => control.message(neighbour, delivery, bytes, start, end, more),
      relieved: (): void => control.relieved(),
      down: (neighbour, error): void => {
        if (this.#neighbour === neighbour) this.#neighbour = undefined;
        control.down(neighbour, error);
      },
    };
  }

  #remember(message: ControlMessage): void {
    const { encoded, ...plain } = message;
    keep(this.#messages, encoded === undefined ? this.#encode(plain) : this.#encode(message));
    const records = message.body.get('records');
    if (!Array.isArray(records)) return;
    for (const bytes of records as readonly ControlValue[]) {
      const record = bytes instanceof Uint8Array ? parseRecord(bytes) : undefined;
      if (record !== undefined) keep(this.#records, record);
    }
  }

  /** Does something that the numbers determine. */
  act(choice: number, salt: number): void {
    const neighbour = this.#neighbour;
    if (neighbour === undefined) return;
    const random = new SeededRandom(salt);
    for (const bytes of this.#messagesFor(choice, random)) neighbour.sendControl(bytes);
    this.process.touch();
  }

  #messagesFor(choice: number, random: SeededRandom): readonly Uint8Array[] {
    // Routers that do not sign believe whatever is said in another's name: there only broken messages are of use.
    if (!this.#world.plan.isStrict || choice < 4) return choice % 2 === 0 ? this.#broken(random) : [this.#nonsense(random)];
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
        return this.#inventOrigin(random);
      case 13:
        return [this.#encode(message('REC', recordsAddress, [['statements', [Uint8Array.from({ length: 40 }, () => random.below(256))]]]))];
      case 14:
        return this.#storm();
      default:
        return [
          this.#encode(
            message('SUM', recordsAddress, [
              ['after', ''],
              ['upTo', '\uffff'],
              ['entries', Uint8Array.from({ length: 60 }, () => random.below(256))],
            ]),
          ),
        ];
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
    const scalar = (): ControlValue => random.pick<ControlValue>([null, true, '', hostileId, -1, 2 ** 53, 1e9, 0.5, [], new Map()]);
    const fields: [string, ControlValue][] = [];
    for (const key of [
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
    ]) {
      if (random.chance(0.6)) fields.push([key, key === 'id' && random.chance(0.7) ? hostileId : scalar()]);
    }
    // A true version, or everything would be refused for its version.
    if (random.chance(0.7)) fields.push(['pv', 1]);
    const all = ['amqp:/_topo/0/all/qdrouter', '_topo/0/all/qdrouter.ma', `amqp:/_topo/0/${this.#victim.id}/qdrouter`];
    const to = random.pick([helloAddress, recordsAddress, ...all]);
    return this.#encode(message(random.pick(['HELLO', 'RA', 'LSU', 'LSR', 'MAU', 'MAR', 'REC', 'SUM', '']), to, fields));
  }

  /** Unsigned news in the name of a router that signs: it has restarted, its link state is new, its addresses are gone. */
  #spoof(random: SeededRandom): Uint8Array {
    const id = random.pick(this.#world.machines).id;
    const head: [string, ControlValue][] = [
      ['id', id],
      ['area', '0'],
      ['instance', 2_000_000_000],
    ];
    const sequence = 1_000_000_000;
    switch (random.below(3)) {
      case 0:
        return this.#encode(
          message('RA', 'amqp:/_topo/0/all/qdrouter', [...head, ['pv', 1], ['ls_seq', sequence], ['mobile_seq', sequence]]),
        );
      case 1:
        return this.#encode(
          message('LSU', 'amqp:/_topo/0/all/qdrouter', [...head, ['pv', 1], ...linkState(id, sequence, new Map([[hostileId, 1]]))]),
        );
      default:
        return this.#encode(message('MAU', '_topo/0/all/qdrouter.ma', [...head, ['pv', 2], ['mobile_seq', sequence], ['exist', []]]));
    }
  }

  /** Its own link state, which names more routers than there can be. */
  #inventedPeers(): Uint8Array {
    const peers = new Map<string, ControlValue>(Array.from({ length: 127 }, (_, number) => [`ghost-${number}`, 1]));
    return this.#encode(
      message('LSU', 'amqp:/_topo/0/all/qdrouter', [
        ['id', hostileId],
        ['area', '0'],
        ['pv', 1],
        ['instance', 1],
        ...linkState(hostileId, 1_000_000, peers),
      ]),
    );
  }

  /** A newer record of somebody else, signed with its own key. */
  #forge(random: SeededRandom): readonly Uint8Array[] {
    const trust = this.#trust;
    const others = this.#records.filter(({ origin }) => origin !== hostileId);
    if (trust === undefined || others.length === 0) return [];
    const { slot, origin, epoch, nonce, sequence, keyId, payload } = random.pick(others);
    const nextLife = random.chance(0.5);
    const fields = { slot, origin, epoch: epoch + (nextLife ? 1000 : 0), nonce, sequence: sequence + 1 + random.below(1000), payload };
    return [this.#recordMessage([signRecord(fields, { keyId, sign: (bytes) => trust.sign(bytes) })])];
  }

  /** Its own link state, properly signed: everybody is its neighbour. */
  #claimEverybody(): readonly Uint8Array[] {
    const peers = this.#world.machines.map(({ id }) => ({ routerId: id, cost: 1, isUnsigned: false }));
    const content = new LinkStateContent({ slots: 2, instance: 1_767_225_600, linkStateSequence: this.#sequence, peers, site: undefined });
    return this.#signOwn(linkStateSlot, writeLinkState(content, 10_000).payload);
  }

  #signOwn(slot: number, payload: Uint8Array): readonly Uint8Array[] {
    const trust = this.#trust;
    if (trust === undefined) return [];
    const fields = { slot, origin: hostileId, epoch: trust.epoch, nonce: trust.nonce, sequence: this.#sequence++, payload };
    return [this.#recordMessage([signRecord(fields, trust)])];
  }

  /** An origin that does not exist, with its own credential as that of the other. */
  #inventOrigin(random: SeededRandom): readonly Uint8Array[] {
    const trust = this.#trust;
    if (trust === undefined) return [];
    const origin = `ghost-${random.below(1000)}`;
    const fields = { slot: credentialSlot, origin, epoch: 1, nonce: trust.nonce, sequence: 1, payload: trust.credential };
    return [this.#recordMessage([signRecord(fields, trust)])];
  }

  /** Its own link state again and again. */
  #storm(): readonly Uint8Array[] {
    const content = new LinkStateContent({ slots: 2, instance: 1_767_225_600, linkStateSequence: 1, peers: [], site: undefined });
    const { payload } = writeLinkState(content, 10_000);
    return Array.from({ length: 50 }, () => this.#signOwn(linkStateSlot, payload)).flat();
  }

  #recordMessage(records: readonly SignedRecord[]): Uint8Array {
    return this.#encode(message('REC', recordsAddress, [['records', records.map(({ bytes }) => bytes)]]));
  }

  #encode(plain: ControlMessage): Uint8Array {
    return encodeControlMessage(this.#writer, plain).slice();
  }
}

/** A trust whose owner believes to be granted everything; the others go by the credential. */
function lyingTrust(world: World): RoutingTrust {
  const trust = world.authority.router({ routerId: hostileId, advertise: hostileAdvertise, consume: hostileAdvertise, epoch: 1 });
  return {
    ...trust,
    credentialOf: (bytes) => {
      const verdict = trust.credentialOf(bytes);
      return bytes === trust.credential && typeof verdict !== 'string' ? { ...verdict, advertise: new AddressGrant(['*']) } : verdict;
    },
  };
}

function message(opcode: string, to: string, fields: readonly (readonly [string, ControlValue])[]): ControlMessage {
  return { to, opcode, body: new Map(fields), ingress: nodeName(hostileId), trace: [nodeName(hostileId)] };
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
