import { existsSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

/** Why the demo cannot run here; undefined when it can. */
export function obstacle(objectFile: string, plugin: string): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (process.getuid?.() !== 0) return 'it needs root, for network namespaces and eBPF';
  if (!isThere('nsenter') || !isThere('ip')) return 'it needs iproute2 and util-linux';
  if (!existsSync(objectFile)) return `${objectFile} is missing: npm run build:bpf (needs clang and libbpf-dev)`;
  if (!existsSync(plugin)) return `${plugin} is missing: npm run build:cni (needs a C compiler)`;
  return undefined;
}

function isThere(program: string): boolean {
  return (
    spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined ||
    spawnSync(program, ['-V'], { stdio: 'ignore' }).error === undefined
  );
}
