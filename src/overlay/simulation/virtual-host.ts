import type { Random } from '../../base/random.ts';
import type { Durations } from '../control/durations.ts';
import { HostControl, type HostOutput } from '../control/host-control.ts';
import { plannedMaps, recordsOf, type MapContents, type MapWrite } from '../control/plan.ts';
import type { HostSpec, OverlaySpec } from '../control/spec.ts';
import type { TableSource } from '../control/tables.ts';
import { memoryMaps, type MemoryMaps } from '../memory-maps.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface VirtualHostOptions {
  readonly hostId: number;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly durations: Durations;
  readonly tableSource: TableSource;
  /** Whether the host has the maps of a data path: costly for many hosts. */
  readonly hasMaps: boolean;
  /** Its clock, against the true time. */
  readonly clockOffsetMs: number;
  readonly clockRate: number;
  readonly output: (host: VirtualHost, output: HostOutput) => void;
}

/** A machine with a disk, the maps of its data path, a clock of its own, and a daemon that runs or does not. */
export class VirtualHost {
  readonly hostId: number;
  readonly disk: Map<string, string> = new Map<string, string>();
  /** Raised at each start of the machine. */
  generation = 1;
  isOn = true;
  maps: MemoryMaps = memoryMaps();
  control: HostControl | undefined;
  readonly #options: VirtualHostOptions;
  #dueMs = Infinity;
  #hasSpec = false;

  constructor(options: VirtualHostOptions) {
    this.#options = options;
    this.hostId = options.hostId;
  }

  get spec(): HostSpec {
    const hex = this.hostId.toString(16).padStart(8, '0');
    return {
      hostId: this.hostId,
      address: `00000000000000000000ffff${hex}`,
      mac: `0200${hex}`,
      generation: this.generation,
      mtu: 1500,
      alive: true,
    };
  }

  /** Its own clock. */
  get nowMs(): number {
    return this.#options.time.nowMs * this.#options.clockRate + this.#options.clockOffsetMs;
  }

  start(): void {
    const { random, durations, tableSource } = this.#options;
    const { hostId, address, mac, generation } = this.spec;
    const stored = [...this.disk].map(([key, text]) => [key, JSON.parse(text) as unknown] as const);
    this.#hasSpec = false;
    this.control = new HostControl({
      self: { hostId, address, mac, generation, uplinkIfindex: 2, underlayMtu: 1500 },
      random,
      stored,
      bootId: `boot ${generation}`,
      durations,
      tableSource,
    });
  }

  /** The process ends; the data path goes on. */
  stop(): void {
    this.control = undefined;
    this.#dueMs = Infinity;
  }

  /** The machine goes off: its endpoints and maps are no more. */
  powerOff(): void {
    this.stop();
    this.isOn = false;
    this.maps = memoryMaps();
  }

  powerOn(): void {
    this.isOn = true;
    this.generation++;
    this.start();
  }

  setSpec(spec: OverlaySpec): void {
    const { control } = this;
    if (control === undefined || !control.setSpec(spec, this.nowMs)) return;
    if (!this.#hasSpec && this.#options.hasMaps) for (const write of control.reconcile(this.dump(), this.nowMs)) this.#apply(write);
    this.#hasSpec = true;
    this.drive();
  }

  /** What its maps hold. */
  dump(): MapContents {
    return new Map(plannedMaps.map((name) => [name, recordsOf(this.maps.map(name).entries())]));
  }

  /** Does what the daemon wants done, and sees to its timer. Every input to `control` is followed by it. */
  drive(): void {
    const { control } = this;
    if (control === undefined) return;
    for (let outputs = control.takeOutputs(); outputs.length > 0; outputs = control.takeOutputs()) {
      for (const output of outputs) {
        if (output.kind === 'store') this.#store(output.key, output.value);
        else if (output.kind === 'map') this.#apply(output.write);
        else this.#options.output(this, output);
      }
    }
    const dueMs = control.nextDeadlineMs(this.nowMs);
    if (dueMs >= this.#dueMs || dueMs === Infinity) return;
    this.#dueMs = dueMs;
    const { time, clockOffsetMs, clockRate } = this.#options;
    time.at((dueMs - clockOffsetMs) / clockRate, () => {
      if (this.control !== control || this.#dueMs !== dueMs) return;
      this.#dueMs = Infinity;
      control.handleTimeout(this.nowMs);
      this.drive();
    });
  }

  #store(key: string, value: unknown): void {
    if (value === undefined) this.disk.delete(key);
    else this.disk.set(key, JSON.stringify(value));
  }

  #apply(write: MapWrite): void {
    if (write.kind === 'put') this.maps.map(write.map).put(write.key, write.value);
    else if (write.kind === 'delete') this.maps.map(write.map).delete(write.key);
    else if (write.kind === 'swap') this.maps.mapOfMaps(write.map).swap(write.index, write.values);
    else this.maps.mapOfMaps(write.map).clear(write.index);
  }
}
