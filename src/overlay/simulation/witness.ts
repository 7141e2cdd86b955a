import type { HostOutput } from '../control/host-control.ts';
import type { LocalEndpoint } from '../control/host-maps.ts';
import type { DirectoryEntry } from '../control/directory.ts';
import { plan } from '../control/plan.ts';
import { slotOf } from '../control/tables.ts';
import { hostFlag } from '../layout/host.ts';
import { maps, ownerTables } from '../layout/maps.ts';
import { localSlot, type Cluster } from './cluster.ts';
import type { VirtualHost } from './virtual-host.ts';

interface Holding {
  readonly host: VirtualHost;
  readonly endpoint: LocalEndpoint;
  isLeaving: boolean;
}

/** Sees all that hosts do, knows who may have which address, and says what is wrong. */
export class Witness {
  readonly violations: string[] = [];
  /** By `vni/address`: who has it. */
  readonly #holdings = new Map<string, Holding[]>();
  readonly #macs = new Map<string, number>();

  /** Of a tenant's endpoint. */
  mac(vni: number): string {
    const mac = `02${vni.toString(16).padStart(6, '0')}${(this.#macs.size & 0xffff).toString(16).padStart(4, '0')}`;
    this.#macs.set(mac, vni);
    return mac;
  }

  violation(what: string): void {
    if (this.violations.length < 20) this.violations.push(what);
  }

