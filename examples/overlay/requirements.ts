import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LinuxBpf } from '../../src/kernel/bpf/linux-bpf.ts';

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
    if (isCurrent(result, dirname(join(project, script)))) continue;
    const { status } = spawnSync(join(project, script), { stdio: 'ignore' });
    if (status !== 0) return `${script} does not compile: it needs ${needs}`;
  }
  try {
    // Its self-test makes a map and a program: a container's root may not.
    new LinuxBpf().close();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return undefined;
}

/** Whether `result` is there and no older than the sources in `folder`. */
function isCurrent(result: string, folder: string): boolean {
  if (!existsSync(result)) return false;
  const { mtimeMs } = statSync(result);
  return readdirSync(folder, { withFileTypes: true }).every(
    (entry) => !entry.isFile() || statSync(join(folder, entry.name)).mtimeMs <= mtimeMs,
  );
}

function isThere(program: string): boolean {
  return spawnSync(program, ['-V'], { stdio: 'ignore' }).error === undefined;
}
