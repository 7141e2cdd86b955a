import { join } from 'node:path';
import type { BpfObject, TestRun } from '../../overlay/kernel.ts';
import { plannedMaps, recordsOf, type MapContents, type MapWrite } from '../../overlay/control/plan.ts';
import { settingsCodec, type Settings } from '../../overlay/layout/settings.ts';
import { events, maps } from '../../overlay/layout/maps.ts';
import { indexCodec } from '../../overlay/layout/index-key.ts';
import { relayedEventCodec, type RelayedEvent } from '../../overlay/layout/event.ts';
import { sumCounters, counterKeyCodec, type Counter, type CounterKey } from '../../overlay/layout/counter.ts';
import type { LinuxBpf } from '../../kernel/bpf/linux-bpf.ts';
import type { SocketCalls } from '../../kernel/netlink/socket-calls.ts';
import { PinnedLinks } from './pinned-links.ts';
import { PodAgents, type AgentMode } from './pod-agents.ts';
import { UplinkTransit, type TransitChoice, type TransitPlace } from './uplink-transit.ts';

export interface DataPathOptions {
  readonly bpf: LinuxBpf;
  readonly calls: SocketCalls;
  readonly objectFile: string;
  /** Of a BPF file system; one is mounted there when there is none. */
  readonly folder: string;
  readonly agent: AgentMode;
}

/** Below the folder of a host's pins. */
export const mapsFolder = 'maps';
export const linksFolder = 'links';
/** What the programs write for themselves. */
const rememberedMaps = [maps.paths, maps.flows, maps.translations, maps.fragments] as const;

/** The programs and maps of this host in the kernel: all pinned, so that they go on without this process. */
export class DataPath implements Disposable {
  readonly #options: DataPathOptions;
  readonly #object: BpfObject;
  readonly #links: PinnedLinks;
  readonly agents: PodAgents;
  readonly #transit: UplinkTransit;

  /** Opens what is pinned, or loads it anew. Throws WeatherError. */
  constructor(options: DataPathOptions) {
    const { bpf, calls, objectFile, folder, agent } = options;
    this.#options = options;
    this.#links = new PinnedLinks(bpf, join(folder, linksFolder));
    bpf.mountBpffs(folder);
    const object = bpf.open(objectFile, { pinFolder: join(folder, mapsFolder) });
    this.#object = object;
    this.agents = new PodAgents({ bpf, calls, links: this.#links, mode: agent, program: (name) => object.program(name) });
    this.#transit = new UplinkTransit({ bpf, calls, links: this.#links, program: (name) => object.program(name) });
  }

  /** What was set before this process; undefined when the maps are new. */
  settings(): Settings | undefined {
    const record = this.#object.map(maps.settings.name).get(indexCodec.encode({ index: 0 }));
    const settings = record === undefined ? undefined : settingsCodec.decode(record);
    return settings?.hostId === 0 ? undefined : settings;
  }

  /** Attaches the programs of this object, also where one of another life is attached: there without a gap. `pods`: links that are there. */
  adopt(transit: TransitChoice, pods: readonly number[]): TransitPlace {
    const place = this.#transit.adopt(transit);
    this.agents.adopt(pods);
    return place;
  }

  apply(writes: readonly MapWrite[]): void {
    for (let at = 0; at < writes.length; at++) {
      const write = writes[at]!;
      if (write.kind === 'put') this.#object.map(write.map).put(write.key, write.value);
      else if (write.kind === 'delete') this.#object.map(write.map).delete(write.key);
      else if (write.kind === 'clear') this.#object.mapOfMaps(write.map).clear(write.index);
      else {
        // Those that stand side by side cost one wait together.
        const slots: [index: number, values: readonly Uint8Array[]][] = [];
        for (let next: MapWrite | undefined = write; next?.kind === 'swap' && next.map === write.map; next = writes[++at]) {
          slots.push([next.index, next.values]);
        }
        at--;
        this.#object.mapOfMaps(write.map).swapAll(slots);
      }
    }
  }

  /** The maps that the control writes, as they are. */
  contents(): MapContents {
    return new Map(plannedMaps.map((name) => [name, recordsOf(this.#object.map(name).entries())]));
  }

  /** Forgets what the programs remember of the packets of these VNIs: paths, flows, translations and fragments. */
  forget(vnis: ReadonlySet<number>): void {
    if (vnis.size === 0) return;
    for (const { name } of rememberedMaps) {
      const map = this.#object.map(name);
      // All keys begin with the VNI. What a map forgets meanwhile is no loss.
      const keys = Array.from(map.entries(), ([key]) => key).filter((key) =>
        vnis.has(new DataView(key.buffer, key.byteOffset).getUint32(0, true)),
      );
      for (const key of keys) map.delete(key);
    }
  }

  record(map: string, key: Uint8Array): Uint8Array | undefined {
    return this.#object.map(map).get(key);
  }

  /** Runs a program on a frame, as if that had come in at `ifindex`: counters and paths change as they would. Throws WeatherError. */
  testRun(program: string, frame: Uint8Array, ifindex: number): TestRun {
    return this.#object.program(program).testRun(frame, { ifindex });
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

  [Symbol.dispose](): void {
    this.#object.close();
  }
}
