/** Hosts with real daemons, each in a network namespace, and pods that the CNI plugin adds: for tests and measurements of the whole. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DemoHost, siteName } from './host.ts';
import { DemoNetwork, type HostNamespace } from './network.ts';
import { firstOwner } from './owners.ts';
import { Pinger } from './ping.ts';
import { Plugin, type Pod } from './pod.ts';
import { PodSockets } from './pod-socket.ts';
import { PodTcp } from './pod-tcp.ts';
import { objectFileOf, obstacle, pluginOf } from './requirements.ts';
import { makeTrust } from './trust.ts';
import { within } from './within.ts';
import { loadSocketCalls } from '../../src/kernel/netlink/socket-calls.ts';
import { askDaemon } from '../../src/overlay-host/operator/operator-socket.ts';
import type { ResourceName } from '../../src/overlay/catalog/resource-book.ts';

export { within } from './within.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
/** Long enough for a machine that does much else. */
export const patienceMs = 10_000;

/** Why tests with daemons cannot run here; false when they can. */
export function skipWithoutDaemons(): string | false {
  return obstacle(project) ?? false;
}

export interface RigOptions {
  /** Of the names of all namespaces: its own for each test file. */
  readonly prefix: string;
  readonly hosts: number;
  /** Hosts that are part of the overlay at the start; all of them when absent. */
  readonly members?: number;
  readonly vpcs: readonly object[];
  /** Hosts of the overlay whose daemons somebody else runs, behind the switch; their numbers follow. */
  readonly others?: readonly HostNamespace[];
  /** Of a daemon. */
  readonly startTimeoutMs?: number;
  /** What must be there before the daemons start: the network and the certificates are. */
  readonly prepare?: (rig: DaemonRig) => Promise<void>;
}

export interface RigResource {
  readonly kind: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec: object;
}

export class DaemonRig implements AsyncDisposable {
  readonly #folder: string;
  readonly #vpcs: readonly object[];
  readonly #others: readonly HostNamespace[];
  readonly #startTimeout: { readonly startTimeoutMs?: number };
  readonly #plugin = new Plugin(pluginOf(project));
  readonly #pingers: Pinger[] = [];
  readonly network: DemoNetwork;
  readonly sockets: PodSockets = new PodSockets(loadSocketCalls());
  readonly tcp: PodTcp = new PodTcp(loadSocketCalls());
  readonly hosts: DemoHost[] = [];
  /** When the plugin was started for the pod that was added last. */
  lastAddMs = 0;
  #named = 0;

  private constructor(folder: string, { prefix, vpcs, others = [], startTimeoutMs }: RigOptions) {
    this.#startTimeout = startTimeoutMs === undefined ? {} : { startTimeoutMs };
    this.#folder = folder;
    this.#others = others;
    this.#vpcs = vpcs;
    this.network = new DemoNetwork(`${prefix}${process.pid}`, objectFileOf(project));
  }

  /** Has `trust/NAME` for each host, and what belongs to this run. */
  get folder(): string {
    return this.#folder;
  }

  static async start(options: RigOptions): Promise<DaemonRig> {
    const rig = new DaemonRig(await mkdtemp(join(tmpdir(), 'caravan-rig-')), options);
    try {
      await rig.#start(options);
    } catch (error) {
      await rig[Symbol.asyncDispose]();
      throw error;
    }
    return rig;
  }

  host(number: number): DemoHost {
    return this.hosts[number - 1]!;
  }

  /** Adds a pod; with `wanted` addresses if they are given. */
  async add(hostNumber: number, vpc: string, subnet: string, ...wanted: readonly string[]): Promise<Pod> {
    return this.addLabelled({}, hostNumber, vpc, subnet, ...wanted);
  }

  /** As `add`, with labels for services and policies. */
  async addLabelled(
    labels: Readonly<Record<string, string>>,
    hostNumber: number,
    vpc: string,
    subnet: string,
    ...wanted: readonly string[]
  ): Promise<Pod> {
    const name = `p${++this.#named}`;
    const namespace = this.network.makeNamespace(name);
    this.lastAddMs = performance.now();
    return this.#plugin.add({ name, namespace, host: this.host(hostNumber), vpc, subnet }, wanted, labels);
  }

  /** Writes resources at a host, for all of them. */
  async apply(hostNumber: number, ...resources: readonly RigResource[]): Promise<void> {
    const written = resources.map(({ kind, name, labels = {}, spec }) => ({
      apiVersion: 'caravan.dev/v1alpha1',
      kind,
      metadata: { name, labels },
      spec,
    }));
    await askDaemon(this.host(hostNumber).operatorSocket, { ask: 'apply', resources: written, isNew: false });
  }

