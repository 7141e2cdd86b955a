import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { faultScript, healScript } from './link-fault.ts';
import type { LinkFault } from './link-fault.ts';
import { Program, run } from './program.ts';
import type { ProgramOptions } from './program.ts';

/** Interface names have at most 15 characters, of which three are `to-`. */
const maxNameLength = 12;

/** A veth pair between two hosts. */
interface Wire {
  readonly subnet: string;
  readonly ends: readonly [string, string];
}

/** Keeps what must go when the whole run ends, however it ends. */
export interface Owner {
  adopt(lab: Lab): void;
  release(lab: Lab): void;
}

/**
 * A network of its own: hosts (network namespaces), wires between them (veth pairs, each a subnet of its own), programs on the hosts and
 * faults on the wires. Disposing ends the programs by their ids and deletes the namespaces and the folder.
 */
export class Lab implements AsyncDisposable {
  /** Temporary files of this network. */
  readonly folder: string;
  readonly #owner: Owner;
  readonly #prefix: string;
  readonly #hosts: string[] = [];
  readonly #wires = new Map<string, Wire>();
  readonly #programs = new Set<Program>();

  private constructor(owner: Owner, prefix: string, folder: string) {
    this.#owner = owner;
    this.#prefix = prefix;
    this.folder = folder;
  }

  /** Makes hosts with a wire for each pair of names. A host sees only the hosts that it has a wire to. */
  static async make(
    owner: Owner,
    number: number,
    wires: readonly (readonly [string, string])[],
    hosts: readonly string[] = [],
  ): Promise<Lab> {
    const lab = new Lab(owner, `cvf${process.pid}n${number}`, await mkdtemp(join(tmpdir(), 'caravan-faults-')));
    owner.adopt(lab);
    try {
      const names = [...new Set([...hosts, ...wires.flat()])];
      for (const name of names) {
        if (name.length > maxNameLength) throw new Error(`host name ${name}: at most ${maxNameLength} characters`);
        lab.#hosts.push(name);
        await run(['ip', 'netns', 'add', lab.#namespace(name)]);
        await run(['ip', '-netns', lab.#namespace(name), 'link', 'set', 'lo', 'up']);
      }
      for (const [index, ends] of wires.entries()) await lab.#connect(index, ends);
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #connect(index: number, [left, right]: readonly [string, string]): Promise<void> {
    const wire: Wire = { subnet: `10.${80 + (index >> 8)}.${index & 255}`, ends: [left, right] };
    this.#wires.set(wireKey(left, right), wire);
    const ends = [`to-${right}`, 'type', 'veth', 'peer', 'name', `to-${left}`, 'netns', this.#namespace(right)];
    await run(['ip', '-netns', this.#namespace(left), 'link', 'add', ...ends]);
    for (const [at, other, last] of [
      [left, right, 1],
      [right, left, 2],
    ] as const) {
      const commands = [`address add ${wire.subnet}.${last}/24 dev to-${other}`, `link set to-${other} up`];
      await run(['ip', '-netns', this.#namespace(at), '-batch', '-'], `${commands.join('\n')}\n`);
    }
  }

  #namespace(host: string): string {
    return `${this.#prefix}-${host}`;
  }

  #wire(left: string, right: string): Wire {
    const wire = this.#wires.get(wireKey(left, right));
    if (wire === undefined) throw new Error(`there is no wire between ${left} and ${right}`);
    return wire;
  }

  /** The address of `host` on its wire to `peer`. */
  address(host: string, peer: string): string {
    const { subnet, ends } = this.#wire(host, peer);
    return `${subnet}.${ends[0] === host ? 1 : 2}`;
  }

  /** Whether the hosts have a wire. */
  isWired(left: string, right: string): boolean {
    return this.#wires.has(wireKey(left, right));
  }

  /** A command line that runs on the host. */
  on(host: string, command: readonly string[]): string[] {
    return ['nsenter', `--net=/run/netns/${this.#namespace(host)}`, ...command];
  }

  /** Starts a program on a host; it ends with the lab at the latest. */
  start(host: string, name: string, command: readonly string[], options: ProgramOptions = {}): Program {
    const program = new Program(name, this.on(host, command), options);
    this.#programs.add(program);
    void program.ended.then(() => this.#programs.delete(program));
    return program;
  }

  /** Puts a fault on the wire, in place of the one it has. Takes some milliseconds: it counts from the call on. */
  async fault(left: string, right: string, fault: LinkFault): Promise<void> {
    await Promise.all(
      [left, right].map(async (host) => {
        const peer = host === left ? right : left;
        await run(this.on(host, ['nft', '-f', '-']), faultScript(peer, host === left ? fault.fromRight : fault.fromLeft));
      }),
    );
  }

  /** Takes the fault away. */
  async heal(left: string, right: string): Promise<void> {
    await Promise.all(
      [
        [left, right],
        [right, left],
      ].map(async ([host = '', peer = '']) => await run(this.on(host, ['nft', '-f', '-']), healScript(peer))),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#programs].map((program) => program.stop()));
    for (const host of this.#hosts.splice(0)) await run(['ip', 'netns', 'delete', this.#namespace(host)]).catch(() => '');
    await rm(this.folder, { recursive: true, force: true });
    this.#owner.release(this);
  }

  /** For the end of this process, when nothing can be awaited any more. */
  removeNow(): void {
    for (const program of this.#programs) program.signal('SIGKILL');
    for (const host of this.#hosts.splice(0)) spawnSync('ip', ['netns', 'delete', this.#namespace(host)]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function wireKey(left: string, right: string): string {
  return [left, right].toSorted().join(' ');
}

/** Why networks cannot be made here; undefined when they can. */
export function labMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const program of ['ip', 'nft', 'nsenter'])
    if (spawnSync(program, ['--version']).error !== undefined)
      return `${program} is not installed (Debian: nftables, iproute2, util-linux)`;
  const probe = `cvf${process.pid}probe`;
  if (spawnSync('ip', ['netns', 'add', probe]).status !== 0) return 'network namespaces cannot be made here';
  try {
    const script = faultScript('none', { kind: 'lose', percent: 1 });
    const { status, stderr } = spawnSync('nsenter', [`--net=/run/netns/${probe}`, 'nft', '-f', '-'], { input: script, encoding: 'utf8' });
    return status === 0 ? undefined : `nftables cannot be used here: ${stderr.trim()}`;
  } finally {
    spawnSync('ip', ['netns', 'delete', probe]);
  }
}
