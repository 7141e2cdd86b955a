import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import { askDaemon } from '../../src/overlay-host/operator/operator-socket.ts';
import type { OverlayStatus } from '../../src/overlay-host/overlay-status.ts';
import type { AgentMode } from '../../src/overlay-host/data-path/pod-agents.ts';
import type { TransitMode } from '../../src/overlay-host/data-path/uplink-transit.ts';
import type { HostNamespace } from './network.ts';

export interface HostOptions {
  readonly namespace: HostNamespace;
  readonly all: readonly HostNamespace[];
  readonly folder: string;
  /** Of this project: where `van` is. */
  readonly project: string;
  readonly vpcs: readonly object[];
  /** How frames of pods are taken; the daemon's default when absent. */
  readonly agent?: AgentMode;
  readonly startTimeoutMs?: number;
}

/** What may be another one at the next start. */
export interface HostChanges {
  readonly all: readonly HostNamespace[];
  readonly epoch: number;
  readonly vpcs: readonly object[];
  /** Where packets from other hosts are taken; the daemon's default when absent. */
  readonly transit: TransitMode;
}

const usualStartTimeoutMs = 20_000;
const controlPort = 45_710;

export function siteName(host: HostNamespace): string {
  return `host${host.number}`;
}

/** The daemon of a host, as a process of its own in the host's namespace. */
export class DemoHost {
  #options: HostOptions & Partial<HostChanges>;
  readonly cniSocket: string;
  readonly operatorSocket: string;
  readonly bpfFolder: string;
  readonly #folder: string;
  readonly #log: string;
  #child: ChildProcess | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#folder = join(options.folder, siteName(options.namespace));
    this.cniSocket = join(this.#folder, 'cni.sock');
    this.operatorSocket = join(this.#folder, 'operator.sock');
    this.bpfFolder = join(this.#folder, 'bpf');
    this.#log = join(this.#folder, 'daemon.log');
  }

  get name(): string {
    return siteName(this.#options.namespace);
  }

  get namespace(): string {
    return this.#options.namespace.namespace;
  }

  get hostId(): number {
    return this.#options.namespace.number;
  }

  /** Of its daemon's process. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Of its daemon, and of the commands that ask it. */
  get configuration(): string {
    return join(this.#folder, 'overlay.yaml');
  }

  /** The daemon begins with what it was given before, but for `changes`. */
  async start(changes: Partial<HostChanges> = {}): Promise<void> {
    this.#options = { ...this.#options, ...changes };
    const { namespace, all, folder, vpcs, agent, epoch, transit, startTimeoutMs = usualStartTimeoutMs } = this.#options;
    await mkdir(this.#folder, { recursive: true });
    const configuration = {
      host: this.name,
      uplink: namespace.uplink,
      trustFolder: join(folder, 'trust', this.name),
      stateFolder: join(this.#folder, 'state'),
      bpfFolder: this.bpfFolder,
      cniSocket: this.cniSocket,
      operatorSocket: this.operatorSocket,
      hosts: all.map((host) => ({ name: siteName(host), id: host.number, address: host.address, port: controlPort })),
      vpcs,
      ...(agent === undefined ? {} : { agent }),
      ...(epoch === undefined ? {} : { epoch }),
      ...(transit === undefined ? {} : { transit }),
    };
    await writeFile(this.configuration, stringify(configuration));
    const before = this.log().length;
    const output = openSync(this.#log, 'a');
    const child = this.#spawn(['overlay', 'run', '--config', this.configuration], output);
    closeSync(output);
    this.#child = child;
    for (let waitedMs = 0; !this.log().slice(before).includes('the overlay is running'); waitedMs += 20) {
      if (child.exitCode !== null || waitedMs > startTimeoutMs) throw new Error(`${this.name} does not start:\n${this.log().slice(-2000)}`);
      await delay(20);
    }
  }

  async status(): Promise<OverlayStatus> {
    return (await askDaemon(this.operatorSocket, { ask: 'status' })) as OverlayStatus;
  }

  /** Packets that the data path has counted, of one VNI. */
  async counted(vni: number, reason: string): Promise<number> {
    const { counters } = await this.status();
    return counters.find((counter) => counter.vni === vni && counter.reason === reason)?.packets ?? 0;
  }

  log(): string {
    try {
      return readFileSync(this.#log, 'utf8');
    } catch {
      return '';
    }
  }

  /** Ends the daemon; the data path goes on. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** Takes programs and maps out of the kernel; true when nothing is left. */
  async remove(): Promise<boolean> {
    await this.stop();
    if (!existsSync(this.configuration)) return true;
    const output = openSync(this.#log, 'a');
    const child = this.#spawn(['overlay', 'remove', '--config', this.configuration], output);
    closeSync(output);
    const [status] = (await once(child, 'exit')) as [number | null];
    return status === 0 && readdirSync(this.bpfFolder).length === 0;
  }

  #spawn(parameters: readonly string[], output: number): ChildProcess {
    const { project } = this.#options;
    // nsenter becomes the program itself, so that signals reach it.
    return spawn('nsenter', [`--net=${pathOf(this.namespace)}`, process.execPath, join(project, 'src/cli/main.ts'), ...parameters], {
      stdio: ['ignore', output, output],
    });
  }
}
