import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export function objectFileOf(project: string): string {
  return join(project, 'bpf/dist/overlay.o');
}

export function pluginOf(project: string): string {
  return join(project, 'cni/dist/caravan-cni');
}

/** Compiles what is not there, and says why the demo cannot run here; undefined when it can. */
export function obstacle(project: string): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (process.getuid?.() !== 0) return 'it needs root, for network namespaces and eBPF';
  for (const program of ['nsenter', 'ip']) if (!isThere(program)) return `it needs ${program} (util-linux, iproute2)`;
  for (const [result, script, needs] of [
    [objectFileOf(project), 'bpf/build.sh', 'clang and libbpf-dev'],
    [pluginOf(project), 'cni/build.sh', 'a C compiler and a static C library'],
  ] as const) {
    if (existsSync(result)) continue;
    const { status } = spawnSync(join(project, script), { stdio: 'ignore' });
    if (status !== 0) return `${script} does not compile: it needs ${needs}`;
  }
  return undefined;
}

function isThere(program: string): boolean {
  return spawnSync(program, ['-V'], { stdio: 'ignore' }).error === undefined;
}
