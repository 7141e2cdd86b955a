import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { NetlinkSocket } from './netlink-socket.ts';
import { type NetworkNamespace, createNamedNamespace, deleteNamedNamespace } from './network-namespace.ts';
import { type SocketCalls, loadSocketCalls } from './socket-calls.ts';

/** Why tests with namespaces cannot run here; undefined when they can. */
export function namespacesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  if (spawnSync('ip', ['-V']).error !== undefined) return 'ip of iproute2 is not installed';
  try {
    const calls = loadSocketCalls();
    const name = `caravan-probe-${process.pid}`;
    createNamedNamespace(calls, name).close();
    deleteNamedNamespace(calls, name);
    new NetlinkSocket(calls).close();
  } catch (error) {
    return `network namespaces cannot be made: ${(error as Error).message}`;
  }
  return undefined;
}

/** What `ip -j` says in a namespace, without the objects that are empty there. */
export function ipJson(namespace: string, ...parameters: readonly string[]): Record<string, unknown>[] {
  const { status, stdout, stderr } = spawnSync('ip', ['-n', namespace, '-j', ...parameters], { encoding: 'utf8', timeout: 10_000 });
  if (status !== 0) throw new Error(`ip -n ${namespace} ${parameters.join(' ')}: ${stderr}`);
  const list = JSON.parse(stdout === '' ? '[]' : stdout) as Record<string, unknown>[];
  return list.filter((entry) => Object.keys(entry).length > 0);
}

export function ip(namespace: string, ...parameters: readonly string[]): void {
  ipJson(namespace, ...parameters);
}

/** Descriptors of this process that are namespaces or netlink sockets, apart from those of the runtime. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Namespaces with names that nobody else has. Disposing deletes them. */
export class NamespaceRig implements Disposable {
  readonly calls: SocketCalls = loadSocketCalls();
  readonly #prefix = `caravan-${randomBytes(4).toString('hex')}`;
  readonly #namespaces: NetworkNamespace[] = [];
  readonly #names: string[] = [];

  name(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  add(name: string): NetworkNamespace {
    const namespace = createNamedNamespace(this.calls, this.name(name));
    this.#namespaces.push(namespace);
    this.#names.push(this.name(name));
    return namespace;
  }

  [Symbol.dispose](): void {
    for (const namespace of this.#namespaces) namespace.close();
    for (const name of this.#names) deleteNamedNamespace(this.calls, name);
  }
}
