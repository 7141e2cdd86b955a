import type { Durations } from '../control/durations.ts';
import type { HostOutput } from '../control/host-control.ts';
import { ownerTable, type OwnerTable } from '../control/owner-table.ts';
import type { HostSpec, OverlaySpec, SubnetSpec, TableEpoch } from '../control/spec.ts';
import type { Draws } from './draws.ts';
import { VirtualHost } from './virtual-host.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { VirtualTime } from './virtual-time.ts';

export interface ClusterOptions {
  readonly draws: Draws;
  readonly hosts: number;
  readonly subnets: readonly SubnetSpec[];
  readonly durations: Durations;
  readonly hasMaps: boolean;
  readonly textShare: number;
  /** Every output but stores, map writes and messages. */
  readonly output: (host: VirtualHost, output: HostOutput) => void;
  readonly violation: (what: string) => void;
}

/** Clocks of hosts run at most so much faster or slower than true time; two of them differ by less than the margin of a lease. */
const clockDrift = 0.003;
const specDelayMs = [1, 800] as const;
/** Epochs that a spec names. */
const epochsKept = 60;

/** Hosts, the network between them, and the source of the spec. */
export class Cluster {
  readonly time: VirtualTime = new VirtualTime();
  readonly network: VirtualNetwork;
  readonly hosts: Map<number, VirtualHost> = new Map<number, VirtualHost>();
  /** Hosts that are taken for dead, rightly or not. */
  readonly dead: Set<number> = new Set<number>();
  /** Hosts that do not hear of new specs for now. */
  readonly deaf: Set<number> = new Set<number>();
  readonly #options: ClusterOptions;
  readonly #epochs: TableEpoch[] = [];
  readonly #tables = new Map<string, OwnerTable>();
  #spec: OverlaySpec = { hosts: [], subnets: [], epochs: [] };

  constructor(options: ClusterOptions) {
    this.#options = options;
    const { draws, violation, textShare } = options;
    this.network = new VirtualNetwork({
      draws,
      time: this.time,
      violation,
      textShare,
      deliver: (from, to, records) => {
        const host = this.hosts.get(to);
        host?.control?.receive(from, records, host.nowMs);
        host?.drive();
      },
    });
    for (let hostId = 1; hostId <= options.hosts; hostId++) this.addHost(hostId);
    this.publish();
  }

  get spec(): OverlaySpec {
    return this.#spec;
  }

  /** The owner table of a subnet, as it is to be now. */
  table(subnetId: number): OwnerTable {
    return this.#table(subnetId, this.#epochs.at(-1)?.members ?? []);
  }

  /** Hosts whose daemons run. */
  get running(): VirtualHost[] {
    return [...this.hosts.values()].filter(({ control }) => control !== undefined);
  }

  addHost(hostId: number): VirtualHost {
    const { draws, durations, hasMaps, output } = this.#options;
    const host = new VirtualHost({
      hostId,
      time: this.time,
      random: draws.random,
      durations,
      hasMaps,
      clockOffsetMs: draws.between(0, 1e7),
      clockRate: 1 + draws.between(-clockDrift, clockDrift),
      tableSource: (seed, members) => this.#table(seed, members),
      output: (from, made) => {
        if (made.kind === 'send') this.network.send(from.hostId, made.to, made.records);
        else output(from, made);
      },
    });
    this.hosts.set(hostId, host);
    host.start();
    return host;
  }

  /** Tells all hosts what there is now, each a while later. Other members make a new epoch. */
  publish(): void {
    const hosts: HostSpec[] = [...this.hosts.values()].map((host) => ({ ...host.spec, alive: !this.dead.has(host.hostId) }));
    const members = hosts.filter(({ alive }) => alive).map(({ hostId }) => hostId);
    const last = this.#epochs.at(-1);
    if (last === undefined || last.members.join() !== members.join()) this.#epochs.push({ epoch: (last?.epoch ?? 0) + 1, members });
    this.#spec = { hosts, subnets: this.#options.subnets, epochs: this.#epochs.slice(-epochsKept) };
    for (const host of this.hosts.values()) this.tellSpec(host);
  }

  tellSpec(host: VirtualHost): void {
    const spec = this.#spec;
    const [least, most] = specDelayMs;
    this.time.at(this.time.nowMs + this.#options.draws.between(least, most), () => {
      if (spec !== this.#spec) return;
      if (this.deaf.has(host.hostId)) this.tellSpec(host);
      else host.setSpec(withLocalSlots(spec, host.hostId));
    });
  }

  /** Tables are the same at every host, so each is made once. */
  #table(seed: number, members: readonly number[]): OwnerTable {
    const epoch = this.#epochs.find((candidate) => candidate.members === members)?.epoch ?? 0;
    const key = `${seed}/${epoch}`;
    let table = this.#tables.get(key);
    if (table === undefined) {
      table = ownerTable(seed, members);
      this.#tables.set(key, table);
    }
    return table;
  }
}

/** Slots of owner tables in the data path; 0 is nobody's. */
const lastSlot = 4095;

/** The slot of a subnet's owner table in the data path of a host: at each host another one. */
export function localSlot(subnetId: number, hostId: number): number {
  return 1 + ((subnetId + hostId) % lastSlot);
}

function withLocalSlots(spec: OverlaySpec, hostId: number): OverlaySpec {
  return { ...spec, subnets: spec.subnets.map((subnet) => ({ ...subnet, tableId: localSlot(subnet.subnetId, hostId) })) };
}
