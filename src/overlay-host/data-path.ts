import { existsSync, readdirSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BpfLink, BpfObject } from '../overlay/kernel.ts';
import { plannedMaps, recordsOf, type MapContents, type MapWrite } from '../overlay/control/plan.ts';
import { settingsCodec, type Settings } from '../overlay/layout/settings.ts';
import { events, maps } from '../overlay/layout/maps.ts';
import { indexCodec } from '../overlay/layout/index-key.ts';
import { relayedEventCodec, type RelayedEvent } from '../overlay/layout/event.ts';
import { sumCounters, counterKeyCodec, type Counter, type CounterKey } from '../overlay/layout/counter.ts';
import type { LinuxBpf } from '../kernel/bpf/linux-bpf.ts';

export interface DataPathOptions {
  readonly bpf: LinuxBpf;
  readonly objectFile: string;
  /** Of a BPF file system; one is mounted there when there is none. */
  readonly folder: string;
  readonly agent: 'tcx' | 'xdp';
}

const mapsFolder = 'maps';
const linksFolder = 'links';
const transitLink = 'transit';
const podLinkPrefix = 'pod_';

/** The programs and maps of this host in the kernel: all pinned, so that they go on without this process. */
export class DataPath implements Disposable {
  readonly #options: DataPathOptions;
  readonly #object: BpfObject;
  readonly #links: string;

  /** Opens what is pinned, or loads it anew. Throws WeatherError. */
  constructor(options: DataPathOptions) {
    const { bpf, objectFile, folder } = options;
    this.#options = options;
    this.#links = join(folder, linksFolder);
    bpf.mountBpffs(folder);
    this.#object = bpf.open(objectFile, { pinFolder: join(folder, mapsFolder) });
  }

  /** What was set before this process; undefined when the maps are new. */
  settings(): Settings | undefined {
    const record = this.#object.map(maps.settings.name).get(indexCodec.encode({ index: 0 }));
    const settings = record === undefined ? undefined : settingsCodec.decode(record);
    return settings?.hostId === 0 ? undefined : settings;
  }

  /** Attaches the programs of this object wherever one of another life is attached; what is attached stays so without a gap. */
  adopt(uplinkIfindex: number, mode: 'native' | 'generic'): void {
    const { bpf } = this.#options;
    this.#attach(transitLink, 'transit', (program) => bpf.attachXdp(program, uplinkIfindex, mode));
    for (const ifindex of this.attachedPods()) this.#update(podLinkName(ifindex), this.#agentProgram());
  }

  /** Puts the agent at the root side of a pod's link. Rejects with WeatherError. */
  async attachPod(ifindex: number): Promise<void> {
    const { bpf, agent } = this.#options;
    // A pin that a link of the same number left, which is gone.
    this.forgetPod(ifindex);
    const program = this.#object.program(this.#agentProgram());
    const link = agent === 'tcx' ? await bpf.attachTcxIngressAway(program, ifindex) : bpf.attachXdp(program, ifindex, 'native');
    this.#pin(link, podLinkName(ifindex));
  }

  /** The program goes with its link: only the pin is taken away, which waits for nothing. */
  forgetPod(ifindex: number): void {
    removeIfThere(join(this.#links, podLinkName(ifindex)));
  }

  /** Whether the agent is attached there. */
  isPodAttached(ifindex: number): boolean {
    const link = this.#options.bpf.openPinnedLink(join(this.#links, podLinkName(ifindex)));
    link?.close();
    return link !== undefined;
  }

  /** Links with a pin, whether they still exist or not. */
  attachedPods(): number[] {
    if (!existsSync(this.#links)) return [];
    return readdirSync(this.#links)
      .filter((name) => name.startsWith(podLinkPrefix))
      .map((name) => Number(name.slice(podLinkPrefix.length)));
  }

  apply(writes: readonly MapWrite[]): void {
    for (const write of writes) {
      if (write.kind === 'put') this.#object.map(write.map).put(write.key, write.value);
      else if (write.kind === 'delete') this.#object.map(write.map).delete(write.key);
      else if (write.kind === 'swap') this.#object.mapOfMaps(write.map).swap(write.index, write.values);
      else this.#object.mapOfMaps(write.map).clear(write.index);
    }
  }

  /** The maps that the control writes, as they are. */
  contents(): MapContents {
    return new Map(plannedMaps.map((name) => [name, recordsOf(this.#object.map(name).entries())]));
  }

  record(map: string, key: Uint8Array): Uint8Array | undefined {
    return this.#object.map(map).get(key);
  }

  counters(): readonly (CounterKey & Counter)[] {
    return Array.from(this.#object.map(maps.counters.name).entries(), ([key, value]) => ({
      ...counterKeyCodec.decode(key),
      ...sumCounters(value),
    }));
  }

  /** Events since the last call, at most `limit`. */
  drain(limit: number): RelayedEvent[] {
    return this.#options.bpf.drainEvents(this.#object, events.name, limit).map((record) => relayedEventCodec.decode(record));
  }

  /** Takes everything out of the kernel that belongs to this host: traffic ends. */
  remove(): void {
    const { bpf, folder } = this.#options;
    for (const name of existsSync(this.#links) ? readdirSync(this.#links) : []) {
      bpf.openPinnedLink(join(this.#links, name))?.detach();
      removeIfThere(join(this.#links, name));
    }
    this[Symbol.dispose]();
    for (const name of readdirSync(join(folder, mapsFolder))) removeIfThere(join(folder, mapsFolder, name));
    for (const name of [linksFolder, mapsFolder]) if (existsSync(join(folder, name))) rmdirSync(join(folder, name));
    if (isMountPoint(folder)) bpf.unmountBpffs(folder);
  }

  [Symbol.dispose](): void {
    this.#object.close();
  }

  #agentProgram(): string {
    return this.#options.agent === 'tcx' ? 'agent_tc' : 'agent_xdp';
  }

  #attach(name: string, programName: string, attach: (program: ReturnType<BpfObject['program']>) => BpfLink): void {
    if (this.#update(name, programName)) return;
    this.#pin(attach(this.#object.program(programName)), name);
  }

  /** What is not pinned ends here. */
  #pin(link: BpfLink, name: string): void {
    try {
      link.pin(join(this.#links, name));
    } finally {
      link.close();
    }
  }

  #update(name: string, programName: string): boolean {
    const link = this.#options.bpf.openPinnedLink(join(this.#links, name));
    if (link === undefined) return false;
    link.update(this.#object.program(programName));
    link.close();
    return true;
  }
}

/** One that was mounted for this host alone. */
function isMountPoint(folder: string): boolean {
  return statSync(folder).dev !== statSync(dirname(folder)).dev;
}

function podLinkName(ifindex: number): string {
  return `${podLinkPrefix}${ifindex}`;
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
