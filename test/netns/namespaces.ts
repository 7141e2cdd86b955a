import { spawnSync } from 'node:child_process';

/** Runs a program and gives its output; throws with what it said when it fails. */
function run(program: string, parameters: readonly string[], input?: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, parameters, { encoding: 'utf8', input, timeout: 10_000 });
  if (status !== 0) throw new Error(`${program} ${parameters.join(' ')}: ${error?.message ?? (stderr || stdout).trim()}`);
  return stdout;
}

/** Why network namespaces cannot be used here; undefined when they can. */
export function namespacesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const program of ['ip', 'nft', 'nsenter']) {
    if (spawnSync(program, ['--version']).error !== undefined) return `${program} is not installed`;
  }
  const probe = `caravan-probe-${process.pid}`;
  try {
    run('ip', ['netns', 'add', probe]);
    try {
      run('nsenter', [`--net=/run/netns/${probe}`, 'nft', '-f', '-'], firewall([]));
    } finally {
      run('ip', ['netns', 'delete', probe]);
    }
  } catch (error) {
    return `network namespaces cannot be made: ${(error as Error).message}`;
  }
  return undefined;
}

/** Drops everything that comes from outside unless it belongs to a connection made from inside, or goes to one of `openPorts`. */
function firewall(openPorts: readonly number[]): string {
  return [
    'table inet site {',
    '  chain input {',
    '    type filter hook input priority 0; policy drop;',
    '    iif "lo" accept',
    '    ct state established,related accept',
    ...openPorts.map((port) => `    tcp dport ${port} accept`),
    '  }',
    '}',
    '',
  ].join('\n');
}

/** Hosts as network namespaces on one bridge, which has a namespace of its own. Disposing deletes them all. */
export class Hosts implements Disposable {
  readonly #prefix: string;
  readonly #names: string[] = [];

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.#add('bridge');
    this.#ip('bridge', 'link', 'add', 'bridge', 'type', 'bridge');
    this.#ip('bridge', 'link', 'set', 'bridge', 'up');
  }

  #namespace(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  #add(name: string): void {
    run('ip', ['netns', 'add', this.#namespace(name)]);
    this.#names.push(name);
  }

  #ip(name: string, ...parameters: readonly string[]): void {
    run('ip', ['-netns', this.#namespace(name), ...parameters]);
  }

  /** Adds a host that accepts only connections to `openPorts`, and gives its address. */
  add(name: string, openPorts: readonly number[]): string {
    this.#add(name);
    const address = `10.77.0.${this.#names.length}`;
    this.#ip('bridge', 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.#namespace(name));
    this.#ip('bridge', 'link', 'set', name, 'master', 'bridge', 'up');
    this.#ip(name, 'address', 'add', `${address}/24`, 'dev', 'eth0');
    this.#ip(name, 'link', 'set', 'eth0', 'up');
    this.#ip(name, 'link', 'set', 'lo', 'up');
    run('nsenter', [...this.enter(name).slice(1), 'nft', '-f', '-'], firewall(openPorts));
    return address;
  }

  /** The beginning of a command line that runs on the host. */
  enter(name: string): string[] {
    return ['nsenter', `--net=/run/netns/${this.#namespace(name)}`];
  }

  [Symbol.dispose](): void {
    // The bridge goes last; veth pairs go with either end.
    for (const name of this.#names.reverse()) spawnSync('ip', ['netns', 'delete', this.#namespace(name)]);
  }
}