  placed(host: VirtualHost, endpoint: LocalEndpoint, nowMs: number): void {
    for (const address of endpoint.addresses) {
      const key = `${endpoint.vni}/${address}`;
      const holdings = (this.#holdings.get(key) ?? []).filter((holding) => isThere(holding));
      for (const other of holdings) {
        if (other.isLeaving || !mayHold(other)) continue;
        this.violation(`${nowMs}: ${key} is held by host ${other.host.hostId} and by host ${host.hostId}`);
      }
      holdings.push({ host, endpoint, isLeaving: false });
      this.#holdings.set(key, holdings);
    }
  }

  /** It goes to another host. */
  leaves(host: VirtualHost, endpoint: LocalEndpoint): void {
    for (const address of endpoint.addresses) {
      for (const holding of this.#holdings.get(`${endpoint.vni}/${address}`) ?? []) if (holding.host === host) holding.isLeaving = true;
    }
  }

  /** What was answered to a question for an address of a tenant. */
  resolved(vni: number, address: string, entry: DirectoryEntry | undefined): void {
    if (entry === undefined) return;
    if (entry.vni !== vni || entry.address !== address || this.#macs.get(entry.mac) !== vni) {
      this.violation(`a question for ${vni}/${address} was answered with ${JSON.stringify(entry)}`);
    }
  }

  output(host: VirtualHost, output: HostOutput, nowMs: number): void {
    if (output.kind === 'placed') this.placed(host, output.endpoint, nowMs);
    else if (output.kind === 'path') this.resolved(output.entry.vni, output.entry.address, output.entry);
  }

  /** What the data path of every host with endpoints would find out about every endpoint now: the first living owner of its tables knows it. */
  checkOwners(cluster: Cluster): void {
    const known = new Map<number, ReadonlyMap<string, number>>();
    for (const { control, hostId } of cluster.running) {
      known.set(hostId, new Map([...(control?.directory ?? [])].map(({ vni, address, generation }) => [`${vni}/${address}`, generation])));
    }
    const asking = cluster.running.filter(({ control }) => [...(control?.endpoints ?? [])].length > 0);
    for (const home of cluster.running) {
      for (const endpoint of home.control?.endpoints ?? []) {
        for (const address of endpoint.addresses) for (const host of asking) this.#checkOwner(cluster, known, host, endpoint, address);
      }
    }
  }

  #checkOwner(
    cluster: Cluster,
    known: ReadonlyMap<number, ReadonlyMap<string, number>>,
    host: VirtualHost,
    { vni, subnetId, generation }: LocalEndpoint,
    address: string,
  ): void {
    const table = host.maps.mapOfMaps(ownerTables.name).get(subnetId);
    const slot = table?.[slotOf(vni, address)];
    if (slot === undefined) return;
    const { first, second } = ownerTables.value.decode(slot);
    const isAlive = (hostId: number): boolean => {
      const record = host.maps.map(maps.hosts.name).get(maps.hosts.key.encode({ index: hostId }));
      return record !== undefined && (maps.hosts.value.decode(record).flags & hostFlag.alive) !== 0;
    };
    const ownerId = [first, second].find((hostId) => isAlive(hostId)) ?? 0;
    // A host that is off without notice is what probes are for.
    if (known.has(ownerId) && known.get(ownerId)?.get(`${vni}/${address}`) !== generation) {
      this.violation(`${cluster.time.nowMs}: owner ${ownerId}, asked by host ${host.hostId}, does not know ${vni}/${address}`);
    }
  }

  /** No two leases overlap. */
  checkLeases(cluster: Cluster): void {
    const leased = new Map<string, { mask: number; hostId: number }[]>();
    for (const { control, hostId, nowMs } of cluster.running) {
      for (const { vni, block, mask } of control?.leased(nowMs) ?? []) {
        const key = `${vni}/${block}`;
        const others = leased.get(key) ?? [];
        for (const other of others) {
          if ((other.mask & mask) !== 0) {
            this.violation(`${cluster.time.nowMs}: block ${key} is leased to hosts ${other.hostId} and ${hostId}`);
          }
        }
        others.push({ mask, hostId });
        leased.set(key, others);
      }
    }
  }

  /** After quiet: every endpoint is known to its owners and to nobody else, and the maps are what they should be. */
  checkConvergence(cluster: Cluster, hasMaps: boolean): void {
    const expected = new Map<number, Map<string, string>>();
    for (const host of cluster.running) expected.set(host.hostId, new Map());
    for (const { control, hostId } of cluster.running) {
      for (const endpoint of control?.endpoints ?? []) {
        if (control?.isLeaving(endpoint.ifindex) === true) this.violation(`host ${hostId} still has an endpoint that left`);
        for (const address of endpoint.addresses) {
          for (const owner of control?.ownersOf(endpoint.vni, address) ?? []) {
            expected.get(owner)?.set(`${endpoint.vni}/${address}`, `host ${hostId}, generation ${endpoint.generation}, ${endpoint.mac}`);
          }
        }
      }
    }
    for (const host of cluster.running) {
      const known = new Map<string, string>();
      for (const { vni, address, hostId, generation, mac } of host.control?.directory ?? []) {
        known.set(`${vni}/${address}`, `host ${hostId}, generation ${generation}, ${mac}`);
      }
      const wanted = expected.get(host.hostId) ?? new Map<string, string>();
      for (const [key, value] of wanted) {
        if (known.get(key) !== value) this.violation(`owner ${host.hostId} of ${key} knows ${known.get(key) ?? 'nothing'}, not ${value}`);
      }
      for (const [key, value] of known)
        if (!wanted.has(key)) this.violation(`owner ${host.hostId} knows ${key} at ${value}, which is not there`);
      if (host.control?.epoch !== cluster.spec.epochs.at(-1)?.epoch) this.violation(`host ${host.hostId} is in an old epoch`);
      if (hasMaps) this.#checkMaps(cluster, host);
      this.#checkSizes(host);
    }
  }

  #checkMaps(cluster: Cluster, host: VirtualHost): void {
    const wrong = plan(host.control?.desired() ?? new Map(), host.dump());
    for (const write of wrong) this.violation(`the maps of host ${host.hostId} lack ${write.kind} in ${write.map}`);
    for (const { subnetId } of cluster.spec.subnets) {
      const inUse = host.maps.mapOfMaps(ownerTables.name).get(localSlot(subnetId, host.hostId));
      const isRight = cluster.table(subnetId).every((owners, slot) => inUse?.[slot]?.join() === ownerTables.value.encode(owners).join());
      if (!isRight) this.violation(`host ${host.hostId} has an old owner table of subnet ${subnetId}`);
    }
  }

  /** What lives for a time only is gone. */
  #checkSizes({ hostId, control }: VirtualHost): void {
    if (control === undefined) return;
    const { calls, graves } = control.sizes;
    if (calls > 8) this.violation(`host ${hostId} still waits for ${calls} calls`);
    if (graves > 0) this.violation(`host ${hostId} still has ${graves} graves`);
  }
}

/** The endpoint is still at that host, as far as its data path knows. */
function isThere({ host, endpoint }: Holding): boolean {
  if (!host.isOn) return false;
  if (host.control !== undefined)
    return [...host.control.endpoints].some((other) => other.ifindex === endpoint.ifindex && other.mac === endpoint.mac);
  return host.disk.has(`endpoint/${endpoint.ifindex}`);
}

/** A daemon that is down cannot cut off its endpoints when the lease runs out: only then another host may have the address too. */
function mayHold({ host, endpoint }: Holding): boolean {
  if (host.control !== undefined) return true;
  return endpoint.addresses.every((address) => {
    const stored = JSON.parse(host.disk.get(`block/${endpoint.vni}/${address.slice(0, -1)}`) ?? '{}') as { expiresMs?: number };
    return host.nowMs < (stored.expiresMs ?? 0);
  });
}
