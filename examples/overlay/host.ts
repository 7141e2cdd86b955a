import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import type { HostNamespace } from './network.ts';

export interface HostOptions {
  readonly namespace: HostNamespace;
  readonly all: readonly HostNamespace[];
  readonly folder: string;
  /** Of this project: where `van` is. */
  readonly project: string;
  readonly vpcs: readonly object[];
}

const startTimeoutMs = 20_000;
const controlPort = 45_710;

export function siteName(host: HostNamespace): string {
  return `host${host.number}`;
}

/** The daemon of a host, as a process of its own in the host's namespace. */
export class DemoHost {
  readonly #options: HostOptions;
  readonly cniSocket: string;
  readonly bpfFolder: string;
  readonly #folder: string;
  readonly #log: string;
  #child: ChildProcess | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#folder = join(options.folder, siteName(options.namespace));
    this.cniSocket = join(this.#folder, 'cni.sock');
    this.bpfFolder = join(this.#folder, 'bpf');
    this.#log = join(this.#folder, 'daemon.log');
  }

  get name(): string {
    return siteName(this.#options.namespace);
  }

  get namespace(): string {
    return this.#options.namespace.namespace;
  }

  get #configuration(): string {
    return join(this.#folder, 'overlay.yaml');
  }

  async start(): Promise<void> {
    const { namespace, all, folder, vpcs } = this.#options;
    await mkdir(this.#folder, { recursive: true });
    const configuration = {
      host: this.name,
      uplink: namespace.uplink,
      trustFolder: join(folder, 'trust', this.name),
      stateFolder: join(this.#folder, 'state'),
      bpfFolder: this.bpfFolder,
      cniSocket: this.cniSocket,
      hosts: all.map((host) => ({ name: siteName(host), id: host.number, address: host.address, port: controlPort })),
      vpcs,
    };
    await writeFile(this.#configuration, stringify(configuration));
    const before = this.log().length;
    const output = openSync(this.#log, 'a');
    const child = this.#spawn(['overlay', 'run', '--config', this.#configuration], output);
    closeSync(output);
    this.#child = child;
    for (let waitedMs = 0; !this.log().slice(before).includes('the overlay is running'); waitedMs += 20) {
      if (child.exitCode !== null || waitedMs > startTimeoutMs) throw new Error(`${this.name} does not start:\n${this.log().slice(-2000)}`);
      await delay(20);
    }
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

  /** Takes programs and maps out of the kernel. */
  async remove(): Promise<void> {
    await this.stop();
    const child = this.#spawn(['overlay', 'remove', '--config', this.#configuration], 'ignore');
    await once(child, 'exit');
  }

  #spawn(parameters: readonly string[], output: number | 'ignore'): ChildProcess {
    const { project } = this.#options;
    // nsenter becomes the program itself, so that signals reach it.
    return spawn('nsenter', [`--net=${pathOf(this.namespace)}`, process.execPath, join(project, 'src/cli/main.ts'), ...parameters], {
      stdio: ['ignore', output, output],
    });
  }
}
