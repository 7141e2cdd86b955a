import { connect, type Socket } from 'node:net';
import { Connection } from '../../src/amqp/connection.ts';
import { SlabPool } from '../../src/amqp/transmit-buffer.ts';
import { ValueWriter } from '../../src/amqp/value-writer.ts';
import { silentLogger } from '../../src/base/log.ts';
import { encodeControlMessage } from '../../src/forwarding/control-codec.ts';
import { Neighbour } from '../../src/forwarding/neighbour.ts';
import { MachineSocket } from '../../src/host/machine-socket.ts';
import { processClock } from '../../src/host/process-clock.ts';
import { processRandom } from '../../src/host/process-random.ts';
import { TurnQueue } from '../../src/host/turn.ts';
import { helloAddress, linkStateFloodAddress, mobileAddressFloodAddress, nodeName } from '../../src/routing/control-address.ts';
import type { ControlMap } from '../../src/routing/control-message.ts';
import {
  absoluteUpdateBody,
  addressDescription,
  helloBody,
  linkStateUpdateBody,
  routerAdvertisementBody,
} from '../../src/routing/message-body.ts';
import { Treatment } from '../../src/routing/route-table.ts';

const helloMs = 500;
/** Longer than it takes to measure; a router that is not heard of for a minute is forgotten. */
const advertisementMs = 15_000;
const instance = 1_700_000_000;

/** The name of an invented router; 0 is the one that is linked. */
export function inventedId(index: number): string {
  return `site-${String(index).padStart(4, '0')}`;
}

export interface InventedNetworkOptions {
  readonly port: number;
  /** Router id of the real router. */
  readonly routerId: string;
  readonly sites: number;
  readonly services: number;
}

/**
 * One neighbour that tells a real router, over a real link, of a network behind it: sites in a random tree with as many links again, each
 * service offered by two of them and listened for by two others.
 */
export class InventedNetwork implements Disposable {
  readonly #options: InventedNetworkOptions;
  readonly #socket: Socket;
  readonly #turns = new TurnQueue();
  readonly #writer = new ValueWriter(4096);
  readonly #neighbour: Neighbour;
  readonly #machine: MachineSocket;
  #timers: NodeJS.Timeout[] = [];

  private constructor(options: InventedNetworkOptions, socket: Socket) {
    this.#options = options;
    this.#socket = socket;
    const nothing = (): void => undefined;
    this.#neighbour = new Neighbour(
      1,
      true,
      1,
      {
        opened: nothing,
        controlUp: () => this.#tell(),
        controlMessage: nothing,
        message: nothing,
        relieved: nothing,
        down: nothing,
      },
      processRandom(),
      silentLogger,
    );
    this.#neighbour.connection = new Connection(
      {
        client: true,
        containerId: inventedId(0),
        hostname: null,
        sasl: { client: { mechanisms: ['ANONYMOUS'] } },
        maxFrameSize: 65_536,
        idleTimeoutMs: 60_000,
        handshakeTimeoutMs: 5000,
        capabilities: ['ANONYMOUS-RELAY', 'qd.streaming-links'],
        slabs: new SlabPool(),
      },
      this.#neighbour,
    );
    this.#machine = new MachineSocket(socket, this.#neighbour.connection, processClock, this.#turns);
  }

  static async start(options: InventedNetworkOptions): Promise<InventedNetwork> {
    const socket = connect(options.port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new InventedNetwork(options, socket);
  }

  #send(index: number, to: string, opcode: string, body: ControlMap): void {
    const id = inventedId(index);
    const trace = index === 0 ? [] : [nodeName(id)];
    const message = { to, opcode, body, ingress: nodeName(id), trace: [...trace, nodeName(inventedId(0))] };
    this.#neighbour.sendControl(encodeControlMessage(this.#writer, message));
    this.#turns.touch();
  }

  #tell(): void {
    const hello = (): void => this.#send(0, helloAddress, 'HELLO', helloBody(inventedId(0), instance, [this.#options.routerId]));
    const advertise = (): void => {
      for (let index = 0; index < this.#options.sites - 1; index++) {
        const body = routerAdvertisementBody({ id: inventedId(index), instance, linkStateSequence: 1, mobileSequence: 1 });
        this.#send(index, linkStateFloodAddress, 'RA', body);
      }
    };
    hello();
    this.#timers = [setInterval(hello, helloMs), setInterval(advertise, advertisementMs)];
    this.#tellStates();
    advertise();
  }

  #tellStates(): void {
    const { sites, services, routerId } = this.#options;
    const count = sites - 1;
    const peers = inventedLinks(count);
    peers[0]?.set(routerId, 1);
    for (let index = 0; index < count; index++) {
      const id = inventedId(index);
      const own = Array.from({ length: services }, (_, service) => service);
      const listeners = own.filter((service) => (service * 7 + 3) % count === index || (service * 13 + 5) % count === index);
      const offered = own.filter((service) => service % count === index || (service * 11 + 1) % count === index);
      const site = new Map<string, string | readonly string[]>([
        ['name', id],
        ['version', '0.1.0'],
        ['namespace', 'default'],
        ['platform', 'linux'],
        ['listeners', listeners.map(inventedKey)],
        ['types', offered.map((service) => `http ${inventedKey(service)}`)],
      ]);
      const state = { id, instance, linkStateSequence: 1, peers: peers[index] ?? new Map(), site };
      this.#send(index, linkStateFloodAddress, 'LSU', linkStateUpdateBody(state));
      const exist = offered.map((service) => addressDescription(`M${inventedKey(service)}`, Treatment.balanced, 0));
      this.#send(index, mobileAddressFloodAddress, 'MAU', absoluteUpdateBody(id, 1, exist));
    }
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#neighbour.connection.close();
    this.#turns.touch();
    this.#machine.destroy();
    this.#socket.destroy();
  }
}

function inventedKey(service: number): string {
  return `service-${service}.team-${service % 40}`;
}

/** A tree with as many links again; costs 1 to 3. */
function inventedLinks(count: number): Map<string, number>[] {
  const peers = Array.from({ length: count }, () => new Map<string, number>());
  let state = 1;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const join = (a: number, b: number): void => {
    if (a === b) return;
    const cost = 1 + below(3);
    peers[a]?.set(inventedId(b), cost);
    peers[b]?.set(inventedId(a), cost);
  };
  for (let index = 1; index < count; index++) join(index, below(index));
  for (let index = 1; index < count; index++) join(index, below(count));
  return peers;
}
