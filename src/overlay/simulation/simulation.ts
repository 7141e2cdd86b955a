import type { Random } from '../../base/random.ts';
import { addressBits, addressHex } from '../control/address.ts';
import { usualDurations, type Durations } from '../control/durations.ts';
import type { HostOutput } from '../control/host-control.ts';
import type { LocalEndpoint } from '../control/host-maps.ts';
import type { SubnetSpec } from '../control/spec.ts';
import { Cluster } from './cluster.ts';
import { Draws } from './draws.ts';
import { Faults } from './faults.ts';
import type { VirtualHost } from './virtual-host.ts';
import { Witness } from './witness.ts';

export interface SimulationOptions {
  readonly random: Random;
  readonly hosts: number;
  /** Each in a VPC of its own; all have the same addresses. */
  readonly subnets: number;
  /** Endpoints that there are before requests are counted. */
  readonly standing: number;
  /** Requests that are counted, one after the other. */
  readonly requests: number;
  readonly faults: boolean;
  readonly hasMaps: boolean;
}

export interface SimulationReport {
  readonly violations: readonly string[];
  readonly virtualMs: number;
  readonly placed: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly moved: number;
  readonly cut: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Calls for each endpoint that was placed while requests were counted; without faults there are exactly two of each address. */
  readonly putsOfEndpoint: number;
  /** Of all hosts: messages and records while requests were counted. */
  readonly messages: number;
  readonly endpoints: number;
  readonly largestDirectory: number;
  /** From the request until an owner knows, in milliseconds of virtual time. */
  readonly placeMs: { readonly median: number; readonly most: number };
}

/** Leases that run out within a run. */
const shortLease: Durations = { ...usualDurations, leaseMs: 40_000, firstLeaseMs: 8_000, renewEveryMs: 6_000, idleBlockMs: 30_000 };
const longestPartitionMs = 60_000;
const meanFaultMs = 3_000;
const betweenRequestsMs = 400;
/** Faults are over: all calls end, all rounds are made, graves and tombstones go. */
const quietMs = 200_000;
const leaseCheckEveryMs = 500;
/** In a subnet: few, so that hosts want the same blocks. */
const addressesOfHost = 32;

interface Asked {
  readonly host: VirtualHost;
  readonly askedMs: number;
  readonly isCounted: boolean;
  readonly question: { readonly vni: number; readonly address: string } | undefined;
  /** Where an endpoint is to go. */
  readonly moveTo: VirtualHost | undefined;
}

