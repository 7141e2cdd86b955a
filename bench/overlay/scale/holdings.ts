import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonRig } from '../../../examples/overlay/daemon-rig.ts';
import type { DemoHost } from '../../../examples/overlay/host.ts';
import { ip } from '../../../examples/overlay/network.ts';
import { LinuxBpf } from '../../../src/kernel/bpf/linux-bpf.ts';

/** What a map holds, as the kernel says. */
export interface MapHolding {
  readonly entries: number;
  /** `memlock` of its descriptor. */
  readonly memoryBytes: number;
}

/** Maps whose entries can be counted; arrays have all of theirs from the start, and of the others nothing is kept for a pod. */
const counted = ['ports', 'endpoints', 'host_ids', 'paths', 'subnets', 'devices'] as const;

/** The pinned maps of a host, by name. */
export function mapHoldings(host: DemoHost): ReadonlyMap<string, MapHolding> {
  const folder = join(host.bpfFolder, 'maps');
  const bpf = new LinuxBpf();
  const holdings = new Map<string, MapHolding>();
  for (const name of readdirSync(folder)) {
    using pinned = bpf.openPinnedMap(join(folder, name));
    if (pinned === undefined) continue;
    const memory = /^memlock:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${pinned.descriptor}`, 'utf8'))?.[1];
    if (memory === undefined) throw new Error(`the kernel does not say how much memory ${name} takes`);
    const isCounted = (counted as readonly string[]).includes(name);
    holdings.set(name, { entries: isCounted ? [...pinned.map.entries()].length : 0, memoryBytes: Number(memory) });
  }
  bpf.close();
  return holdings;
}

/** Everything that pods could leave behind, by what it is: at all hosts together. */
export async function residue(rig: DaemonRig): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  const add = (what: string, count: number): void => void found.set(what, (found.get(what) ?? 0) + count);
  for (const host of rig.hosts) {
    for (const [name, { entries, memoryBytes }] of mapHoldings(host)) {
      // Paths are forgotten by age, and those of the pods that are measured come and go.
      if (name !== 'paths' && (counted as readonly string[]).includes(name)) add(`entries of ${name}`, entries);
      if (name === 'endpoints') add('octets of endpoints', memoryBytes);
    }
    const pins = join(host.bpfFolder, 'links');
    add('pins of programs', existsSync(pins) ? readdirSync(pins).length : 0);
    add('links', (await ip(host.namespace, '-o link show')).trim().split('\n').length);
    add('descriptors', readdirSync(`/proc/${host.pid}/fd`).length);
    const { sizes, endpoints } = await host.status();
    add('endpoints', endpoints.length);
    add('directory entries', sizes.directory);
    add('remembered deletions', sizes.graves);
    add('calls under way', sizes.calls);
  }
  add('network namespaces', readdirSync('/run/netns').filter((name) => name.startsWith(rig.network.prefix)).length);
  return found;
}
