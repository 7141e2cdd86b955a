import type { Cluster } from './cluster.ts';
import type { Draws } from './draws.ts';
import type { VirtualHost } from './virtual-host.ts';

/** How long until peers find out that a host is off, or take one for dead that is not, in milliseconds. */
const noticeMs = [300, 3000] as const;
const leastHosts = 3;

/** Does harm to a cluster, and heals it again. */
export class Faults {
  readonly #cluster: Cluster;
  readonly #draws: Draws;
  readonly #longestPartitionMs: number;
  #isOver = false;
  #lastHostId = 0;
  readonly counts: Record<string, number> = {};

  /** `longestPartitionMs`: longer than a lease, so that some run out. */
  constructor(cluster: Cluster, draws: Draws, longestPartitionMs: number) {
    this.#cluster = cluster;
    this.#draws = draws;
    this.#longestPartitionMs = longestPartitionMs;
  }

  /** A fault about every `meanMs`, until `heal`. */
  start(meanMs: number): void {
    const { network, time } = this.#cluster;
    network.lossShare = this.#draws.pick([0, 0.01, 0.2]) ?? 0;
    network.doubleShare = this.#draws.pick([0, 0.05, 0.3]) ?? 0;
    network.lateShare = this.#draws.pick([0, 0.02, 0.1]) ?? 0;
    const next = (): void => {
      if (this.#isOver) return;
      this.#one();
      time.at(time.nowMs + this.#draws.between(0, 2 * meanMs), next);
    };
    next();
  }

  /** No fault any more; all that can come back does. */
  heal(): void {
    this.#isOver = true;
    const { network, hosts, dead, deaf } = this.#cluster;
    network.lossShare = 0;
    network.doubleShare = 0;
    network.lateShare = 0;
    network.parts.clear();
    dead.clear();
    deaf.clear();
    for (const host of hosts.values()) {
      if (!host.isOn) host.powerOn();
      else if (host.control === undefined) host.start();
    }
    this.#cluster.publish();
  }

  #one(): void {
    const host = this.#draws.pick(this.#cluster.running);
    if (host === undefined) return;
    const kinds = [this.#restart, this.#restart, this.#reboot, this.#partition, this.#mistake, this.#deafen, this.#remove, this.#join];
    this.#draws.pick(kinds)?.call(this, host);
  }

  #count(kind: string): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  #later(least: number, most: number, run: () => void): void {
    const { time } = this.#cluster;
    time.at(time.nowMs + this.#draws.between(least, most), () => {
      if (!this.#isOver) run();
    });
  }

  /** The daemon is killed and comes back. */
  #restart(host: VirtualHost): void {
    this.#count('restart');
    host.stop();
    this.#later(10, 5000, () => {
      if (!host.isOn || host.control !== undefined) return;
      host.start();
      this.#cluster.tellSpec(host);
    });
  }

  /** The machine goes off and comes back without its endpoints. */
  #reboot(host: VirtualHost): void {
    this.#count('reboot');
    host.powerOff();
    this.#declareDead(host, false);
    this.#later(1000, 30_000, () => {
      if (host.isOn) return;
      host.powerOn();
      this.#cluster.dead.delete(host.hostId);
      this.#cluster.publish();
    });
  }

  /** Some hosts cannot reach the others. */
  #partition(host: VirtualHost): void {
    this.#count('partition');
    const { parts } = this.#cluster.network;
    const share = this.#draws.random.number() * 0.5;
    for (const other of this.#cluster.hosts.values()) if (other === host || this.#draws.chance(share)) parts.set(other.hostId, host.hostId);
    if (this.#draws.chance(0.5)) this.#declareDead(host, true);
    this.#later(200, this.#longestPartitionMs, () => parts.clear());
  }

  /** A host is taken for dead that is not. */
  #mistake(host: VirtualHost): void {
    this.#count('mistake');
    this.#declareDead(host, true);
  }

  /** A host hears late of what there is. */
  #deafen({ hostId }: VirtualHost): void {
    this.#count('deaf');
    this.#cluster.deaf.add(hostId);
    this.#later(1000, this.#longestPartitionMs, () => this.#cluster.deaf.delete(hostId));
  }

  /** A host goes for good. */
  #remove(host: VirtualHost): void {
    if (this.#cluster.hosts.size <= leastHosts) return;
    this.#count('remove');
    host.powerOff();
    this.#later(...noticeMs, () => {
      this.#cluster.hosts.delete(host.hostId);
      this.#cluster.dead.delete(host.hostId);
      this.#cluster.publish();
    });
  }

  #join(): void {
    this.#count('join');
    // A host id is never given to another machine.
    this.#lastHostId = Math.max(this.#lastHostId, ...this.#cluster.hosts.keys()) + 1;
    this.#cluster.addHost(this.#lastHostId);
    this.#cluster.publish();
  }

  #declareDead({ hostId }: VirtualHost, comesBack: boolean): void {
    this.#later(...noticeMs, () => {
      const { dead, hosts } = this.#cluster;
      if (!hosts.has(hostId) || dead.size + leastHosts > hosts.size) return;
      dead.add(hostId);
      this.#cluster.publish();
      if (!comesBack) return;
      this.#later(2000, 30_000, () => {
        if (hosts.get(hostId)?.isOn !== true || !dead.delete(hostId)) return;
        this.#cluster.publish();
      });
    });
  }
}
