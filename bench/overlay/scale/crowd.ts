/**
 * Hosts of the overlay without a data path: their daemons' decisions as they are, all in this process, for the real daemons of a run. It runs in a
 * network namespace that has their addresses. `node crowd.ts FILE`, with a `CrowdPlan` in FILE; writes one line when something is done.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../../src/base/log.ts';
import type { Random } from '../../../src/base/random.ts';
import { processRandom } from '../../../src/host/process-random.ts';
import { monotonicMs } from '../../../src/overlay-host/monotonic-clock.ts';
import { PeerMesh } from '../../../src/overlay-host/peers/peer-mesh.ts';
import { addressHex, hexOf, type AddressHex } from '../../../src/overlay/control/address.ts';
import { HostControl } from '../../../src/overlay/control/host-control.ts';
import { formatMessage, messageLimits, parseMessage, type MessageRecord, type PutCall } from '../../../src/overlay/control/messages.ts';
import { ownerTable, type OwnerTable } from '../../../src/overlay/control/owner-table.ts';
import type { HostSpec, OverlaySpec, SubnetSpec } from '../../../src/overlay/control/spec.ts';
import type { TableSource } from '../../../src/overlay/control/tables.ts';
import { mappedIpv4 } from '../../../src/overlay/packet/address.ts';
import { decodeEthernet, etherType } from '../../../src/overlay/packet/ethernet.ts';
import { decodeGeneve, genevePort } from '../../../src/overlay/packet/geneve.ts';
import { decodeIpv4 } from '../../../src/overlay/packet/ipv4.ts';
import { underlayMtu } from '../sizes.ts';

export interface CrowdHost {
  readonly hostId: number;
  readonly name: string;
  readonly address: string;
}

export interface CrowdPlan {
  readonly trustFolder: string;
  readonly port: number;
  /** Hosts with daemons of their own. */
  readonly real: readonly CrowdHost[];
  readonly crowd: readonly CrowdHost[];
  readonly subnets: readonly SubnetSpec[];
  /** Endpoints that the crowd says it has: told to the real hosts that own them. */
  readonly standing: { readonly vni: number; readonly count: number };
}

/** What it writes, a line each. */
export type CrowdLine = { readonly listening: number } | { readonly told: number };

const generation = 1;
/** Calls of the standing endpoints that wait for their answers. */
const windowSize = 512;
/** Ids of those calls; the control's own begin below. */
const firstCallId = 0x80000000;
const longestSleepMs = 1000;

