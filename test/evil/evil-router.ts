import { AnnotationFlag, encodeAnnotations } from '../../src/forwarding/router-annotations.ts';
import { encodeControlMessage } from '../../src/forwarding/control-codec.ts';
import type { Consumer } from '../../src/forwarding/leg.ts';
import type { Neighbour, NeighbourHandler } from '../../src/forwarding/neighbour.ts';
import { DeliveryState } from '../../src/amqp/performatives.ts';
import { ValueWriter } from '../../src/amqp/value-writer.ts';
import type { Random } from '../../src/base/random.ts';
import type { ControlPlane } from '../../src/router/control-plane.ts';
import { caravanAddress, nodeName } from '../../src/routing/control-address.ts';
import type { ControlMap, ControlMessage, ControlValue } from '../../src/routing/control-message.ts';
import { parseRecord, signRecord } from '../../src/routing/signed-record.ts';
import type { RecordFields, SignedRecord } from '../../src/routing/signed-record.ts';
import type { RoutingTrust } from '../../src/routing/trust.ts';
import { Refusal } from '../../src/services/tcp/listener.ts';
import { encodeStreamStart } from '../../src/services/tcp/stream-message.ts';

/** Messages and records of others that are kept, to be sent again, and reasons why links ended. */
const maxKept = 256;
/** As honest routers send them: octets and records of one message. */
const messageOctets = 60_000;
const messageRecords = 1_000;

export interface EvilOptions {
  readonly id: string;
  /** What it signs with; without it, it plays a router that does not sign. */
  readonly trust: RoutingTrust | undefined;
  readonly random: Random;
  /** Something is to be sent at the end of this turn. */
  readonly wake: () => void;
}

/** A message to a service or router, as this router would have it. */
export interface Forgery {
  readonly to: string;
  readonly replyTo?: string;
  /** Where it is said to come from; this router when absent, nowhere when null. */
  readonly ingress?: string | null;
  readonly trace?: readonly string[];
  /** The whole message; one that begins a stream when absent. */
  readonly message?: Uint8Array;
}

/**
 * A router with an identity of the network that does what it likes. By itself it takes part in routing like every other one, with the product's own
 * code, so that its links stand; attacks make it say more.
 */
export class EvilRouter {
  readonly id: string;
  readonly trust: RoutingTrust | undefined;
  readonly random: Random;
  /** What others have said, newest last. */
  readonly messages: ControlMessage[] = [];
  readonly records: SignedRecord[] = [];
  /** Why its links ended, newest last, and how often they came up. */
  readonly endings: string[] = [];
  linksUp = 0;
  /** Messages sent by attacks. */
  sent = 0;
  /** Messages for other people's addresses that came here. */
  taken = 0;
  /** Of its own messages: those that somebody accepted, and answers. */
  accepted = 0;
  replies = 0;
  readonly #wake: () => void;
  readonly #writer = new ValueWriter(1024);
  #control: ControlPlane | undefined;
  #link: Neighbour | undefined;
  #sequence = 1_000_000;

  constructor({ id, trust, random, wake }: EvilOptions) {
    this.id = id;
    this.trust = trust;
    this.random = random;
    this.#wake = wake;
  }

  /** Stands between its links and its control plane. */
  watch(control: ControlPlane): NeighbourHandler {
    this.#control = control;
    return {
      opened: (neighbour, open): void => control.opened(neighbour, open),
      controlUp: (neighbour): void => {
        this.linksUp++;
        this.#link = neighbour;
        control.controlUp(neighbour);
      },
      controlMessage: (neighbour, message): void => {
        this.#remember(message);
        control.controlMessage(neighbour, message);
      },
      message: (neighbour, delivery, bytes, start, end, more): void => control.message(neighbour, delivery, bytes, start, end, more),
      relieved: (): void => control.relieved(),
      down: (neighbour, error): void => {
        if (this.#link === neighbour) this.#link = undefined;
        keep(this.endings, error === undefined ? 'closed' : `${error.condition}: ${error.description}`);
        control.down(neighbour, error);
      },
    };
  }

  #remember(message: ControlMessage): void {
    keep(this.messages, message);
    const records = message.body.get('records');
    if (!Array.isArray(records)) return;
    for (const bytes of records as readonly ControlValue[]) {
      const record = bytes instanceof Uint8Array ? parseRecord(bytes) : undefined;
      if (record !== undefined && record.origin !== this.id) keep(this.records, record);
    }
  }