/** Runs hosts through random requests and faults, then lets them rest, and tells what was wrong. */
export function simulate(options: SimulationOptions): SimulationReport {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #draws: Draws;
  readonly #witness = new Witness();
  readonly #cluster: Cluster;
  readonly #asked = new Map<number, Asked>();
  readonly #failed: Record<string, number> = {};
  readonly #placeMs: number[] = [];
  #lastRequest = 0;
  #lastIfindex = 10;
  #placed = 0;
  #moved = 0;
  #cut = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#draws = new Draws(options.random);
    this.#cluster = new Cluster({
      draws: this.#draws,
      hosts: options.hosts,
      subnets: Array.from({ length: options.subnets }, (_, at) =>
        tenantSubnet(at + 1, options.hosts * addressesOfHost + options.standing * 2),
      ),
      durations: options.faults ? shortLease : usualDurations,
      hasMaps: options.hasMaps,
      textShare: options.hosts > 100 ? 0.02 : 1,
      output: (host, output) => this.#output(host, output),
      violation: (what) => this.#witness.violation(what),
    });
  }

  run(): SimulationReport {
    const { standing, requests } = this.#options;
    const { time, network } = this.#cluster;
    const isOver = (): boolean => this.#witness.violations.length > 0;
    time.run(2_000, isOver);
    for (let at = 0; at < standing; at++) time.at(time.nowMs + this.#draws.between(0, 2_000), () => this.#add(false));
    time.run(time.nowMs + 15_000, isOver);
    const puts = this.#puts();
    const messages = network.messages;
    const faults = new Faults(this.#cluster, this.#draws, longestPartitionMs);
    if (this.#options.faults) faults.start(meanFaultMs);
    this.#watchLeases();
    for (let at = 0; at < requests && !isOver(); at++) {
      if (this.#options.faults) this.#request();
      else this.#add(true);
      time.run(time.nowMs + this.#draws.between(0, 2 * betweenRequestsMs), isOver);
    }
    const counted = this.#placeMs.length;
    time.run(time.nowMs + (this.#options.faults ? 0 : 5_000), isOver);
    const putsMade = this.#puts() - puts;
    const messagesMade = network.messages - messages;
    faults.heal();
    time.run(time.nowMs + quietMs, isOver);
    if (!isOver()) this.#witness.checkConvergence(this.#cluster, this.#options.hasMaps);
    const sorted = this.#placeMs.toSorted((left, right) => left - right);
    return {
      violations: this.#witness.violations,
      virtualMs: time.nowMs,
      placed: this.#placed,
      failed: this.#failed,
      moved: this.#moved,
      cut: this.#cut,
      faults: faults.counts,
      putsOfEndpoint: counted === 0 ? 0 : putsMade / counted,
      messages: messagesMade,
      endpoints: this.#cluster.running.reduce((sum, { control }) => sum + [...(control?.endpoints ?? [])].length, 0),
      largestDirectory: Math.max(...this.#cluster.running.map(({ control }) => control?.sizes.directory ?? 0)),
      placeMs: { median: sorted[sorted.length >> 1] ?? 0, most: sorted.at(-1) ?? 0 },
    };
  }

  #puts(): number {
    return this.#cluster.running.reduce((sum, { control }) => sum + (control?.calls.counts.get('put') ?? 0), 0);
  }

  #watchLeases(): void {
    if (!this.#options.faults) return;
    const { time } = this.#cluster;
    const check = (): void => {
      this.#witness.checkLeases(this.#cluster);
      time.at(time.nowMs + leaseCheckEveryMs, check);
    };
    check();
  }

  #request(): void {
    const roll = this.#draws.random.number();
    if (roll < 0.5) this.#add(true);
    else if (roll < 0.75) this.#delete();
    else if (roll < 0.9) this.#move();
    else this.#resolve();
  }

  #ask(host: VirtualHost, more: Partial<Pick<Asked, 'isCounted' | 'question' | 'moveTo'>>): number {
    const { isCounted = false, question, moveTo } = more;
    const requestId = ++this.#lastRequest;
    this.#asked.set(requestId, { host, askedMs: this.#cluster.time.nowMs, isCounted, question, moveTo });
    return requestId;
  }

  #add(isCounted: boolean): void {
    const host = this.#draws.pick(this.#cluster.running);
    const chosen = this.#draws.pick(this.#cluster.spec.subnets);
    if (host?.control === undefined || chosen === undefined) return;
    const requestId = this.#ask(host, { isCounted });
    const isFixed = this.#options.faults && this.#draws.chance(0.1);
    const fixed = isFixed ? [addressHex(`10.64.0.${192 + this.#draws.below(24)}`)] : [];
    const ifindex = ++this.#lastIfindex;
    const mac = this.#witness.mac(chosen.vni);
    host.control.add({ requestId, subnetId: chosen.subnetId, ifindex, mac, identity: 0, flags: 0, fixed }, host.nowMs);
    host.drive();
  }

  #delete(): void {
    const [host, endpoint] = this.#pickEndpoint();
    if (endpoint === undefined) return;
    host?.control?.delete(endpoint.ifindex, host.nowMs);
    host?.drive();
  }

  #move(): void {
    const [host, endpoint] = this.#pickEndpoint();
    const moveTo = this.#draws.pick(this.#cluster.running);
    if (host === undefined || endpoint === undefined || moveTo === host) return;
    const requestId = this.#ask(host, { moveTo });
    this.#witness.leaves(host, endpoint);
    host.control?.moveOut(requestId, endpoint.ifindex, host.nowMs);
    host.drive();
  }

  #resolve(): void {
    const [, endpoint] = this.#pickEndpoint();
    const host = this.#draws.pick(this.#cluster.running);
    const address = endpoint?.addresses[0];
    const chosen = this.#draws.pick(this.#cluster.spec.subnets);
    if (host === undefined || address === undefined || chosen === undefined) return;
    const requestId = this.#ask(host, { question: { vni: chosen.vni, address } });
    host.control?.resolve(requestId, chosen.vni, address, host.nowMs);
    host.drive();
  }

  #pickEndpoint(): [host: VirtualHost | undefined, endpoint: LocalEndpoint | undefined] {
    const host = this.#draws.pick(this.#cluster.running);
    return [host, this.#draws.pick([...(host?.control?.endpoints ?? [])])];
  }

  #output(host: VirtualHost, output: HostOutput): void {
    const { time } = this.#cluster;
    this.#witness.output(host, output, time.nowMs);
    if (output.kind === 'cut') this.#cut++;
    if (output.kind === 'resolved') {
      const question = this.#asked.get(output.requestId)?.question;
      if (question !== undefined) this.#witness.resolved(question.vni, question.address, output.entry);
      this.#asked.delete(output.requestId);
    }
    if (output.kind !== 'done' && output.kind !== 'failed') return;
    const asked = this.#asked.get(output.requestId);
    this.#asked.delete(output.requestId);
    if (asked === undefined) return;
    if (output.kind === 'failed') {
      this.#failed[output.error.code] = (this.#failed[output.error.code] ?? 0) + 1;
      return;
    }
    if (output.ticket !== undefined) {
      const to = asked.moveTo;
      if (to?.control === undefined) return;
      const requestId = this.#ask(to, {});
      this.#moved++;
      const { ticket } = output;
      // At its own moment, not within the other host's.
      time.at(time.nowMs, () => {
        to.control?.moveIn(requestId, ++this.#lastIfindex, ticket, to.nowMs);
        to.drive();
      });
      return;
    }
    this.#placed++;
    if (asked.isCounted) this.#placeMs.push(time.nowMs - asked.askedMs);
  }
}

/** A tenant's subnet with at least so many addresses. All tenants have the same ones; every third has IPv6 addresses too. */
export function tenantSubnet(number: number, addresses: number): SubnetSpec {
  const length = addressBits - Math.max(9, Math.ceil(Math.log2(addresses)));
  const fixed = { address: addressHex('10.64.0.192'), length: 122 };
  const ipv4 = { address: addressHex('10.64.0.0'), length, gateway: addressHex('10.64.0.1'), fixed };
  const ipv6 = { address: addressHex('fd07::'), length: 64, gateway: addressHex('fd07::1'), fixed: undefined };
  return {
    subnetId: number,
    vni: number,
    tableId: number,
    mtu: 1418,
    prefixes: number % 3 === 0 ? [ipv4, ipv6] : [ipv4],
    gatewayMac: '020000000001',
    createdEpoch: 1,
  };
}
