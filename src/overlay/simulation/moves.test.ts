import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../sim/seeded-random.ts';
import { octetsOf } from '../control/address.ts';
import { usualDurations } from '../control/durations.ts';
import type { LocalEndpoint } from '../control/host-maps.ts';
import type { MoveTicket } from '../control/local-endpoints.ts';
import { encodeEthernet, etherType } from '../packet/ethernet.ts';
import { encodeWholeIpv4, ipProtocol } from '../packet/ipv4.ts';
import { encodeUdp } from '../packet/udp.ts';
import { Cluster } from './cluster.ts';
import { Draws } from './draws.ts';
import { tenantSubnet } from './simulation.ts';
import { VirtualDataPath } from './virtual-data-path.ts';
import type { VirtualHost } from './virtual-host.ts';

const seeds = 6;
const hosts = 5;
const vni = 1;
const moves = 4;
const everyMs = 20;
/** The pod runs at both hosts for a moment, as in a move of a container. */
const overlapMs = 20;
const aimMs = 1000;
/** Long enough for calls that are repeated. */
const patienceMs = 15_000;

interface Faults {
  readonly control: { readonly loss: number; readonly double: number; readonly late: number };
  readonly packets: { readonly loss: number; readonly double: number };
}

/** A cluster with a data path, an endpoint at each host that sends to one that moves, and what is seen of it. */
class MovingRig {
  readonly cluster: Cluster;
  readonly #dataPath: VirtualDataPath;
  readonly #draws: Draws;
  readonly #placed = new Map<number, LocalEndpoint>();
  readonly #tickets = new Map<number, MoveTicket>();
  readonly #senders: { readonly host: VirtualHost; readonly endpoint: LocalEndpoint }[] = [];
  #requestId = 0;
  #mover: { readonly host: VirtualHost; readonly endpoint: LocalEndpoint } | undefined;
  /** When a packet for the one that moves was last handled at the host that it left. */
  lastStaleMs = -Infinity;
  #left: { readonly host: VirtualHost; readonly ifindex: number } | undefined;
  /** By host, since the last move: packets of its sender that came to the new place. */
  arrived = new Map<number, number>();