  get control(): ControlPlane {
    if (this.#control === undefined) throw new Error('the evil router has not been started');
    return this.#control;
  }

  get isLinked(): boolean {
    return this.#link?.isUp === true;
  }

  /** More waits for its neighbour than is of use. */
  get isCongested(): boolean {
    return this.#link?.congested === true;
  }

  /** The router at the other end of its link. */
  get neighbour(): string {
    return this.#link?.routerId ?? 'nobody';
  }

  /** All that it knows of, nearest first. */
  get others(): readonly string[] {
    const { routers, neighbours } = this.control.routingStatus;
    return [...new Set([...neighbours.keys(), ...routers.map(({ routerId }) => routerId)])].filter((id) => id !== this.id);
  }

  /** In whose name it lies: the first that is no neighbour. */
  get victim(): string {
    return this.others.find((id) => id !== this.neighbour) ?? this.neighbour;
  }

  /** A service of somebody else. */
  get service(): string {
    for (const { key, routers } of this.control.forwarder.table.addresses.values()) {
      if (key.startsWith('M') && routers.some(({ routerId }) => routerId !== this.id)) return key.slice(1);
    }
    return 'service';
  }

  /** Ids of sources of flow records, by the addresses that they offer. */
  get flowSources(): readonly string[] {
    const offered: string[] = [];
    for (const { key, routers } of this.control.forwarder.table.addresses.values()) {
      if (key.startsWith('Msfe.') && routers.some(({ routerId }) => routerId !== this.id)) offered.push(key.slice('Msfe.'.length));
    }
    return offered;
  }

  // ---- routing ----

  /** Sends a routing message; from itself unless it says otherwise. */
  say(opcode: string, to: string, body: ControlMap | readonly (readonly [string, ControlValue])[], from = this.id): void {
    const map = body instanceof Map ? body : new Map(body as readonly (readonly [string, ControlValue])[]);
    this.resend({
      to,
      opcode,
      body: map,
      ingress: nodeName(from),
      trace: from === this.id ? [nodeName(from)] : [nodeName(from), nodeName(this.id)],
    });
  }

  resend(message: ControlMessage): void {
    if (this.#link === undefined) return;
    this.sent++;
    this.#link.sendControl(encodeControlMessage(this.#writer, message).slice());
    this.#wake();
  }

  /** Sends records in as many messages as it takes. */
  sayRecords(records: readonly (SignedRecord | Uint8Array)[]): void {
    let chunk: Uint8Array[] = [];
    let octets = 0;
    const flush = (): void => {
      if (chunk.length > 0)
        this.say('REC', caravanAddress, [
          ['id', this.id],
          ['pv', 1],
          ['records', chunk],
        ]);
      chunk = [];
      octets = 0;
    };
    for (const record of records) {
      const bytes = record instanceof Uint8Array ? record : record.bytes;
      if (chunk.length >= messageRecords || octets + bytes.length > messageOctets) flush();
      chunk.push(bytes);
      octets += bytes.length;
    }
    flush();
  }

  /**
   * A record signed with its own key, of whomever it likes; it may name another key than that. A router that does not sign has nothing to sign
   * with.
   */
  sign(fields: RecordFields, keyId?: Uint8Array): SignedRecord[] {
    const { trust } = this;
    return trust === undefined ? [] : [signRecord(fields, { keyId: keyId ?? trust.keyId, sign: (bytes) => trust.sign(bytes) })];
  }

  /** A record of its own, newer than all before. */
  signOwn(slot: number, payload: Uint8Array): SignedRecord[] {
    const { trust } = this;
    if (trust === undefined) return [];
    return this.sign({ slot, origin: this.id, epoch: trust.epoch, nonce: trust.nonce, sequence: ++this.#sequence, payload });
  }

  // ---- messages ----

  /** Offers a service that is not its own, and refuses what comes. */
  offer(address: string): void {
    const thief: Consumer = {
      outstanding: 0,
      deliver: (_head, upstream) => {
        this.taken++;
        return new Refusal(upstream);
      },
    };
    this.control.forwarder.addConsumer(address, thief);
    this.#wake();
  }

  /** An address of its own for answers. */
  ear(): string {
    return this.control.forwarder.addTemporary({
      outstanding: 0,
      deliver: (_head, upstream) => {
        this.replies++;
        return new Refusal(upstream);
      },
    });
  }

  /** Sends a message straight to its neighbour, past its own forwarding. */
  deliver({ to, replyTo, ingress = nodeName(this.id), trace = [nodeName(this.id)], message }: Forgery): void {
    const link = this.#link?.priorityLink(4);
    if (link === undefined) return;
    const writer = new ValueWriter(512);
    const flags = message === undefined ? AnnotationFlag.streaming : 0;
    encodeAnnotations(writer, { flags, toOverride: null, ingress, trace, ingressMesh: null });
    writer.raw(message ?? encodeStreamStart(to, replyTo ?? null, `evil:${this.sent}`));
    const bytes = writer.take();
    this.sent++;
    const outgoing = link.deliver(false, {
      disposition: (delivery, state, settled): void => {
        if (state === DeliveryState.accepted || state === DeliveryState.received) this.accepted++;
        if (settled) delivery.forget();
      },
      lost: () => {},
    });
    outgoing.send(bytes, 0, bytes.length, false);
    this.#wake();
  }
}

function keep<T>(list: T[], item: T): void {
  if (list.length >= maxKept) list.shift();
  list.push(item);
}