const plan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as CrowdPlan;
const all = [...plan.real, ...plan.crowd];
const members = all.map(({ hostId }) => hostId).toSorted((one, other) => one - other);
const tell = (line: CrowdLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const tables = new Map<number, OwnerTable>();
const tableSource: TableSource = (seed, of) => {
  const known = tables.get(seed);
  if (known !== undefined) return known;
  const made = ownerTable(seed, of);
  tables.set(seed, made);
  return made;
};

/** Generations of the real hosts are of no use to hosts without a data path. */
const spec: OverlaySpec = {
  hosts: all.map(({ hostId, address }): HostSpec => ({
    hostId,
    address: addressHex(address),
    mac: '020000000001',
    generation,
    mtu: underlayMtu,
    alive: true,
  })),
  subnets: plan.subnets,
  epochs: [{ epoch: 1, members }],
};

class Member {
  readonly host: CrowdHost;
  readonly control: HostControl;
  readonly answers = new Map<number, () => void>();
  /** Hosts of endpoints that this one owns. */
  readonly #places = new Map<AddressHex, number>();
  #mesh: PeerMesh | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(host: CrowdHost, random: Random) {
    this.host = host;
    this.control = new HostControl({
      self: { hostId: host.hostId, generation, uplinkIfindex: 1, underlayMtu, address: addressHex(host.address), mac: '020000000001' },
      // Below the ids of the standing endpoints' calls for as long as a run lasts.
      random: { fill: (target) => random.fill(target), number: () => random.number() / 4 },
      stored: [],
      bootId: 'crowd',
      tableSource,
    });
    this.control.setSpec(spec, monotonicMs());
  }

  async open(): Promise<void> {
    const { hostId, name, address } = this.host;
    const echo = createSocket('udp4');
    // As the program of a data path would: a probe goes back, a packet goes on to the host that has its destination.
    echo.on('message', (message, { port, address: from }) => {
      const packet = decodeGeneve(message);
      if (packet === undefined || packet.control) echo.send(message, port, from);
      else {
        const to = this.#placeOf(packet.payload);
        if (to !== undefined) echo.send(message, genevePort, to);
      }
    });
    echo.on('error', () => undefined);
    await new Promise<void>((resolve) => echo.bind(genevePort, address, resolve));
    this.#mesh = await PeerMesh.open({
      hello: { hostId, generation },
      address,
      port: plan.port,
      peers: plan.real.map((peer) => ({ ...peer, port: plan.port })),
      trustFolder: join(plan.trustFolder, name),
      limitBytes: messageLimits.bytes,
      log: silentLogger,
      random: Math.random,
      connected: () => undefined,
      disconnected: () => undefined,
      received: (from, text) => {
        // The catalog's and a trace's are nothing to a host without resources.
        const records = text.startsWith('[') ? parseMessage(text) : undefined;
        if (records !== undefined) this.receive(from, records);
      },
    });
    this.act();
  }

  receive(from: number, records: readonly MessageRecord[]): void {
    for (const record of records) {
      if (record.type === 'put') this.#places.set(record.address, from);
      if (record.type !== 'putAnswer') continue;
      this.answers.get(record.id)?.();
      this.answers.delete(record.id);
    }
    this.control.receive(from, records, monotonicMs());
    this.act();
  }

  /** To a real host. */
  send(to: number, records: readonly MessageRecord[]): void {
    this.#mesh?.send(to, formatMessage(records));
  }

  /** Address of the host that has the destination of an IPv4 packet. */
  #placeOf(frame: Uint8Array): string | undefined {
    const ethernet = decodeEthernet(frame);
    const ip = ethernet?.type === etherType.ipv4 ? decodeIpv4(ethernet.payload) : undefined;
    const hostId = ip === undefined ? undefined : this.#places.get(hexOf(ip.destination));
    return plan.real.find((host) => host.hostId === hostId)?.address;
  }

  isConnected(to: number): boolean {
    return this.#mesh?.connectedHosts.includes(to) === true;
  }

  act(): void {
    for (let outputs = this.control.takeOutputs(); outputs.length > 0; outputs = this.control.takeOutputs()) {
      for (const output of outputs) {
        if (output.kind !== 'send') continue;
        // Whoever is asked for a list of all says nothing: its standing endpoints are not in its control.
        const records = output.records.filter(({ type }) => type !== 'list' && type !== 'digest');
        if (records.length === 0) continue;
        const other = byId.get(output.to);
        if (other === undefined) this.send(output.to, records);
        else setImmediate(() => other.receive(this.host.hostId, records));
      }
    }
    const nowMs = monotonicMs();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.control.handleTimeout(monotonicMs());
        this.act();
      },
      Math.min(Math.max(this.control.nextDeadlineMs(nowMs) - nowMs, 1), longestSleepMs),
    );
  }
}

const byId = new Map<number, Member>();

/** 10.64.0.0 and following. */
function standingAddress(index: number): AddressHex {
  return hexOf(mappedIpv4(Uint8Array.of(10, 64 + (index >>> 16), (index >>> 8) & 255, index & 255)));
}

/** Calls that wait for their answers. */
class Window {
  #size = 0;
  #changed = Promise.withResolvers<void>();

  async take(): Promise<void> {
    await this.#until(windowSize - 1);
    this.#size++;
  }

  give(): void {
    this.#size--;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  empty(): Promise<void> {
    return this.#until(0);
  }

  async #until(most: number): Promise<void> {
    while (this.#size > most) await this.#changed.promise;
  }
}

/** Tells the real hosts of the endpoints that they own, a window of calls at a time. */
async function tellStanding(): Promise<number> {
  const { vni, count } = plan.standing;
  const realIds = new Set(plan.real.map(({ hostId }) => hostId));
  const crowd = [...byId.values()];
  let told = 0;
  let id = firstCallId;
  const calls = new Window();
  for (let index = 0; index < count; index++) {
    const address = standingAddress(index);
    const member = crowd[index % crowd.length]!;
    for (const owner of member.control.ownersOf(vni, address)) {
      if (!realIds.has(owner)) continue;
      await calls.take();
      const put: PutCall = {
        type: 'put',
        id: id++,
        sequence: id,
        epoch: 1,
        vni,
        address,
        generation: 1,
        identity: 0,
        flags: 0,
        mac: `02${(0x1000_0000 + index).toString(16).padStart(10, '0')}`,
      };
      told++;
      member.answers.set(put.id, () => calls.give());
      member.send(owner, [put]);
    }
  }
  await calls.empty();
  return told;
}

const random = processRandom();
for (const host of plan.crowd) byId.set(host.hostId, new Member(host, random));
for (const member of byId.values()) await member.open();
tell({ listening: byId.size });
const isConnected = (): boolean => [...byId.values()].every((member) => plan.real.every(({ hostId }) => member.isConnected(hostId)));
while (!isConnected()) await new Promise((resolve) => setTimeout(resolve, 100));
tell({ told: await tellStanding() });