  constructor(seed: number, { control, packets }: Faults) {
    this.#draws = new Draws(new SeededRandom(seed));
    this.cluster = new Cluster({
      draws: this.#draws,
      hosts,
      subnets: [tenantSubnet(vni, 512)],
      durations: usualDurations,
      hasMaps: true,
      textShare: 1,
      output: (host, output) => {
        if (output.kind === 'placed') this.#placed.set(output.requestId, output.endpoint);
        else if (output.kind === 'done' && output.ticket !== undefined) this.#tickets.set(output.requestId, output.ticket);
        else if (output.kind === 'path') this.#dataPath.learn(host, output.entry, output.hostGeneration);
        else if (output.kind === 'failed') assert.fail(`${seed}: ${output.error.message}`);
      },
      violation: (what) => assert.fail(`${seed}: ${what}`),
    });
    this.#dataPath = new VirtualDataPath({
      cluster: this.cluster,
      draws: this.#draws,
      lossShare: packets.loss,
      doubleShare: packets.double,
      delivered: (host, ifindex, frame) => this.#delivered(host, ifindex, frame),
      counted: (host, { counts }) => {
        if (host === this.#left?.host && counts.some(({ reason }) => reason === 'sentBack')) this.lastStaleMs = this.cluster.time.nowMs;
      },
    });
    const { network, time } = this.cluster;
    time.run(2000);
    for (const host of this.cluster.running) this.#senders.push({ host, endpoint: this.#add(host) });
    this.#mover = { host: this.#host(1), endpoint: this.#add(this.#host(1)) };
    network.lossShare = control.loss;
    network.doubleShare = control.double;
    network.lateShare = control.late;
  }

  /** From now on, those of these hosts send. */
  traffic(senders: readonly number[]): void {
    for (const hostId of senders) this.#sendOn(hostId);
  }

  #sendOn(hostId: number): void {
    const { time } = this.cluster;
    const { host, endpoint } = this.#senders[hostId - 1]!;
    const to = this.#mover!.endpoint;
    const payload = encodeUdp({ sourcePort: 5000, destinationPort: 6000, checksum: 0, payload: Uint8Array.of(hostId) });
    const ends = { source: octetsOf(endpoint.addresses[0]!), destination: octetsOf(to.addresses[0]!) };
    const packet = encodeWholeIpv4({ ...ends, timeToLive: 64, protocol: ipProtocol.udp, payload });
    const macs = { destination: octetsOf(to.mac), source: octetsOf(endpoint.mac) };
    this.#dataPath.send(host, endpoint.ifindex, encodeEthernet({ ...macs, type: etherType.ipv4, payload: packet }));
    time.at(time.nowMs + everyMs, () => this.#sendOn(hostId));
  }

  /** The endpoint goes to this host; gives when that says that it is there. */
  move(hostId: number): number {
    const { time } = this.cluster;
    const { host: from, endpoint } = this.#mover!;
    const to = this.#host(hostId);
    const asked = ++this.#requestId;
    from.control?.moveOut(asked, endpoint.ifindex, from.nowMs);
    from.drive();
    const ticket = this.#awaited(this.#tickets, asked);
    const requestId = ++this.#requestId;
    this.#left = { host: from, ifindex: endpoint.ifindex };
    to.control?.moveIn(requestId, 100 + requestId, ticket, to.nowMs);
    to.drive();
    this.#mover = { host: to, endpoint: this.#awaited(this.#placed, requestId) };
    this.arrived = new Map();
    const placedMs = time.nowMs;
    time.at(placedMs + overlapMs, () => {
      from.control?.delete(endpoint.ifindex, from.nowMs);
      from.drive();
    });
    return placedMs;
  }

  /** Hosts whose packets would go elsewhere than to where the endpoint is. */
  stale(): readonly number[] {
    const { host: place, endpoint } = this.#mover!;
    const key = { vni, address: octetsOf(endpoint.addresses[0]!) };
    return this.cluster.running
      .filter((host) => host !== place && ![undefined, place.hostId].includes(this.#dataPath.path(host, key)?.hostId))
      .map(({ hostId }) => hostId);
  }

  #delivered(host: VirtualHost, ifindex: number, frame: Uint8Array): void {
    const { host: place, endpoint } = this.#mover ?? {};
    const from = frame.at(-1) ?? 0;
    if (host === place && ifindex === endpoint?.ifindex) this.arrived.set(from, (this.arrived.get(from) ?? 0) + 1);
    else if (host === this.#left?.host && ifindex === this.#left.ifindex) this.lastStaleMs = this.cluster.time.nowMs;
  }

  #host(hostId: number): VirtualHost {
    return this.cluster.hosts.get(hostId)!;
  }

  #add(host: VirtualHost): LocalEndpoint {
    const requestId = ++this.#requestId;
    const mac = `0200000000${requestId.toString(16).padStart(2, '0')}`;
    host.control?.add({ requestId, subnetId: vni, ifindex: 100 + requestId, mac, identity: 0, flags: 0, fixed: [] }, host.nowMs);
    host.drive();
    return this.#awaited(this.#placed, requestId);
  }

  #awaited<Value>(found: ReadonlyMap<number, Value>, requestId: number): Value {
    const { time } = this.cluster;
    time.run(time.nowMs + patienceMs, () => found.has(requestId));
    const value = found.get(requestId);
    assert.ok(value !== undefined, `request ${requestId} is not answered`);
    return value;
  }
}

for (const [name, faults] of [
  ['without faults', { control: { loss: 0, double: 0, late: 0 }, packets: { loss: 0, double: 0 } }],
  ['with loss, duplication and delay', { control: { loss: 0.1, double: 0.3, late: 0 }, packets: { loss: 0.1, double: 0.2 } }],
] as const) {
  test(`a second after a move no path leads to the old place, ${name}`, (t) => {
    let longestMs = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const rig = new MovingRig(seed, faults);
      const { time } = rig.cluster;
      // One of them has never sent, and begins as the endpoint leaves: it goes by the owners.
      rig.traffic([1, 2, 3, 4]);
      time.run(time.nowMs + 500);
      rig.traffic([5]);
      for (let move = 0; move < moves; move++) {
        const hostId = 2 + ((move * 2) % hosts);
        const placedMs = rig.move(((hostId - 1) % hosts) + 1);
        time.run(placedMs + aimMs);
        assert.deepEqual(rig.stale(), [], `seed ${seed}, move ${move}: hosts with a path to the old place`);
        rig.arrived.clear();
        time.run(placedMs + 2 * aimMs);
        assert.ok(rig.lastStaleMs <= placedMs + aimMs, `seed ${seed}, move ${move}: ${rig.lastStaleMs - placedMs} ms`);
        for (let from = 1; from <= hosts; from++) {
          assert.ok((rig.arrived.get(from) ?? 0) > (aimMs / everyMs) * 0.5, `seed ${seed}, move ${move}: packets of host ${from}`);
        }
        longestMs = Math.max(longestMs, rig.lastStaleMs - placedMs);
      }
    }
    t.diagnostic(`the last packet at an old place came ${longestMs.toFixed(1)} ms after the move`);
  });
}