  /** Deletes a resource, as `apply`. */
  async deleteResource(hostNumber: number, kind: ResourceName['kind'], name: string): Promise<void> {
    await askDaemon(this.host(hostNumber).operatorSocket, { ask: 'delete', names: [{ kind, name }] });
  }

  async delete(pod: Pod): Promise<void> {
    await this.#plugin.delete(pod);
    this.network.deleteNamespace(pod.namespace);
  }

  /** What the plugin says when it refuses; undefined when it added the pod after all. */
  async refused(hostNumber: number, vpc: string, subnet: string, ...wanted: readonly string[]): Promise<string | undefined> {
    return this.add(hostNumber, vpc, subnet, ...wanted).then(
      () => undefined,
      (error: Error) => error.message,
    );
  }

  /** What the plugin says to an ADD for a network namespace that is not there. */
  async failedAdd(hostNumber: number, vpc: string, subnet: string): Promise<string> {
    const name = `p${++this.#named}`;
    const { status, text } = await this.#plugin.call('ADD', {
      name,
      namespace: `${name}-is-not-there`,
      host: this.host(hostNumber),
      vpc,
      subnet,
    });
    return status === 0 ? 'added' : text;
  }

  async pinger(from: Pod, address: string, payloadBytes?: number): Promise<Pinger> {
    const socket = await this.sockets.openPing(from.namespace, address.includes(':') ? 'udp6' : 'udp4');
    const pinger = new Pinger(socket, address, payloadBytes);
    this.#pingers.push(pinger);
    return pinger;
  }

  /** Whether a ping is answered. */
  async reaches(from: Pod, address: string, timeoutMs: number = patienceMs): Promise<boolean> {
    return (await this.pinger(from, address)).reach(timeoutMs, 20);
  }

  /** Packets that all hosts have counted. */
  async counted(vni: number, reason: string): Promise<number> {
    const counts = await Promise.all(this.hosts.map((host) => host.counted(vni, reason)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** The host that is asked first where an address of a subnet is. */
  ownerOf(vni: number, tableId: number, address: string): number {
    return firstOwner(
      vni,
      tableId,
      this.hosts.map(({ hostId }) => hostId),
      address,
    );
  }

  logs(): string {
    return this.hosts.map((host) => `--- ${host.name}\n${host.log().slice(-3000)}`).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pinger of this.#pingers) pinger.close();
    await Promise.all(this.hosts.map((host) => host.remove().catch(() => false)));
    await this.network[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** All hosts are part of the overlay from now on: each daemon is started anew with the longer list. */
  async enlarge(): Promise<void> {
    const { hosts: all } = this.network;
    await Promise.all(this.hosts.map((host) => host.stop()));
    for (const namespace of all.slice(this.hosts.length)) this.#make(namespace, all);
    await Promise.all(this.hosts.map((host) => host.start({ all, epoch: 2 })));
    await this.connected();
  }

  /** Throws when the daemons do not find each other. */
  async connected(timeoutMs: number = patienceMs): Promise<void> {
    const isConnected = async (): Promise<boolean> => {
      const statuses = await Promise.all(this.hosts.map((host) => host.status()));
      return statuses.every(({ connected }) => connected.length === this.hosts.length + this.#others.length - 1);
    };
    // One that makes a thousand connections may not answer for a while.
    if (!(await within(timeoutMs, () => isConnected().catch(() => false))))
      throw new Error(`the daemons are not connected:\n${this.logs()}`);
  }

  async #start({ hosts: count, members = count, prepare }: RigOptions): Promise<void> {
    await this.network.build(count);
    const all = [...this.network.hosts, ...this.#others];
    await makeTrust(join(this.#folder, 'trust'), all.map(siteName));
    const first = [...this.network.hosts.slice(0, members), ...this.#others];
    await prepare?.(this);
    for (const namespace of this.network.hosts.slice(0, members)) this.#make(namespace, first);
    await Promise.all(this.hosts.map((host) => host.start()));
    if (this.#others.length === 0) await this.connected();
  }

  #make(namespace: HostNamespace, all: readonly HostNamespace[]): void {
    this.hosts.push(new DemoHost({ namespace, all, folder: this.#folder, project, vpcs: this.#vpcs, ...this.#startTimeout }));
  }
}
